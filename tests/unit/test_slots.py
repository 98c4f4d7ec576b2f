"""Who gets which instant: the slots of a lane over a scripted limiter."""

import asyncio
import itertools

from prometheus_client import REGISTRY

from mailpipe.aws.queue import BATCH
from mailpipe.lifecycle import Stop
from sender.arrivals import ARRIVES_WITHIN_S
from sender.pacing import Lead, Reservation
from sender.slots import Slots
from sender.turns import LEAST, Excess
from tests.unit.slots_rig import FAR_S, Scripted, running, settled, soon, started


async def test_one_reservation_serves_tenants_in_turn() -> None:
    async with running() as rig:
        a, b = [await rig.waits("a"), await rig.waits("a")], await rig.waits("b")
        instants = soon(3)
        await rig.limiter.grants(*instants)
        assert [a[0].result(), b.result(), a[1].result()] == instants


async def test_an_instant_is_nobodys_until_it_is_due() -> None:
    async with running() as rig:
        first = await rig.waits("a")
        far = asyncio.get_running_loop().time() + FAR_S
        await rig.limiter.grants(far)
        assert not first.done()
        (near,) = soon(1)
        other = await rig.waits("b")
        await rig.limiter.grants(near)
        assert first.result() == near
        assert not other.done()


async def test_no_mail_is_forgotten_when_an_instant_falls_due_while_it_is_looked_at() -> None:
    loop, ticks = asyncio.get_running_loop(), itertools.count()
    real = loop.time
    loop.time = lambda: real() + next(ticks) * 0.005  # type: ignore[method-assign]
    try:
        async with running() as rig:
            for later_ms in range(30):
                waiting = await rig.waits("a")
                await rig.limiter.grants(loop.time() + 0.1 + later_ms / 1000)
                await asyncio.wait_for(waiting, 5)
    finally:
        loop.time = real  # type: ignore[method-assign]


async def test_only_what_is_missing_is_reserved() -> None:
    async with running() as rig:
        await rig.waits("a")
        await rig.limiter.grants(asyncio.get_running_loop().time() + FAR_S)
        assert rig.limiter.asked == [(1, 1)]
        await rig.waits("b", 3)
        assert rig.limiter.asked == [(1, 1), (1, 3)]


async def test_who_comes_soon_after_a_reservation_does_not_begin_the_next_one() -> None:
    async with running(apart_s=FAR_S) as rig:
        await rig.waits("a")
        assert rig.limiter.asked == [(1, 1)]  # who comes after a while without mail never waits
        await rig.limiter.grants(*soon(1))
        await rig.waits("b")
        assert rig.limiter.asked == [(1, 1)]


async def test_the_next_reservation_comes_for_all_who_wait_by_then() -> None:
    async with running(apart_s=0.01) as rig, asyncio.timeout(5):
        await rig.waits("a")
        await rig.limiter.grants(*soon(1))
        both = [await rig.waits("a"), await rig.waits("b", 2)]
        await rig.limiter.grants(*soon(3))
        await asyncio.gather(*both)
        assert len(rig.limiter.asked) == 2


async def test_a_mail_to_several_takes_as_many_slots_and_goes_at_the_first() -> None:
    async with running() as rig:
        several, one = await rig.waits("a", 3), await rig.waits("b")
        instants = soon(4)
        await rig.limiter.grants(*instants)
        assert (several.result(), one.result()) == (instants[0], instants[3])


async def test_a_claimed_mail_goes_before_all_others() -> None:
    async with running() as rig:
        waiting, claimed = await rig.waits("a"), await started(rig.slots.again(1))
        instants = soon(2)
        await rig.limiter.grants(*instants)
        assert (claimed.result(), waiting.result()) == tuple(instants)


async def test_a_slot_that_comes_back_goes_to_the_next_and_to_nobody_else() -> None:
    async with running() as rig:
        first, second, third = [await rig.waits("a") for _ in range(3)]
        (instant,) = soon(1)
        await rig.limiter.grants(instant)
        assert first.result() == instant
        rig.slots.give_back(instant)
        await settled()
        assert second.result() == instant
        assert not third.done()


async def test_a_slot_that_comes_back_too_late_goes_to_nobody() -> None:
    async with running() as rig:
        waiting = await rig.waits("a")
        rig.slots.give_back(asyncio.get_running_loop().time() - 0.001)
        await settled()
        assert not waiting.done()


async def test_who_has_gone_takes_no_slot() -> None:
    async with running() as rig:
        gone, next_one = await rig.waits("a"), await rig.waits("a")
        gone.cancel()
        instants = soon(1)
        await rig.limiter.grants(*instants)
        assert next_one.result() == instants[0]


async def test_a_full_room_makes_place_for_another_tenant_only() -> None:
    async with running() as rig:
        crowd = [await rig.waits("a") for _ in range(LEAST)]
        assert rig.slots.turns_away("a")
        assert (await rig.waits("a")).result() == Excess()
        assert not rig.slots.turns_away("b")
        other = await rig.waits("b")
        assert [one.done() for one in crowd] == [False] * (LEAST - 1) + [True]
        assert crowd[-1].result() == Excess()
        assert not other.done()


async def test_everybody_is_answered_at_the_end() -> None:
    async with running() as rig:
        waiting = [await rig.waits("a"), await started(rig.slots.again(1))]
    assert [one.result() for one in waiting] == [None, None]
    assert (await rig.slots.next("a", 1), await rig.slots.again(1)) == (None, None)


