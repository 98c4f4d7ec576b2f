"""Leases with two holders over the local cloud. Time is what the test says."""

import asyncio
from uuid import uuid4

import pytest

from mailpipe.aws.table import Tables
from mailpipe.leases import Lease, Task, lasts_s, run_leased
from mailpipe.outcomes import CallFailed, Kind
from tests.integration.conftest import PREFIX, Parts


class Time:
    """Both clocks of every process, and a lease that no other test uses."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.lease = f"lease-{uuid4()}"

    def wall_ms(self) -> int:
        return round(self.now_s * 1000)

    def clock(self) -> float:
        return self.now_s


def lease(tables: Tables, time: Time, holder: str) -> Lease:
    return Lease(
        *(tables, PREFIX, time.lease, holder), lease_s=9, wall_ms=time.wall_ms, clock=time.clock
    )


class Patient(Lease):
    """A lease whose process asks for it every four seconds."""

    def __init__(self, tables: Tables, time: Time, holder: str) -> None:
        super().__init__(
            *(tables, PREFIX, time.lease, holder),
            lease_s=9,
            wall_ms=time.wall_ms,
            clock=time.clock,
        )
        self.time = time

    async def held(self) -> bool:
        self.time.now_s += 4
        return await super().held()


async def test_of_many_that_ask_at_once_one_gets_it(parts: Parts) -> None:
    time = Time()
    asked = [lease(parts.tables, time, f"p{number}").held() for number in range(5)]
    assert sorted(await asyncio.gather(*asked)) == [False] * 4 + [True]


async def test_the_holder_keeps_it_and_another_takes_it_when_the_holder_is_gone(
    parts: Parts,
) -> None:
    time = Time()
    one, two = (lease(parts.tables, time, holder) for holder in ("one", "two"))
    assert await one.held()
    for _ in range(5):  # renewed, far beyond the time of the first
        time.now_s += 4
        assert await one.held()
        assert not await two.held()
    time.now_s += 8.9  # killed; it holds for 9 s from its last renewal
    assert not await two.held()
    time.now_s += 0.2
    assert await two.held()
    assert not await one.held()  # and who comes back late has lost it


@pytest.mark.parametrize("every_s", [1, 600])
async def test_work_that_is_done_now_and_then_is_one_process_s(
    parts: Parts, every_s: float
) -> None:
    time, lease_s = Time(), lasts_s(every_s, least_s=15)
    one, two = (
        Lease(
            *(parts.tables, PREFIX, time.lease, holder),
            lease_s=lease_s,
            wall_ms=time.wall_ms,
            clock=time.clock,
        )
        for holder in ("one", "two")
    )
    for _ in range(4):
        assert await one.held()
        time.now_s += every_s / 2
        assert not await two.held()
        time.now_s += every_s / 2


async def test_what_is_given_up_needs_no_waiting(parts: Parts) -> None:
    time = Time()
    one = lease(parts.tables, time, "one")
    assert await one.held()
    await one.give_up()
    assert await lease(parts.tables, time, "two").held()


async def test_a_lease_that_was_lost_is_not_given_up_for_another(parts: Parts) -> None:
    time = Time()
    one, two = (lease(parts.tables, time, holder) for holder in ("one", "two"))
    assert await one.held()
    time.now_s += 10
    assert await two.held()
    await one.give_up()
    assert not await lease(parts.tables, time, "three").held()


async def test_a_task_that_fails_is_tried_again_and_gives_its_lease_up_at_the_end(
    parts: Parts,
) -> None:
    time, done = Time(), asyncio.Event()
    failures: list[Exception] = [CallFailed(Kind.THROTTLED, "Slow"), RuntimeError("bug")]

    async def work() -> None:
        time.now_s += 1
        if failures:
            raise failures.pop(0)
        done.set()

    held = Patient(parts.tables, time, "one")
    running = asyncio.create_task(run_leased(Task(held, work, every_s=0)))
    await asyncio.wait_for(done.wait(), 5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await lease(parts.tables, time, "two").held()


@pytest.mark.parametrize("fault", [CallFailed(Kind.THROTTLED, "Slow"), RuntimeError("bug")])
async def test_a_task_that_fails_here_is_another_process_s_to_try(
    parts: Parts, fault: Exception
) -> None:
    time, failed = Time(), asyncio.Event()
    one, two = (lease(parts.tables, time, holder) for holder in ("one", "two"))

    async def work() -> None:
        failed.set()
        raise fault

    running = asyncio.create_task(run_leased(Task(one, work, every_s=3600)))
    await asyncio.wait_for(failed.wait(), 5)
    async with asyncio.timeout(5):
        while not await two.held():  # as soon as it is given up
            two = lease(parts.tables, time, "two")
    await two.give_up()
    time.now_s += 8.9
    assert not await one.held()  # others come first
    time.now_s += 0.2
    assert await one.held()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_task_does_nothing_while_another_process_holds_its_lease(parts: Parts) -> None:
    time, done = Time(), list[str]()
    assert await lease(parts.tables, time, "other").held()
    asked = asyncio.Event()

    class Watched(Lease):
        async def held(self) -> bool:
            answer = await super().held()
            asked.set()
            return answer

    mine = Watched(
        *(parts.tables, PREFIX, time.lease, "me"), lease_s=9, wall_ms=time.wall_ms, clock=time.clock
    )

    async def work() -> None:
        done.append("work")

    running = asyncio.create_task(run_leased(Task(mine, work, every_s=0)))
    await asyncio.wait_for(asked.wait(), 5)
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert done == []
