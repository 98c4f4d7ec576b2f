"""What other users of the machine take of a core, and the stretches in which they take nothing.

A core of a virtual machine is often one of two threads of a real one. While somebody else works on
the other, the same code takes up to twice the CPU time, and that is none of its doing. A probe on
the core of what is measured shows it: a little work that is always the same, many times a second.
`python -m loadtest.neighbours CORE` is the probe.
"""

import asyncio
import os
import statistics
import sys
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

EVERY_S = 0.02
STEPS = 6_000
"""A quarter of a millisecond: a hundredth of the core."""
FULL_SPEED = 0.05
"""The fastest twentieth of all samples ran beside nobody, if any did."""
SLOWED = 1.15
"""So much more than at full speed, and a stretch was disturbed."""

T = TypeVar("T")


def cores() -> tuple[int, set[int]]:
    """The core for what is measured, and those for all else: the same where there is but one."""
    first, *others = sorted(os.sched_getaffinity(0))
    return first, set(others) or {first}


def least_disturbed(probed_us: list[float], wanted: int) -> list[int]:
    """So many of the stretches, by the mean of the probe in each, in the order of time."""
    by_speed = sorted(range(len(probed_us)), key=probed_us.__getitem__)
    return sorted(by_speed[:wanted])


def told(seen: dict[str, Any]) -> str:
    """What a run says of its neighbours, as half a sentence."""
    quiet = f"{seen['undisturbed']} of {seen['stretches']} stretches undisturbed"
    short = f", {seen['not_enough']} times not enough" if seen["not_enough"] else ""
    return f"{quiet}{short}; the probe at full speed: {seen['probe_us']} us"


class Neighbours:
    """The probe, and what is measured beside it.

    While it is entered, this process and all that it starts keep off the probe's core; what is
    measured is started by `command`.
    """

    def __init__(self) -> None:
        self.core, self._others = cores()
        self._at, self._us = list[float](), list[float]()
        self._stretches = self._undisturbed = self._not_enough = 0
        self._before = os.sched_getaffinity(0)

    async def __aenter__(self) -> Self:
        os.sched_setaffinity(0, self._others)
        self._probe = await asyncio.create_subprocess_exec(
            *self.command(sys.executable, "-m", "loadtest.neighbours"),
            stdout=asyncio.subprocess.PIPE,
        )
        await self._sample()
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._probe.kill()
        await self._probe.wait()
        await self._reading
        os.sched_setaffinity(0, self._before)

    def command(self, *argv: str) -> list[str]:
        """The command line that runs this one on the probe's core (taskset(1))."""
        return ["taskset", "--cpu-list", str(self.core), *argv]

    async def while_undisturbed(
        self, measure: Callable[[], Awaitable[T]], *, wanted: int, at_most: int
    ) -> list[T]:
        """Measure until so many stretches were undisturbed, or `at_most` times: those count that
        were the least disturbed, by the probe's word, whatever was found in them. How fast full
        speed is, is known better with each.
        """
        found, probed_us, quiet = list[T](), list[float](), 0
        while len(found) < at_most and quiet < wanted:
            begun = time.monotonic()
            found.append(await measure())
            probed_us.append(self._mean_us(begun, time.monotonic()))
            quiet = sum(us <= SLOWED * self._full_us() for us in probed_us)
        self._stretches += len(found)
        self._undisturbed += quiet
        self._not_enough += quiet < wanted
        return [found[index] for index in least_disturbed(probed_us, wanted)]

    def seen(self) -> dict[str, Any]:
        """For the run: stretches measured, those undisturbed, how many times there were not enough
        of these, and the probe at full speed.
        """
        return {
            "stretches": self._stretches,
            "undisturbed": self._undisturbed,
            "not_enough": self._not_enough,
            "probe_us": round(self._full_us(), 1),
        }

    async def _read(self) -> None:
        while await self._sample():
            pass

    async def _sample(self) -> bool:
        assert self._probe.stdout is not None  # noqa: S101 - it is a pipe
        if line := await self._probe.stdout.readline():
            at, us = map(float, line.split())
            self._at.append(at)
            self._us.append(us)
        return bool(line)

    def _mean_us(self, begun: float, until: float) -> float:
        """Infinite where the probe had no turn at all."""
        probed = self._us[bisect_left(self._at, begun) : bisect_left(self._at, until)]
        return statistics.fmean(probed) if probed else float("inf")

    def _full_us(self) -> float:
        return sorted(self._us)[int(len(self._us) * FULL_SPEED)]


def _probe() -> None:
    while True:
        begun, number = time.thread_time_ns(), 0
        for step in range(STEPS):
            number = (number * 31 + step) & 0xFFFF
        print(time.monotonic(), (time.thread_time_ns() - begun) / 1000, flush=True)
        time.sleep(EVERY_S)


if __name__ == "__main__":
    _probe()
