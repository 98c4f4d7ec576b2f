"""A batcher of numbers, and the calls that it makes."""

import asyncio
from collections.abc import Callable, Sequence

from mailpipe.aws.batcher import Batcher
from mailpipe.aws.lingering import Limits
from mailpipe.outcomes import CallFailed, Kind

Fate = int | CallFailed
THROTTLED = CallFailed(Kind.THROTTLED, "ThrottlingException")
REFUSED = CallFailed(Kind.REFUSED, "ValidationException")
DOUBT = CallFailed(Kind.IN_DOUBT, "TimeoutError")


class Calls:
    """Remembers every call; an entry's fate is its number times ten, unless scripted."""

    def __init__(self, script: Callable[[list[int]], Sequence[Fate] | None] | None = None) -> None:
        self.made = list[list[int]]()
        self.gate = asyncio.Event()
        self.gate.set()
        self._script = script

    async def commit(self, entries: list[int]) -> Sequence[Fate]:
        self.made.append(entries)
        await self.gate.wait()
        said = self._script(entries) if self._script else None
        return [entry * 10 for entry in entries] if said is None else said


def batcher(calls: Calls, **limits: float) -> Batcher[int, int]:
    """By fours, and patient: what is not full waits for a call to end."""
    given = {
        "most": 4,
        "linger_s": 60.0,
        "max_weight": 100,
        "at_once": 1,
        "capacity": 100,
        **limits,
    }
    return Batcher("test", calls.commit, Limits(**given))  # type: ignore[arg-type]
