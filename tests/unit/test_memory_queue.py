"""What the in-memory queue does that takes SQS too long to show."""

import pytest

from mailpipe.aws.queue import MAX_VISIBILITY_S, Outgoing
from mailpipe.testing import RETENTION_S, InMemoryQueue


class Clock:
    """Moves when told to."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_retention_deletes_what_was_sent_too_long_ago(clock: Clock) -> None:
    queue = InMemoryQueue("q", clock=clock)
    await queue.send([Outgoing("old"), Outgoing("in hand")])
    (first,) = await queue.receive(1, wait_s=0, visibility_s=MAX_VISIBILITY_S)
    clock.now_s += 60
    await queue.send([Outgoing("young")])
    clock.now_s += RETENTION_S - 60
    assert [one.body for one in await queue.receive(10, wait_s=0)] == ["young"]
    assert (await queue.depth()).in_flight == 1
    (fault,) = await queue.hide([(first.receipt, 10)])
    assert fault is not None


async def test_nobody_has_a_message_in_hand_for_more_than_twelve_hours(clock: Clock) -> None:
    queue = InMemoryQueue("q", clock=clock)
    await queue.send([Outgoing("m")])
    (message,) = await queue.receive(1, wait_s=0, visibility_s=100)
    clock.now_s += 90
    assert await queue.hide([(message.receipt, MAX_VISIBILITY_S - 90)]) == [None]
    (fault,) = await queue.hide([(message.receipt, MAX_VISIBILITY_S - 89)])
    assert fault is not None
    clock.now_s += MAX_VISIBILITY_S - 90
    (again,) = await queue.receive(1, wait_s=0)
    assert again.receives == 2


async def test_a_message_has_one_place_however_often_it_is_hidden(clock: Clock) -> None:
    queue = InMemoryQueue("q", clock=clock)
    await queue.send([Outgoing("m")])
    (message,) = await queue.receive(1, wait_s=0)
    for seconds in (5, 9, 3, 0):
        await queue.hide([(message.receipt, seconds)])
    assert len(await queue.receive(10, wait_s=0)) == 1
    clock.now_s += 10
    assert await queue.receive(10, wait_s=0) == []
