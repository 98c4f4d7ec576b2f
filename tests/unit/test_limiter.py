"""The limiter over items in memory: clocks, caps, the day, and a store that does not answer."""

import asyncio
import math
import time

import pytest

from mailpipe.changes import Change, Fate
from mailpipe.outcomes import CallFailed, Kind
from sender.caps import AT_ONCE
from sender.limiter import ACCOUNT, ORIGIN, SharedLimiter
from sender.outage import Outage
from sender.pacing import Lead
from sender.reserving import CAP_HORIZON_S, Terms
from tests.unit.memory_items import FREE, MemoryItems, Wall

DOUBT = CallFailed(Kind.IN_DOUBT, "Timeout")
THROTTLED = CallFailed(Kind.THROTTLED, "ThrottlingException")


class Rates:
    """Numbers by hand."""

    def __init__(self) -> None:
        self.days = dict[str, float]()
        self.caps = dict[str, float]()
        self.live = 1
        self.quota = 105.0

    def account(self) -> float:
        return self.quota

    def day(self, lane: str) -> float | None:
        return self.days.get(lane)

    def any_cap(self) -> bool:
        return bool(self.caps)

    def cap(self, scope: str) -> float | None:
        return self.caps.get(scope)

    def senders(self) -> int:
        return self.live


class Stepping(MemoryItems):
    """The wall clock steps while a write is under way."""

    def __init__(self, wall: Wall, step_us: int) -> None:
        super().__init__({ACCOUNT: FREE})
        self._wall, self._step_us = wall, step_us

    async def change(self, name: str, change: Change) -> Fate:
        self._wall.step_us += self._step_us
        return await super().change(name, change)


class Rig:
    """A limiter and what is around it."""

    def __init__(
        self,
        items: MemoryItems | None = None,
        *,
        wall: Wall | None = None,
        after_s: float = 0.0,
        rate: float = 0.0,
        caps: MemoryItems | None = None,
    ) -> None:
        self.items = items or MemoryItems({ACCOUNT: FREE})
        self.rates = Rates()
        self.limiter = SharedLimiter(
            self.items,
            self.rates,
            Terms(),
            lead=Lead(),
            outage=Outage(after_s=after_s, rate=rate),
            clock=wall or Wall(),
            caps=caps,
        )


async def test_instants_are_on_the_event_loops_clock() -> None:
    rig = Rig()
    before_s = time.monotonic()
    first, second = (await rig.limiter.reserve("transactional", 1, 2)).instants
    assert 0.1 <= first - before_s < 2.0
    assert second - first == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("step_s", [-3600, 3600])
async def test_a_wall_clock_that_steps_moves_no_instant(step_s: int) -> None:
    wall = Wall()
    rig = Rig(Stepping(wall, step_s * 1_000_000), wall=wall)
    before_s = time.monotonic()
    (first,) = (await rig.limiter.reserve("transactional", 1, 1)).instants
    assert 0.1 <= first - before_s < 2.0


async def test_the_first_start_ever_makes_the_item_at_once_free() -> None:
    items = MemoryItems()
    for _ in range(2):  # several senders may start at once
        rig = Rig(items)
        await rig.limiter.prepare()
        assert (await rig.limiter.reserve("bulk", 1, 1)).instants
    assert items.items.keys() == {ACCOUNT, ORIGIN}


async def test_where_senders_have_run_before_a_missing_item_waits_for_what_they_hold() -> None:
    items = MemoryItems({ORIGIN: {"at": 1}})
    rig = Rig(items)
    rig.rates.quota = 0.0
    await rig.limiter.prepare()
    rig.rates.quota = 2.0  # known only now: others may hold 28 s
    assert not (await rig.limiter.reserve("transactional", 1, 1)).instants
    ahead_us = items.items[ACCOUNT]["tat"] - Wall().epoch_us()
    assert 27_000_000 < ahead_us < 30_000_000


