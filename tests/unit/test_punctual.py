"""The gate of a send: neither late, nor under a lease that may end first, nor after its expiry."""

import asyncio
import time
from typing import cast

import pytest

from mailpipe.times import Times
from sender.punctual import Gate
from sender.slots import Slots
from sender.verdicts import last_ms

NOW, SEND_S, LATENESS_S = 1_795_514_400_000, 10.0, 60.0
LEAST_MS = NOW + 10_000
"""A lease that a send which begins now just does not outlive."""


class Next:
    """Hands out these slots (seconds from now), then never another. Each takes `takes_ms`."""

    def __init__(self, *from_now_s: float | None, takes_ms: int = 0) -> None:
        self.now_ms, self.asked = NOW, list[int]()
        self._from_now_s, self._takes_ms = list(from_now_s), takes_ms

    async def again(self, recipients: int) -> float | None:
        self.asked.append(recipients)
        if not self._from_now_s:
            await asyncio.Event().wait()
        self.now_ms += self._takes_ms
        from_now_s = self._from_now_s.pop(0)
        return None if from_now_s is None else asyncio.get_running_loop().time() + from_now_s


def gate_of(slots: Next, *, from_now_s: float = 0.0, until_ms: int = LEAST_MS + 5_000) -> Gate:
    return Gate(
        *(cast(Slots, slots), asyncio.get_running_loop().time() + from_now_s),
        recipients=2,
        until_ms=until_ms,
        send_s=SEND_S,
        lateness_s=LATENESS_S,
        wall_ms=lambda: slots.now_ms,
    )


async def comes(slots: Next, *, from_now_s: float = 0.0, until_ms: int = LEAST_MS + 5_000) -> bool:
    return await gate_of(slots, from_now_s=from_now_s, until_ms=until_ms)()


@pytest.mark.parametrize(("until_ms", "may"), [(LEAST_MS, True), (LEAST_MS - 1, False), (0, False)])
async def test_nothing_goes_under_a_lease_that_may_end_before_the_answer(
    until_ms: int, *, may: bool
) -> None:
    """Although its slot is not missed."""
    assert await comes(slots := Next(), until_ms=until_ms) is may
    assert not slots.asked


async def test_a_missed_slot_is_dropped_for_the_next() -> None:
    assert await comes(slots := Next(0.0), from_now_s=-LATENESS_S - 1)
    assert slots.asked == [2]
    assert await comes(slots := Next(-LATENESS_S - 1, 0.0), from_now_s=-LATENESS_S - 1)
    assert slots.asked == [2, 2]


async def test_a_slot_that_is_a_little_late_is_kept() -> None:
    assert await comes(slots := Next(), from_now_s=1 - LATENESS_S)
    assert not slots.asked


async def test_the_lease_is_looked_at_again_for_another_slot() -> None:
    assert not await comes(Next(0.0, takes_ms=5_001), from_now_s=-LATENESS_S - 1)
    assert await comes(Next(0.0, takes_ms=5_000), from_now_s=-LATENESS_S - 1)


async def test_without_another_slot_it_does_not_go() -> None:
    """When the process stops, and when none comes within the lease."""
    assert not await comes(Next(None), from_now_s=-LATENESS_S - 1)
    assert not await comes(Next(), from_now_s=-LATENESS_S - 1, until_ms=LEAST_MS + 1)


@pytest.mark.parametrize(("after_ms", "may"), [(1, True), (-1, False)])
async def test_nothing_goes_after_its_expiry(after_ms: int, *, may: bool) -> None:
    times = Times(NOW - 60_000, None, NOW + after_ms)
    until_ms = last_ms(NOW + 3_600_000, times, send_s=SEND_S)
    assert await comes(Next(), until_ms=until_ms) is may


async def test_a_gate_remembers_that_it_was_open() -> None:
    gate = gate_of(Next(None, 0.0, None), from_now_s=-LATENESS_S - 1)
    assert [(await gate(), gate.opened_s is not None) for _ in range(3)] == [
        (False, False),
        (True, True),
        (False, True),  # a write may have begun in between
    ]


async def test_a_gate_says_when_it_was_opened() -> None:
    begun_s, gate = time.perf_counter(), gate_of(Next(), from_now_s=0.01)
    assert await gate()
    assert gate.opened_s is not None
    assert begun_s + 0.005 < gate.opened_s <= time.perf_counter()
