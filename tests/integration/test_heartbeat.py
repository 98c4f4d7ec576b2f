"""The thread that keeps messages in hand hidden."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from mailpipe.heartbeat import Heartbeat, Hide
from mailpipe.outcomes import CallFailed, Kind

VISIBILITY_S = 0.12


class Renewals:
    """Remembers what was renewed; `gate` holds a renewal up, `fault` fails it for a receipt."""

    def __init__(self) -> None:
        self.made = list[tuple[str, str, int]]()
        self.begun = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.faults = dict[str, CallFailed]()
        self.opened = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Hide]:
        self.opened += 1
        yield self.hide

    async def hide(self, queue: str, entries: list[tuple[str, int]]) -> list[CallFailed | None]:
        self.begun.set()
        self.gate.wait(5)
        self.made += [(queue, receipt, seconds) for receipt, seconds in entries]
        return [self.faults.get(receipt) for receipt, _ in entries]

    def of(self, receipt: str) -> int:
        """How often this one was renewed."""
        return sum(one == receipt for _, one, _ in self.made)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread to do it."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - it happens in a thread
            await asyncio.sleep(0.005)


async def test_what_is_held_is_renewed_again_and_again_on_its_own_queue() -> None:
    renewals = Renewals()
    async with Heartbeat(renewals.open, visibility_s=VISIBILITY_S) as heartbeat:
        heartbeat.hold("one", "queue-1")
        heartbeat.hold("two", "queue-2")
        await until(lambda: renewals.of("one") >= 3 and renewals.of("two") >= 3)
    assert {(queue, receipt) for queue, receipt, _ in renewals.made} == {
        ("queue-1", "one"),
        ("queue-2", "two"),
    }
    assert renewals.opened == 1


async def test_a_loop_that_stands_still_lets_nothing_go() -> None:
    renewals = Renewals()
    async with Heartbeat(renewals.open, visibility_s=VISIBILITY_S) as heartbeat:
        heartbeat.hold("one", "queue")
        end_s = time.monotonic() + 5
        while renewals.of("one") < 3 and time.monotonic() < end_s:
            time.sleep(VISIBILITY_S)  # noqa: ASYNC251 - the stall that the test is about
        assert renewals.of("one") >= 3


async def test_what_may_not_be_kept_is_not_renewed_until_it_may() -> None:
    renewals, may = Renewals(), threading.Event()
    heartbeat = Heartbeat(renewals.open, visibility_s=VISIBILITY_S, may_keep=may.is_set)
    async with heartbeat:
        heartbeat.hold("one", "queue")
        await asyncio.sleep(2 * VISIBILITY_S)
        assert renewals.made == []
        may.set()
        await until(lambda: renewals.of("one") >= 2)


async def test_what_is_finished_in_time_costs_nothing() -> None:
    renewals = Renewals()
    async with Heartbeat(renewals.open, visibility_s=VISIBILITY_S) as heartbeat:
        heartbeat.hold("one", "queue")
        heartbeat.drop("one")
        await asyncio.sleep(VISIBILITY_S)
    assert renewals.opened == 0


async def test_a_back_off_waits_for_a_renewal_that_is_under_way() -> None:
    renewals = Renewals()
    renewals.gate.clear()
    async with Heartbeat(renewals.open, visibility_s=VISIBILITY_S) as heartbeat:
        heartbeat.hold("one", "queue")
        await until(renewals.begun.is_set)
        going = asyncio.create_task(heartbeat.let_go("one"))
        await asyncio.sleep(0.02)
        assert not going.done()
        renewals.gate.set()
        await going
        renewed = renewals.of("one")
        assert renewed == 1
        await asyncio.sleep(VISIBILITY_S)
        assert renewals.of("one") == renewed


async def test_one_that_is_not_being_renewed_is_let_go_at_once() -> None:
    renewals = Renewals()
    renewals.gate.clear()
    async with Heartbeat(renewals.open, visibility_s=VISIBILITY_S) as heartbeat:
        heartbeat.hold("one", "queue")
        await until(renewals.begun.is_set)
        heartbeat.hold("two", "queue")
        await asyncio.wait_for(heartbeat.let_go("two"), 4)
        renewals.gate.set()


async def test_a_message_that_is_gone_stops_only_its_own_beat() -> None:
    renewals = Renewals()
    renewals.faults = {
        "gone": CallFailed(Kind.REFUSED, "ReceiptHandleIsInvalid"),
        "throttled": CallFailed(Kind.THROTTLED, "RequestThrottled"),
    }
    async with Heartbeat(renewals.open, visibility_s=VISIBILITY_S) as heartbeat:
        for receipt in ("gone", "throttled", "good"):
            heartbeat.hold(receipt, "queue")
        await until(lambda: renewals.of("good") >= 3 and renewals.of("throttled") >= 3)
    assert renewals.of("gone") == 1


async def test_what_failed_is_renewed_again_before_its_time() -> None:
    times = list[float]()
    throttled = CallFailed(Kind.THROTTLED, "RequestThrottled")

    async def hide(queue: str, entries: list[tuple[str, int]]) -> list[CallFailed | None]:
        times.append(time.monotonic())
        return [throttled if len(times) < 3 else None for _ in entries]

    @asynccontextmanager
    async def opening() -> AsyncIterator[Hide]:
        yield hide

    held_s = time.monotonic()
    async with Heartbeat(opening, visibility_s=3.6) as heartbeat:
        heartbeat.hold("one", "queue")
        await until(lambda: len(times) >= 3)
    assert times[2] - held_s < 3.6


async def test_a_client_that_breaks_is_opened_anew() -> None:
    renewals = Renewals()
    failures = iter([RuntimeError("broken"), CallFailed(Kind.IN_DOUBT, "TimeoutError")])

    async def hide(queue: str, entries: list[tuple[str, int]]) -> list[CallFailed | None]:
        if (failure := next(failures, None)) is not None:
            raise failure
        return await renewals.hide(queue, entries)

    @asynccontextmanager
    async def opening() -> AsyncIterator[Hide]:
        renewals.opened += 1
        yield hide

    async with Heartbeat(opening, visibility_s=VISIBILITY_S) as heartbeat:
        heartbeat.hold("one", "queue")
        await until(lambda: renewals.of("one") >= 1)
    assert renewals.opened == 3