async def test_a_throttled_write_is_tried_again_at_once() -> None:
    rig = Rig(after_s=2)
    rig.items.fails = [THROTTLED, THROTTLED]
    assert (await rig.limiter.reserve("bulk", 1, 1)).instants
    assert rig.limiter.unready() is None


async def test_a_write_whose_fate_is_unknown_wastes_its_slots_and_doubles_none() -> None:
    rig = Rig(after_s=2)
    first = (await rig.limiter.reserve("transactional", 1, 10)).instants
    rig.items.fails, rig.items.happened = [DOUBT], True
    lost = await rig.limiter.reserve("transactional", 1, 10)
    assert (lost.instants, lost.again_in_s) == ([], 0.2)
    assert rig.items.writes == 2 + 1  # the first made itself known to the item
    then = (await rig.limiter.reserve("transactional", 1, 10)).instants
    assert then[0] - first[-1] == pytest.approx(0.11, rel=1e-2)


async def test_while_the_store_does_not_answer_everything_stops_and_says_why() -> None:
    rig = Rig()
    rig.items.fails = [DOUBT]
    for lane in ("bulk", "transactional"):
        assert not (await rig.limiter.reserve(lane, 1, 1)).instants
    assert rig.limiter.unready() == "the item of send slots cannot be reached: Timeout"
    assert rig.items.writes == 1  # the second did not even ask: each question may be a time-out


async def test_what_needs_no_write_ends_no_outage() -> None:
    rig = Rig(after_s=1e-9, wall=Wall(good=False))
    rig.items.fails = [DOUBT] * 3
    for _ in range(2):
        assert not (await rig.limiter.reserve("transactional", 1, 1)).instants
        assert not (await rig.limiter.reserve("bulk", 1, 1)).instants
    assert rig.limiter.unready() is not None


async def test_urgent_mail_may_go_on_at_a_small_rate_split_by_the_senders() -> None:
    rig = Rig(rate=10)
    rig.rates.live = 5
    rig.items.fails = [DOUBT]
    assert not (await rig.limiter.reserve("bulk", 1, 9)).instants
    (first,) = (await rig.limiter.reserve("transactional", 1, 9)).instants
    (second,) = (await rig.limiter.reserve("transactional", 1, 9)).instants
    assert second - first == pytest.approx(0.5, abs=0.05)


async def test_with_a_clock_that_is_not_good_bulk_waits() -> None:
    rig = Rig(wall=Wall(good=False))
    assert not (await rig.limiter.reserve("bulk", 1, 1)).instants
    assert (await rig.limiter.reserve("transactional", 1, 1)).instants


async def test_a_throttle_halves_the_rate_of_the_next_reservation() -> None:
    rig = Rig()
    await rig.limiter.reserve("transactional", 1, 1)
    rig.limiter.throttled()
    first, second = (await rig.limiter.reserve("transactional", 1, 2)).instants
    assert second - first == pytest.approx(0.02, rel=1e-2)


async def test_a_cap_lets_go_on_then_waits_then_refuses() -> None:
    rig = Rig()
    assert await rig.limiter.cap_wait_s("tenant#a", 1) == 0
    rig.rates.caps["tenant#a"] = 10
    waits = [await rig.limiter.cap_wait_s("tenant#a", 10) for _ in range(4)]
    assert waits[0] == 0
    assert waits[1:3] == pytest.approx([1.0, 2.0], abs=0.2)
    assert waits[3] == math.inf
    rig.rates.caps["tenant#a"] = 0
    assert await rig.limiter.cap_wait_s("tenant#a", 1) == math.inf


async def test_a_cap_that_cannot_be_asked_lets_nothing_go_and_is_no_outage() -> None:
    rig = Rig()
    rig.rates.caps["tenant#a"] = 10
    rig.items.fails = [DOUBT]
    assert await rig.limiter.cap_wait_s("tenant#a", 1) == math.inf
    assert rig.limiter.unready() is None


