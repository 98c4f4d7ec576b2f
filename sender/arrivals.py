"""The mails of a lane that are in hand and do not wait for a slot yet: each task has one."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

ARRIVES_WITHIN_S = 0.5
"""What takes longer on its way keeps no place: a hanging fetch of bodies must not stop all."""

_Task = asyncio.Task[object] | None


class Arrivals(AbstractContextManager[None]):
    """At most `most` may be kept until their time comes. `fewer` is called when some that were to
    come do not, or not yet.
    """

    def __init__(self, *, most: int, fewer: Callable[[], None]) -> None:
        self._most = most
        self._fewer = fewer
        self._loop = asyncio.get_running_loop()
        self._coming = dict[_Task, float]()
        self._kept = set[_Task]()

    def arriving(self) -> AbstractContextManager[None]:
        """The current task has a mail that may soon wait for a slot: it counts as if it did, until
        it does or the block ends without that.
        """
        return self

    def __enter__(self) -> None:
        self._coming[asyncio.current_task(self._loop)] = self._loop.time()

    def __exit__(self, *_: object) -> None:
        if self.leave():
            self._fewer()

    def keep(self) -> bool:
        """The current task's mail, whose time comes in a moment, stays in hand until then: it holds
        up nobody meanwhile, and has a place afterwards. False: there are enough that do.
        """
        if len(self._kept) >= self._most:
            return False
        task = asyncio.current_task(self._loop)
        self._kept.add(task)
        if self._coming.pop(task, None) is not None:
            self._fewer()
        return True

    def kept(self) -> bool:
        """Whether the current task's mail was kept."""
        return bool(self._kept) and asyncio.current_task(self._loop) in self._kept

    def leave(self) -> bool:
        """The current task's mail waits for a slot now, or never will; whether it was to come."""
        task = asyncio.current_task(self._loop)
        self._kept.discard(task)
        return self._coming.pop(task, None) is not None

    def coming(self) -> int:
        """How many will wait for slots in a moment."""
        until_s, slow = self._loop.time() - ARRIVES_WITHIN_S, 0
        for since_s in self._coming.values():  # in the order in which they came
            if since_s > until_s:
                break
            slow += 1
        return len(self._coming) - slow
