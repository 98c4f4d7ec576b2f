"""What sends parked mail back, when it is due and when its scope goes on."""

from collections.abc import Collection

import pytest

from mailpipe.aws.queue import Outgoing
from mailpipe.due_times import DueTimes
from mailpipe.outcomes import CallFailed, Kind, Park
from mailpipe.pace import LEAST_SHARE, Ramp
from mailpipe.parked_items import WATERMARK
from mailpipe.parking import WAITS_AT_MOST_S, Parked, Waits
from mailpipe.partiql import delete_from
from mailpipe.release import PASSED_S, ScopeRelease
from mailpipe.resources import DUE_ITEMS, MAIL_BULK, MAIL_TRANSACTIONAL
from tests.integration.conftest import PREFIX, Parts
from tests.integration.waiting_rig import Killed, Rig

MINUTE_MS = 60_000


@pytest.fixture
def rig(parts: Parts) -> Rig:
    return Rig(parts)


class Scopes:
    """The task of one sender for the scope of a rig; other tests' scopes are paused."""

    def __init__(
        self, rig: Rig, *, rate: float = 20.0, others: Collection[str] = frozenset()
    ) -> None:
        self.rig = rig
        self.now_s = 0.0
        self.paused = False
        self.task = ScopeRelease(
            rig.due,
            paused=lambda scope: self.paused or scope not in {rig.scope, *others},
            rate=lambda: rate,
            ramp=Ramp(doubling_s=2, depth_s=2),
            clock=lambda: self.now_s,
        )

    async def seconds(self, count: int) -> list[int]:
        """Work each second; how many came onto the queue of bulk mail in each."""
        came = list[int]()
        for _ in range(count):
            await self.task.work()
            came.append(len(await self.rig.on_queue()))
            self.now_s += 1
            self.rig.now_ms += 1000
        return came


async def park(rig: Rig, count: int, *, queue: str = MAIL_BULK) -> None:
    for age in range(count):
        await rig.due.park(rig.mail(age_s=age), queue, Park(rig.scope, "paused"))


async def test_a_resumed_scope_comes_back_slowly_at_first_and_then_whole(rig: Rig) -> None:
    await park(rig, 30)
    scopes = Scopes(rig)
    scopes.paused = True
    assert await scopes.seconds(2) == [0, 0]
    scopes.paused = False
    came = await scopes.seconds(8)
    assert came[0] <= 2
    assert sum(came[:2]) < sum(came[2:4]) < 20
    assert max(came) <= 20
    assert sum(came) == 30


async def test_a_queue_that_nobody_reads_gets_no_more_than_seconds_of_the_rate(rig: Rig) -> None:
    await park(rig, 20)
    scopes = Scopes(rig, rate=4)
    for _ in range(8):
        await scopes.task.work()
        scopes.now_s += 1
    depth = (await rig.queues[MAIL_BULK].depth()).visible
    assert 8 <= depth <= 8 + 8 * 4 * LEAST_SHARE
    await park(rig, 1, queue=MAIL_TRANSACTIONAL)  # does not wait behind them
    await scopes.task.work()
    assert len(await rig.on_queue(MAIL_TRANSACTIONAL)) == 1


async def test_behind_a_backlog_of_others_a_part_of_the_rate_goes_on(rig: Rig) -> None:
    await rig.queues[MAIL_BULK].send([Outgoing("backlog")] * 200)
    await park(rig, 20)
    scopes = Scopes(rig, rate=8)
    for second in range(1, 11):
        await scopes.task.work()
        came = (await rig.queues[MAIL_BULK].depth()).visible - 200
        assert came <= 1 + second * 8 * LEAST_SHARE
        scopes.now_s += 1
    assert came >= 15