async def test_only_the_accounts_item_ends_an_outage_and_caps_rest_with_it() -> None:
    class Hot(MemoryItems):
        down = True

        async def change(self, name: str, change: Change) -> Fate:
            if self.down and name == ACCOUNT:
                raise DOUBT
            return await super().change(name, change)

    items = Hot({ACCOUNT: FREE})
    rig = Rig(items, after_s=1e-9)
    rig.rates.caps["tenant#a"], rig.rates.days["bulk"] = 10, 5.0
    for lane in ("transactional", "bulk"):
        assert await rig.limiter.cap_wait_s("tenant#a", 1) < 1
        assert not (await rig.limiter.reserve(lane, 1, 1)).instants
    assert {"tenant#a", "day#bulk"} < items.items.keys()  # these were answered
    assert rig.limiter.unready() is not None
    assert await rig.limiter.cap_wait_s("tenant#a", 1) == math.inf
    items.down, rig.limiter._outage._tried_s = False, 0.0  # and time has passed
    assert (await rig.limiter.reserve("transactional", 1, 1)).instants
    assert rig.limiter.unready() is None


async def test_many_mails_under_caps_write_a_few_at_a_time_and_not_over_the_accounts_items() -> (
    None
):
    class Slow(MemoryItems):
        at_once = most = 0

        async def change(self, name: str, change: Change) -> Fate:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            await asyncio.sleep(0)
            self.at_once -= 1
            return await super().change(name, change)

    slow = Slow()
    rig = Rig(caps=slow)
    rig.rates.caps["tenant#a"] = 1000.0
    waits = await asyncio.gather(*(rig.limiter.cap_wait_s("tenant#a", 1) for _ in range(100)))
    assert len(waits) == 100
    assert (slow.most, rig.items.writes) == (AT_ONCE, 0)


async def test_what_the_days_low_rate_took_is_not_paid_for_when_it_has_risen() -> None:
    rig = Rig()
    rig.rates.days["transactional"] = 1 / 60
    assert (await rig.limiter.reserve("transactional", 50, 50)).instants
    refused = await rig.limiter.reserve("transactional", 1, 1)
    assert (refused.instants, refused.again_in_s) == ([], 1.0)
    rig.rates.days["transactional"] = 100.0
    await rig.limiter.reserve("transactional", 1, 1)
    ahead_us = rig.items.items["day#transactional"]["tat"] - Wall().epoch_us()
    assert ahead_us <= (CAP_HORIZON_S + 0.51) * 1e6


async def test_what_the_day_has_no_room_for_takes_nothing() -> None:
    rig = Rig()
    rig.rates.days["transactional"] = 1 / 3600
    refused = await rig.limiter.reserve("transactional", 2, 2)
    assert (refused.instants, refused.again_in_s, rig.items.writes) == ([], 1.0, 0)


async def test_the_days_part_of_a_lane_binds_and_what_the_account_refuses_is_kept() -> None:
    rig = Rig()
    rig.rates.days["bulk"] = 1.0
    rig.items.items[ACCOUNT] = {**FREE, "tat": Wall().epoch_us() + 3_000_000, "tatBulk": 2**60}
    assert not (await rig.limiter.reserve("bulk", 1, 50)).instants
    rig.items.items[ACCOUNT] = dict(FREE)
    rig.limiter._account.seen = None  # as if the time had passed
    taken = rig.items.items["day#bulk"]["tat"]
    assert len((await rig.limiter.reserve("bulk", 1, 50)).instants) == 1
    assert rig.items.items["day#bulk"]["tat"] == taken
    got = [await rig.limiter.reserve("bulk", 1, 50) for _ in range(4)]
    assert [len(one.instants) for one in got] == [1, 1, 0, 0]
    assert got[-1].again_in_s > 0.5
    assert len((await rig.limiter.reserve("transactional", 1, 50)).instants) == 10
