"""Asks the shared items the questions of `reserving.py`."""

import asyncio
from collections.abc import Callable, Generator
from random import uniform
from typing import Protocol, TypeVar

from mailpipe import metrics
from mailpipe.changes import Change, Changed, Fate
from mailpipe.outcomes import CallFailed, Kind

TRIES = 3
AGAIN_IN_S = (0.01, 0.05)
_NOTHING_HAPPENED = (Kind.THROTTLED, Kind.NOTHING_HAPPENED)

T = TypeVar("T")


class Items(Protocol):
    """Where the items are: `mailpipe.aws.counters.Counters`."""

    async def change(self, name: str, change: Change) -> Fate:
        """Carry out a conditional change. Raises CallFailed."""
        ...


class SlotItems:
    """Carries out questions.

    A write that was throttled or never sent is tried again; one whose fate is unknown is not: it
    may have taken slots, which are then wasted. Nobody is ever given them twice, since instants
    come from the answer alone. `answered` is called after each question that took a write.
    """

    def __init__(self, items: Items, answered: Callable[[], None] = lambda: None) -> None:
        self._items = items
        self._answered = answered

    async def ask(self, name: str, steps: Generator[Change, Fate, T]) -> T:
        """What comes of a question to this item. Raises CallFailed."""
        fate: Fate | None = None
        while True:
            try:
                change = next(steps) if fate is None else steps.send(fate)
            except StopIteration as end:
                if fate is not None:
                    self._answered()
                return end.value  # type: ignore[no-any-return]
            fate = await self.change(name, change)

    async def change(self, name: str, change: Change) -> Fate:
        """One change. Raises CallFailed."""
        fate = await self._changed(name, change)
        if change.absent and isinstance(fate, Changed):
            metrics.bound(metrics.SLOT_ITEMS_MADE, name.partition("#")[0]).inc()
        return fate

    async def _changed(self, name: str, change: Change) -> Fate:
        for _ in range(TRIES - 1):
            try:
                return await self._items.change(name, change)
            except CallFailed as failure:
                if failure.kind not in _NOTHING_HAPPENED:
                    raise
            await asyncio.sleep(uniform(*AGAIN_IN_S))  # noqa: S311
        return await self._items.change(name, change)
