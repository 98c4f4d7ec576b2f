"""What is read through here is at most so old, and all who miss at once share one read."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class SharedReads(Generic[K, V]):
    """Remembers at most `most` answers, each for `fresh_s` from the begin of its read.

    "There is none" is an answer too. Those that were not asked for lately go first, so a flood of
    wrong keys costs neither memory nor the answers that are in use.
    """

    def __init__(
        self,
        read: Callable[[K], Awaitable[V]],
        *,
        most: int,
        fresh_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._most = most
        self._fresh_s = fresh_s
        self._clock = clock
        self._known = OrderedDict[K, tuple[float, V]]()
        """With the begin of its read; who was asked for last stands last."""
        self._reading = dict[K, asyncio.Task[V]]()

    async def get(self, key: K) -> V:
        """The answer for this key. Raises what the read raises; a failure is not remembered."""
        kept = self._known.get(key)
        if kept is not None and self._clock() < kept[0] + self._fresh_s:
            self._known.move_to_end(key)
            return kept[1]
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = asyncio.create_task(self._fetch(key, self._clock()))
            reading.add_done_callback(lambda task: self._ended(key, task))
        # Who gives up takes nothing from the others.
        return await asyncio.shield(reading)

    async def _fetch(self, key: K, begun_s: float) -> V:
        value = await self._read(key)
        self._known[key] = begun_s, value
        self._known.move_to_end(key)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return value

    def _ended(self, key: K, task: asyncio.Task[V]) -> None:
        self._reading.pop(key, None)
        if not task.cancelled():
            task.exception()  # all who waited may have given up: it was seen
