"""What other users of the machine take of a core, and the stretches in which they take nothing.

A core of a virtual machine is often one of two threads of a real one. While somebody else works on
the other, the same code takes up to twice the CPU time, and that is none of its doing. A probe on
the core of what is measured shows it: a little work that is always the same, many times a second.
`python -m loadtest.neighbours` is the probe.
"""

import asyncio
import contextlib
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
"""So much more than at full speed, by the mean, and a stretch was disturbed."""

T = TypeVar("T")


def cores() -> tuple[int, set[int]]:
    """The core for what is measured, and those for all else: the same where there is but one. Which
    one is chance, so that two at the same time need not share it.
    """
    allowed = sorted(os.sched_getaffinity(0))
    core = allowed[os.getpid() % len(allowed)]
    return core, {*allowed} - {core} or {core}


def least_disturbed(probed_us: list[float], wanted: int) -> list[int]:
    """So many of the stretches, by the mean of the probe in each, in the order of time."""
    by_speed = sorted(range(len(probed_us)), key=probed_us.__getitem__)
    return sorted(by_speed[:wanted])


def told(seen: dict[str, Any]) -> str:
    """What a run says of its neighbours, as half a sentence."""
    quiet = f"{seen['undisturbed']} of {seen['stretches']} stretches undisturbed"
    short = f", {seen['not_enough']} times not enough" if seen["not_enough"] else ""
    return f"{quiet}{short}; the probe at full speed: {seen['probe_us']} us"


class Samples:
    """What the probe has said: when (`time.monotonic()`), and how long its work took."""

    def __init__(self) -> None:
        self._at, self._us = list[float](), list[float]()
        self._calls = list[tuple[list[float], int]]()

    def add(self, at: float, us: float) -> None:
        """One more, later than all others."""
        self._at.append(at)
        self._us.append(us)

    def mean_us(self, begun: float, until: float) -> float:
        """Of a stretch; infinite where the probe had no turn at all."""
        probed = self._us[bisect_left(self._at, begun) : bisect_left(self._at, until)]
        return statistics.fmean(probed) if probed else float("inf")

    def full_us(self) -> float:
        """At full speed, as far as it is known by now."""
        return sorted(self._us)[int(len(self._us) * FULL_SPEED)]

    def undisturbed(self, probed_us: list[float]) -> int:
        """How many of these stretches were, as far as it is known by now."""
        slow_us = SLOWED * self.full_us()
        return sum(us <= slow_us for us in probed_us)

    def keep(self, probed_us: list[float], wanted: int) -> None:
        """For `seen`: these stretches belong together, and so many of them count."""
        self._calls.append((probed_us, wanted))

    def seen(self) -> dict[str, Any]:
        """For the run: stretches measured, those undisturbed, how many times there were not enough
        of these, and the probe at full speed. By what is known in the end.
        """
        quiet = [self.undisturbed(probed_us) for probed_us, _ in self._calls]
        return {
            "stretches": sum(len(probed_us) for probed_us, _ in self._calls),
            "undisturbed": sum(quiet),
            "not_enough": sum(
                found < wanted for found, (_, wanted) in zip(quiet, self._calls, strict=True)
            ),
            "probe_us": round(self.full_us(), 1),
        }


class Neighbours:
    """The probe, and what is measured beside it.

    While it is entered, this thread and all that it starts keep off the probe's core; what is
    measured is started by `command`. Raises RuntimeError where the probe does not run.
    """

    def __init__(self) -> None:
        self.core, self._others = cores()
        self.samples = Samples()

    async def __aenter__(self) -> Self:
        self._before = os.sched_getaffinity(0)
        self._probe = await asyncio.create_subprocess_exec(
            *self.command(sys.executable, "-m", "loadtest.neighbours"),
            stdout=asyncio.subprocess.PIPE,
        )
        if not await self._sample():
            raise RuntimeError(f"the probe ended with exit code {await self._probe.wait()}")
        self._reading = asyncio.create_task(self._read())
        os.sched_setaffinity(0, self._others)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.sched_setaffinity(0, self._before)
        with contextlib.suppress(ProcessLookupError):  # Ctrl-C has reached it, too
            self._probe.kill()
        await self._reading
        await self._probe.wait()

    def command(self, *argv: str) -> list[str]:
        """The command line that runs this one on the probe's core (taskset(1))."""
        return ["taskset", "--cpu-list", str(self.core), *argv]

    async def while_undisturbed(
        self, measure: Callable[[], Awaitable[T]], *, wanted: int, at_most: int
    ) -> list[T]:
        """Measure until so many stretches were undisturbed, or `at_most` times; as many as are
        wanted, those that the probe was the least disturbed in, whatever was measured in them.
        Raises RuntimeError when the probe has ended.
        """
        found, probed_us = list[T](), list[float]()
        while len(found) < at_most and self.samples.undisturbed(probed_us) < wanted:
            begun = time.monotonic()
            found.append(await measure())
            probed_us.append(self.samples.mean_us(begun, time.monotonic()))
        if self._reading.done():
            raise RuntimeError("the probe has ended")
        self.samples.keep(probed_us, wanted)
        return [found[index] for index in least_disturbed(probed_us, wanted)]

    def seen(self) -> dict[str, Any]:
        """See Samples."""
        return self.samples.seen()

    async def _read(self) -> None:
        while await self._sample():
            pass

    async def _sample(self) -> bool:
        assert self._probe.stdout is not None  # noqa: S101 - it is a pipe
        line = await self._probe.stdout.readline()
        if line:
            self.samples.add(*map(float, line.split()))
        return bool(line)


def _probe() -> None:
    while True:
        begun, number = time.thread_time_ns(), 0
        for step in range(STEPS):
            number = (number * 31 + step) & 0xFFFF
        print(time.monotonic(), (time.thread_time_ns() - begun) / 1000, flush=True)
        time.sleep(EVERY_S)


if __name__ == "__main__":
    _probe()
