"""Old messages get a new clock before their queue's retention deletes them."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from mailpipe import origins
from mailpipe.aws.queue import Fault, Outgoing, Received
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.renewal import Renewal
from mailpipe.resources import MAIL_BULK
from mailpipe.settling import Progress
from mailpipe.testing import InMemoryQueue

HOUR_S = 3600.0
FRESH_S = 24 * HOUR_S


class Killed(BaseException):
    """The process ended here."""


class Queue(InMemoryQueue):
    """A queue whose next send fails, or whose caller is killed after it."""

    fault: Fault = None
    kills = False

    async def receive(
        self, most: int, *, wait_s: float, visibility_s: float | None = None
    ) -> list[Received]:
        found = await super().receive(most, wait_s=wait_s, visibility_s=visibility_s)
        return [replace(one, sender_id="AIDASHOP") for one in found]

    async def send(self, messages: Sequence[Outgoing]) -> list[Fault]:
        if self.fault is not None:
            return [self.fault] * len(messages)
        faults = await super().send(messages)
        if self.kills:
            raise Killed
        return faults


class Rig:
    """A lane with a message for each of these ages (hours), and its task."""

    def __init__(self) -> None:
        self.now_s = 1000.0 * HOUR_S
        self.queue = Queue(MAIL_BULK, clock=lambda: self.now_s)
        self.progress = Progress(self.now_s)
        self.renewal = Renewal(
            self.queue,
            self.progress,
            fresh_s=FRESH_S,
            stopped_at_s=6 * HOUR_S,
            wall_ms=lambda: round(self.now_s * 1000),
            clock=lambda: self.now_s,
        )

    async def fill(self, *ages_h: float) -> None:
        now_s = self.now_s
        for age_h in ages_h:
            self.now_s = now_s - age_h * HOUR_S
            await self.queue.send([Outgoing(f"{age_h}")])
        self.now_s = now_s

    async def work(self) -> None:
        while await self.renewal.work():
            pass

    async def ages_h(self) -> dict[str, float]:
        """Of everything there, by body."""
        found = dict[str, float]()
        while batch := await self.queue.receive(10, wait_s=0):
            found |= {one.body: self.now_s / HOUR_S - one.sent_at_ms / 3.6e6 for one in batch}
        return found


async def test_old_messages_are_sent_anew_and_young_ones_stay() -> None:
    rig = Rig()
    await rig.fill(*range(30, 18, -1))
    rig.progress.oldest_sent_ms = round((rig.now_s - 30 * HOUR_S) * 1000)
    await rig.work()
    young = {f"{age}": age for age in range(19, 24)}
    assert await rig.ages_h() == {f"{age}": 0 for age in range(24, 31)} | young


async def test_a_lane_that_goes_is_left_alone() -> None:
    rig = Rig()
    await rig.fill(1)
    await rig.work()
    await rig.fill(30)
    rig.progress.oldest_sent_ms = round((rig.now_s - 23 * HOUR_S) * 1000)
    await rig.work()
    assert await rig.ages_h() == {"1": 1, "30": 30}


async def test_a_process_that_has_just_begun_looks_once() -> None:
    rig = Rig()
    await rig.fill(30, 5)
    await rig.work()
    assert await rig.ages_h() == {"30": 0, "5": 5}


async def test_a_lane_that_stands_is_looked_at() -> None:
    rig = Rig()
    await rig.fill(30, 5)
    rig.progress.finished_s -= 6 * HOUR_S
    await rig.work()
    assert await rig.ages_h() == {"30": 0, "5": 5}


async def test_looking_never_brings_a_message_near_redrive() -> None:
    rig = Rig()
    await rig.fill(1)
    rig.progress.finished_s -= 6 * HOUR_S
    most = 0
    for _ in range(200):
        await rig.work()
        (message,) = await rig.queue.receive(1, wait_s=0)
        await rig.queue.hide([(message.receipt, 0)])
        most = max(most, message.receives)
    assert most < 30


async def test_a_copy_tells_who_had_sent_it() -> None:
    rig = Rig()
    await rig.fill(30)
    rig.progress.finished_s -= 6 * HOUR_S
    await rig.work()
    (copy,) = await rig.queue.receive(1, wait_s=0)
    assert copy.attributes == {origins.ATTRIBUTE: "AIDASHOP"}


async def test_what_could_not_be_copied_stays() -> None:
    rig = Rig()
    await rig.fill(30)
    rig.progress.finished_s -= 6 * HOUR_S
    rig.queue.fault = CallFailed(Kind.THROTTLED, "Slow")
    await rig.work()
    rig.now_s += 61
    assert list(await rig.ages_h()) == ["30"]


async def test_killed_between_copy_and_deletion_it_is_there_twice() -> None:
    rig = Rig()
    await rig.fill(30)
    rig.progress.finished_s -= 6 * HOUR_S
    rig.queue.kills = True
    with pytest.raises(Killed):
        await rig.work()
    rig.now_s += 61
    found = await rig.queue.receive(10, wait_s=0)
    assert [one.body for one in found] == ["30", "30"]
