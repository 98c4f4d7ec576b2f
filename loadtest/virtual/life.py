"""Processes of a simulation that take time to reach AWS, and die.

A process is the tasks that were started under its `Life`. One that is dead waits for the answer to
its next call for ever, as if it had been killed there: what it had asked before has happened.
"""

import asyncio
from contextvars import ContextVar
from random import Random

FOR_EVER_S = 1e7

_current: ContextVar["Life | None"] = ContextVar("life", default=None)


class Life:
    """One process's."""

    def __init__(self) -> None:
        self.dead = False

    def begin(self) -> None:
        """The current task, and all that it starts from now on, belong to this process."""
        _current.set(self)


class Latency:
    """How long a call to AWS takes: `least_s` to `most_s`, at random."""

    def __init__(self, least_s: float, most_s: float, seed: int) -> None:
        self._span = least_s, most_s
        self._random = Random(seed)  # noqa: S311 - a reproducible world is the point

    async def pass_by(self, calls: int = 1) -> None:
        """So many calls one after the other take their time."""
        await asyncio.sleep(sum(self._random.uniform(*self._span) for _ in range(calls)))
        await alive()


def is_dead() -> bool:
    """Whether the process is that now does something."""
    life = _current.get()
    return life is not None and life.dead


async def alive() -> None:
    """Does not return to a dead process as long as anything is simulated."""
    if is_dead():
        await asyncio.sleep(FOR_EVER_S)