async def test_a_scope_that_fails_stops_no_other(rig: Rig) -> None:
    await park(rig, 1)
    other = f"{rig.scope}-other"
    await rig.due.park(rig.mail(), MAIL_BULK, Park(other, "paused"))
    first = rig.due.first

    async def failing(
        scope: str, queue: str, most: int, *, after: str | None = None
    ) -> list[Parked]:
        if scope == other:
            raise CallFailed(Kind.IN_DOUBT, "TimeoutError")
        return await first(scope, queue, most, after=after)

    rig.due.first = failing  # type: ignore[method-assign]
    scopes = Scopes(rig, others={other})
    await scopes.seconds(1)
    assert await rig.waiting() == 0
    rig.scope = other
    with pytest.raises(CallFailed):
        await Scopes(rig).task.work()


async def test_what_cannot_be_sent_keeps_no_mail_of_its_scope_waiting(rig: Rig) -> None:
    for age in range(12):
        large = rig.mail(age_s=60 + age, body_text="x" * 5000)
        await rig.due.park(large, MAIL_BULK, Park(rig.scope, "paused"))
    await park(rig, 2)
    rig.bucket.fault = CallFailed(Kind.CONFIGURATION, "AccessDenied")
    scopes = Scopes(rig, rate=4)
    assert sum(await scopes.seconds(12)) == 2
    assert await rig.waiting() == 12
    rig.bucket.fault = None
    assert sum(await scopes.seconds(8)) == 12
    assert await rig.waiting() == 0


async def test_what_could_not_be_sent_is_tried_again_before_all_others_have_gone(rig: Rig) -> None:
    await park(rig, 8)
    scopes = Scopes(rig, rate=1)
    rig.queues[MAIL_BULK].fault = CallFailed(Kind.THROTTLED, "Slow")
    await scopes.task.work()
    (oldest,) = await rig.due.first(rig.scope, MAIL_BULK, 1)
    rig.queues[MAIL_BULK].fault = None
    scopes.now_s += 9
    await scopes.task.work()
    assert await rig.due.first(rig.scope, MAIL_BULK, 1) == [oldest]
    for _ in range(round(PASSED_S / 9) + 1):
        scopes.now_s += 9
        await scopes.task.work()
        await rig.on_queue()
        await park(rig, 3)
    assert [oldest] != await rig.due.first(rig.scope, MAIL_BULK, 1)


async def test_what_has_waited_as_long_as_it_may_goes_though_its_scope_is_paused(rig: Rig) -> None:
    old = rig.mail(age_s=WAITS_AT_MOST_S + 1)
    await rig.due.park(old, MAIL_BULK, Park(rig.scope, "paused"))
    await rig.due.park(rig.mail(age_s=WAITS_AT_MOST_S - 60), MAIL_BULK, Park(rig.scope, "paused"))
    scopes = Scopes(rig)
    scopes.paused = True
    await scopes.task.work()
    (back,) = await rig.on_queue()
    assert back.body == old.body


async def test_another_sender_goes_on_where_one_died_and_nothing_is_lost(rig: Rig) -> None:
    await park(rig, 10)
    rig.queues[MAIL_BULK].kills = True
    with pytest.raises(Killed):
        await Scopes(rig).task.work()
    came = await Scopes(rig).seconds(10)
    assert 10 <= sum(came) <= 12  # what the dead one had sent comes twice
    assert await rig.waiting() == 0


async def test_mail_that_is_parked_after_the_last_comes_too(rig: Rig) -> None:
    await park(rig, 1)
    scopes = Scopes(rig)
    assert sum(await scopes.seconds(3)) == 1
    await park(rig, 1)
    assert sum(await scopes.seconds(15)) == 1


async def test_nothing_comes_while_nobody_knows_the_rate(rig: Rig) -> None:
    await park(rig, 1)
    assert await Scopes(rig, rate=0).seconds(3) == [0, 0, 0]


