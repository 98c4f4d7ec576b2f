"""One contract for queues, held by the in-memory fake and by SQS in the local cloud."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from infra.local.cloud import clients
from infra.local.stack import Stack
from mailpipe.aws.client import Aws
from mailpipe.aws.queue import Outgoing, Queue, TimedQueue
from mailpipe.aws.queues import open_queues
from mailpipe.messages import new_email_id
from mailpipe.testing import InMemoryQueue

VISIBILITY_S = 2
MAX_RECEIVES = 3


@dataclass
class Rig:
    """A queue, its dead letters, and a way to let time pass."""

    queue: TimedQueue
    dead: Queue
    elapse: Callable[[float], Awaitable[None]]


@pytest.fixture(params=["fake_rig", "cloud_rig"])
def rig(request: pytest.FixtureRequest) -> Rig:
    return request.getfixturevalue(request.param)


@pytest.fixture
async def cloud_rig(aws: Stack) -> AsyncIterator[Rig]:
    """SQS in the local cloud, under names of its own."""
    prefix = f"contract-{new_email_id()[-12:]}-"
    sqs = clients(aws.cloud_url)("sqs")
    dead_url = sqs.create_queue(QueueName=f"{prefix}q-dead")["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])
    redrive = {
        "deadLetterTargetArn": answer["Attributes"]["QueueArn"],
        "maxReceiveCount": str(MAX_RECEIVES),
    }
    sqs.create_queue(
        QueueName=f"{prefix}q",
        Attributes={"VisibilityTimeout": str(VISIBILITY_S), "RedrivePolicy": json.dumps(redrive)},
    )
    async with Aws() as opened:
        queues = await open_queues(opened, prefix, poll_s=2)
        yield Rig(await queues.open("q"), await queues.open("q-dead"), asyncio.sleep)


@pytest.fixture
def fake_rig() -> Rig:
    """The fake on a clock that only moves when told to."""
    now = [1000.0]

    async def elapse(seconds: float) -> None:
        now[0] += seconds

    dead = InMemoryQueue("q-dead", clock=lambda: now[0])
    queue = InMemoryQueue(
        "q",
        clock=lambda: now[0],
        visibility_s=VISIBILITY_S,
        max_receive_count=MAX_RECEIVES,
        dead=dead,
    )
    return Rig(queue, dead, elapse)


async def receive_all(queue: Queue) -> list[str]:
    """Bodies that are visible now, each received once."""
    bodies = list[str]()
    while messages := await queue.receive(10, wait_s=0):
        bodies += [message.body for message in messages]
    return sorted(bodies)


async def test_what_is_sent_is_received_once_with_its_attributes(rig: Rig) -> None:
    sent = Outgoing('{"a":"\\u00fc"}', group="tenant", attributes={"reason": "why"})
    assert await rig.queue.send([sent]) == [None]
    (message,) = await rig.queue.receive(10, wait_s=1)
    assert (message.body, message.attributes) == (sent.body, sent.attributes)
    assert message.receives == 1
    assert message.sent_at_ms > 0
    assert await rig.queue.receive(10, wait_s=0) == []


async def test_any_number_is_sent_and_deleted_with_a_fate_for_each(rig: Rig) -> None:
    bodies = [f"m{index:02}" for index in range(23)]
    assert await rig.queue.send([Outgoing(body) for body in bodies]) == [None] * 23
    messages = [m for _ in range(3) for m in await rig.queue.receive(10, wait_s=0)]
    assert sorted(message.body for message in messages) == bodies
    assert await rig.queue.delete([message.receipt for message in messages]) == [None] * 23
    await rig.elapse(VISIBILITY_S + 0.2)
    assert await rig.queue.receive(10, wait_s=0) == []


async def test_what_is_answered_for_in_time_has_its_fate(rig: Rig) -> None:
    due_s = asyncio.get_running_loop().time() + 10
    messages = [Outgoing("good"), Outgoing("x" * 1_048_577), Outgoing("too")]
    fates = await rig.queue.send_until(messages, due_s)
    assert [fate is None for fate in fates] == [True, False, True]
    assert await receive_all(rig.queue) == ["good", "too"]


async def test_one_bad_entry_fails_alone(rig: Rig) -> None:
    fates = await rig.queue.send([Outgoing("good"), Outgoing("x" * 1_048_577), Outgoing("too")])
    assert [fate is None for fate in fates] == [True, False, True]
    assert await receive_all(rig.queue) == ["good", "too"]


async def test_an_unfinished_message_comes_back_and_is_counted(rig: Rig) -> None:
    await rig.queue.send([Outgoing("m")])
    (first,) = await rig.queue.receive(1, wait_s=0)
    await rig.elapse(VISIBILITY_S + 0.2)
    (second,) = await rig.queue.receive(1, wait_s=0)
    assert (first.message_id, second.receives) == (second.message_id, 2)


async def test_hiding_longer_keeps_it_away_and_zero_hands_it_back(rig: Rig) -> None:
    await rig.queue.send([Outgoing("m")])
    (message,) = await rig.queue.receive(1, wait_s=0)
    assert await rig.queue.hide([(message.receipt, 6)]) == [None]
    await rig.elapse(VISIBILITY_S + 0.2)
    assert await rig.queue.receive(1, wait_s=0) == []
    assert await rig.queue.hide([(message.receipt, 0)]) == [None]
    (again,) = await rig.queue.receive(1, wait_s=0)
    assert again.receives == 2


async def test_a_receive_may_say_how_long_its_messages_are_hidden(rig: Rig) -> None:
    await rig.queue.send([Outgoing("m")])
    (message,) = await rig.queue.receive(1, wait_s=0, visibility_s=6)
    await rig.elapse(VISIBILITY_S + 0.2)
    assert await rig.queue.receive(1, wait_s=0) == []
    assert await rig.queue.delete([message.receipt]) == [None]


async def test_an_old_receipt_cannot_delete(rig: Rig) -> None:
    await rig.queue.send([Outgoing("m")])
    (first,) = await rig.queue.receive(1, wait_s=0)
    await rig.elapse(VISIBILITY_S + 0.2)
    (second,) = await rig.queue.receive(1, wait_s=0)
    await rig.queue.delete([first.receipt])
    await rig.queue.hide([(second.receipt, 0)])
    assert await receive_all(rig.queue) == ["m"]


async def test_a_delayed_message_waits_for_its_time(rig: Rig) -> None:
    await rig.queue.send([Outgoing("m", delay_s=2)])
    assert await rig.queue.receive(1, wait_s=0) == []
    assert (await rig.queue.depth()).delayed == 1
    await rig.elapse(2.3)
    assert await receive_all(rig.queue) == ["m"]


async def test_a_crash_loop_ends_in_the_dead_letters(rig: Rig) -> None:
    await rig.queue.send([Outgoing("m", attributes={"a": "b"})])
    for _ in range(MAX_RECEIVES):
        assert len(await rig.queue.receive(1, wait_s=0)) == 1
        await rig.elapse(VISIBILITY_S + 0.2)
    assert await rig.queue.receive(1, wait_s=0) == []
    (buried,) = await rig.dead.receive(1, wait_s=1)
    assert (buried.body, buried.attributes) == ("m", {"a": "b"})


async def test_the_depth_tells_what_waits_and_what_is_in_hand(rig: Rig) -> None:
    await rig.queue.send([Outgoing(str(index)) for index in range(3)])
    await rig.queue.receive(1, wait_s=0)
    depth = await rig.queue.depth()
    assert (depth.visible, depth.in_flight) == (2, 1)


async def test_a_long_poll_ends_when_a_message_arrives(rig: Rig) -> None:
    poll = asyncio.create_task(rig.queue.receive(1, wait_s=5))
    await asyncio.sleep(0)
    await rig.queue.send([Outgoing("m")])
    (message,) = await poll
    assert message.body == "m"


async def test_a_long_poll_ends_when_a_delayed_message_may_be_seen(rig: Rig) -> None:
    await rig.queue.send([Outgoing("m", delay_s=1)])
    poll = asyncio.create_task(rig.queue.receive(1, wait_s=4))
    await asyncio.sleep(0)
    await rig.elapse(1.0)
    (message,) = await poll
    assert message.body == "m"
