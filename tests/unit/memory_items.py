"""Items of whole numbers in memory whose writes may fail, and a clock."""

import time

from loadtest.virtual.counters import MemoryCounters
from mailpipe.changes import Change, Fate, Numbers
from mailpipe.outcomes import CallFailed

FREE: Numbers = {"tat": 0, "tatBulk": 0, "factor": 1_000_000, "factorAt": 0}
"""The account's item when nobody holds any instant."""


class Wall:
    """A wall clock that a test may put right."""

    def __init__(self, *, good: bool = True) -> None:
        self.good = good
        self.step_us = 0

    def epoch_us(self) -> int:
        return time.time_ns() // 1000 + self.step_us


class MemoryItems(MemoryCounters):
    """`fails` are raised first, one a call; with `happened` the change is made all the same."""

    def __init__(self, items: dict[str, Numbers] | None = None) -> None:
        super().__init__(items)
        self.fails = list[CallFailed]()
        self.happened = False
        self.writes = 0

    async def change(self, name: str, change: Change) -> Fate:
        """See sender.items.Items.change."""
        self.writes += 1
        failure = self.fails.pop(0) if self.fails else None
        if failure is not None and not self.happened:
            raise failure
        fate = await super().change(name, change)
        if failure is not None:
            raise failure
        return fate