async def test_the_appetite_is_a_batch_while_there_is_room_and_counts_who_is_on_the_way() -> None:
    async with running() as rig:
        assert await rig.slots.appetite() == min(BATCH, LEAST)
        release = asyncio.Event()

        async def on_the_way() -> None:
            with rig.slots.arriving():
                await release.wait()

        coming = [await started(on_the_way()) for _ in range(4)]  # type: ignore[arg-type]
        assert await rig.slots.appetite() == LEAST - 4
        release.set()
        await asyncio.gather(*coming)
        assert await rig.slots.appetite() == LEAST


async def test_the_appetite_comes_back_when_what_came_ends_without_a_slot() -> None:
    async with running(dig_every_s=FAR_S) as rig:
        release = asyncio.Event()

        async def dead_letter() -> None:
            with rig.slots.arriving():
                await release.wait()

        for _ in range(LEAST):
            await started(dead_letter())  # type: ignore[arg-type]
        hungry = await started(rig.slots.appetite())  # type: ignore[arg-type]
        assert not hungry.done()
        release.set()
        await settled()
        assert hungry.done()


async def test_what_was_kept_until_its_time_has_a_place_in_all_of_the_room() -> None:
    async with running(dig_every_s=FAR_S) as rig:
        go = asyncio.Event()

        async def early() -> float | Excess | None:
            with rig.slots.arriving():
                assert rig.slots.keep()
                await go.wait()
                assert not rig.slots.turns_away("a")
                return await rig.slots.next("a", 1)

        kept = [await started(early()) for _ in range(2 * LEAST)]
        assert await rig.slots.appetite() == LEAST  # they hold up nobody meanwhile
        go.set()
        await settled()
        assert not any(one.done() for one in kept)  # none was sent away
        assert isinstance(await rig.slots.next("a", 1), Excess)


async def test_what_takes_long_on_its_way_does_not_stop_the_fetching() -> None:
    async with running() as rig:

        async def body_hangs() -> None:
            with rig.slots.arriving():
                await asyncio.sleep(FAR_S)

        hanging = [await started(body_hangs()) for _ in range(LEAST)]  # type: ignore[arg-type]
        assert rig.slots._space() == 0
        assert await rig.slots.appetite() == BATCH  # nothing waits: it is looked for
        loop = asyncio.get_running_loop()
        real = loop.time
        loop.time = lambda: real() + ARRIVES_WITHIN_S  # type: ignore[method-assign]
        try:
            assert rig.slots._space() == LEAST
        finally:
            loop.time = real  # type: ignore[method-assign]
        for one in hanging:
            one.cancel()


async def test_what_is_parked_or_put_back_afterwards_is_no_longer_on_its_way() -> None:
    async with running(dig_every_s=FAR_S) as rig:
        parked = asyncio.Event()

        async def paused() -> None:
            with rig.slots.arriving():
                pass
            await parked.wait()

        parking = [await started(paused()) for _ in range(LEAST)]  # type: ignore[arg-type]
        assert await rig.slots.appetite() == LEAST
        parked.set()
        await asyncio.gather(*parking)


async def test_nobody_waits_for_ever_when_a_reservation_breaks() -> None:
    class Broken(Scripted):
        async def reserve(self, lane: str, recipients: int, at_most: int) -> Reservation:
            raise ValueError("a bug")

    slots = Slots(Broken(), "bulk", lead=Lead(), most=100, dig_every_s=FAR_S)
    task = asyncio.create_task(slots.run(Stop()))
    waiting = await started(slots.next("a", 1))
    assert waiting.result() is None
    assert isinstance(task.exception(), ValueError)


async def test_the_room_is_three_seconds_of_slots_and_no_more_than_allowed() -> None:
    async with running(most=30) as rig:
        served = [await rig.waits(f"t{n}") for n in range(LEAST)]
        await rig.limiter.grants(*soon(LEAST))
        assert all(one.done() for one in served)
        for count, room in ((5, LEAST + 5), (50, 30)):
            await rig.waits("big", count)
            await rig.limiter.grants(*soon(count))
            waiting = [await rig.waits("a") for _ in range(60)]
            assert sum(not one.done() for one in waiting) == room
            await rig.limiter.grants(*soon(room))


async def test_a_full_room_looks_behind_a_backlog_only_where_slots_come() -> None:
    async with running() as rig:
        crowd = [await rig.waits("a") for _ in range(LEAST)]
        looking = await started(rig.slots.appetite())  # type: ignore[arg-type]
        assert not looking.done()
        await rig.limiter.grants(*soon(1))
        assert crowd[0].done()
        await rig.waits("a")
        assert await looking == BATCH


async def test_what_binds_is_what_the_limiter_says() -> None:
    async with running() as rig:
        await rig.waits("a")
        rig.limiter._answers.put_nowait(Reservation([], again_in_s=FAR_S, binds="day"))
        await settled()
        assert rig.slots.binding.binds(asyncio.get_running_loop().time()) == "day"
        lane = {"lane": "bulk"}
        assert REGISTRY.get_sample_value("mailpipe_quota_binds", {**lane, "binds": "day"}) == 1.0
        assert REGISTRY.get_sample_value("mailpipe_quota_in_use", lane) == 0.0
