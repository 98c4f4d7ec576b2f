"""Mail in hand that does not wait for a slot yet."""

import asyncio

from sender.arrivals import ARRIVES_WITHIN_S, Arrivals


async def test_what_is_kept_until_its_time_does_not_count_as_coming() -> None:
    told = list[int]()
    arrivals = Arrivals(most=1, fewer=lambda: told.append(arrivals.coming()))
    with arrivals.arriving():
        assert arrivals.coming() == 1
        assert arrivals.keep()
        assert arrivals.kept()
        assert arrivals.coming() == 0
    assert not arrivals.kept()
    assert told == [0]


async def test_only_so_much_is_kept_and_each_task_for_itself() -> None:
    arrivals, go = Arrivals(most=2, fewer=lambda: None), asyncio.Event()

    async def mail() -> bool:
        with arrivals.arriving():
            kept = arrivals.keep()
            await go.wait()
            assert arrivals.kept() == kept
            return kept

    tasks = [asyncio.create_task(mail()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not arrivals.kept()
    go.set()
    assert await asyncio.gather(*tasks) == [True, True, False]
    with arrivals.arriving():
        assert arrivals.keep()  # there is room again


async def test_who_waits_for_a_slot_has_arrived() -> None:
    arrivals = Arrivals(most=2, fewer=lambda: None)
    with arrivals.arriving():
        assert arrivals.leave()
        assert arrivals.coming() == 0
        assert not arrivals.leave()


async def test_what_takes_long_on_its_way_keeps_no_place() -> None:
    arrivals, loop = Arrivals(most=2, fewer=lambda: None), asyncio.get_running_loop()
    with arrivals.arriving():
        real = loop.time
        loop.time = lambda: real() + ARRIVES_WITHIN_S  # type: ignore[method-assign]
        assert arrivals.coming() == 0
        loop.time = real  # type: ignore[method-assign]