class Times:
    """The task for times, at a moment that no other test has used."""

    hours = 24

    def __init__(self, rig: Rig) -> None:
        Times.hours += 24
        self.rig = rig
        rig.now_ms += Times.hours * 60 * MINUTE_MS
        self.task = DueTimes(rig.due, rig.parts.tables, PREFIX)

    async def begin(self) -> None:
        """As if nobody had ever released anything."""
        await self.rig.parts.tables.write(delete_from(PREFIX, DUE_ITEMS, WATERMARK))
        await self.work()

    async def work(self) -> int:
        while await self.task.work():
            pass
        return len(await self.rig.on_queue())

    async def watermark(self) -> int:
        item = await self.rig.parts.tables.get(DUE_ITEMS, WATERMARK)
        assert item is not None
        minute = item["minute"]
        assert isinstance(minute, int)
        return minute

    async def park(self, *, after_ms: int) -> None:
        due_ms = self.rig.now_ms + after_ms
        await self.rig.due.park(self.rig.mail(), MAIL_BULK, Park(None, "later", due_ms=due_ms))


async def test_mail_comes_when_it_is_due_and_not_before(rig: Rig) -> None:
    times = Times(rig)
    await times.begin()
    await times.park(after_ms=5 * MINUTE_MS)
    for _ in range(4):
        assert await times.work() == 0
        rig.now_ms += MINUTE_MS
    assert await times.work() == 0  # it is on the queue, delayed by what is left
    assert (await rig.queues[MAIL_BULK].depth()).delayed == 1
    rig.now_ms += MINUTE_MS
    assert await times.work() == 1


async def test_the_watermark_waits_for_what_could_not_be_sent(rig: Rig) -> None:
    times = Times(rig)
    await times.begin()
    await times.park(after_ms=2 * MINUTE_MS)
    due_minute = rig.now_ms // MINUTE_MS + 2
    rig.queues[MAIL_BULK].fault = CallFailed(Kind.THROTTLED, "Slow")
    rig.now_ms += 9 * MINUTE_MS
    assert await times.work() == 0
    assert await times.watermark() == due_minute
    rig.queues[MAIL_BULK].fault = None
    assert await times.work() == 1
    assert await times.work() == 0
    assert await times.watermark() == rig.now_ms // MINUTE_MS - 2


async def test_what_can_never_be_sent_stands_in_nobodys_way(rig: Rig) -> None:
    times = Times(rig)
    await times.begin()
    never = Park(None, "later", due_ms=rig.now_ms + 2 * MINUTE_MS)
    assert never.due_ms is not None
    await rig.due.park(rig.mail(), "no-such-queue", never)
    await times.park(after_ms=75 * MINUTE_MS)
    rig.now_ms += 80 * MINUTE_MS
    assert await times.work() == 1
    assert await times.watermark() == never.due_ms // MINUTE_MS


async def test_who_has_the_wrong_time_leaves_it_to_another(rig: Rig) -> None:
    task = DueTimes(rig.due, rig.parts.tables, PREFIX, time_is_right=lambda: False)
    with pytest.raises(CallFailed):
        await task.work()


async def test_killed_after_the_send_it_comes_twice(rig: Rig) -> None:
    times = Times(rig)
    await times.begin()
    await times.park(after_ms=2 * MINUTE_MS)
    rig.now_ms += 3 * MINUTE_MS
    rig.queues[MAIL_BULK].kills = True
    with pytest.raises(Killed):
        await times.work()
    assert await times.work() == 2
    assert await times.work() == 0


async def test_a_put_that_comes_late_is_not_passed_over(rig: Rig) -> None:
    times = Times(rig)
    await times.begin()
    late_s = Waits().settle_s - 1
    rig.now_ms -= round(late_s * 1000)  # its clock, or its call, is that much behind
    await times.park(after_ms=round(Waits().soon_s * 1000) + 1)
    rig.now_ms += round(late_s * 1000)
    assert await times.work() == 1


async def test_a_long_time_without_a_sender_is_made_up_for(rig: Rig) -> None:
    times = Times(rig)
    await times.begin()
    for after in (5, 65, 68):
        await times.park(after_ms=after * MINUTE_MS)
    rig.now_ms += 70 * MINUTE_MS
    assert await times.work() == 3
