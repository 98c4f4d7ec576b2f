"""The mails of a lane that are in hand and do not wait for a slot yet: each task has one."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ARRIVES_WITHIN_S = 0.5
"""What takes longer on its way keeps no place: a hanging fetch of bodies must not stop all."""

_Task = asyncio.Task[object] | None


class Arrivals:
    """At most `most` may be kept until their time comes. `fewer` is called when some that were to
    come do not, or not yet.
    """

    def __init__(self, *, most: int, fewer: Callable[[], None]) -> None:
        self._most = most
        self._fewer = fewer
        self._coming = dict[_Task, float]()
        self._kept = set[_Task]()

    @contextmanager
    def arriving(self) -> Iterator[None]:
        """The current task has a mail that may soon wait for a slot: it counts as if it did, until
        it does or the block ends without that.
        """
        self._coming[asyncio.current_task()] = _now()
        try:
            yield
        finally:
            if self.leave():
                self._fewer()

    def keep(self) -> bool:
        """The current task's mail, whose time comes in a moment, stays in hand until then: it holds
        up nobody meanwhile, and has a place afterwards. False: there are enough that do.
        """
        if len(self._kept) >= self._most:
            return False
        task = asyncio.current_task()
        self._kept.add(task)
        if self._coming.pop(task, None) is not None:
            self._fewer()
        return True

    def kept(self) -> bool:
        """Whether the current task's mail was kept."""
        return bool(self._kept) and asyncio.current_task() in self._kept

    def leave(self) -> bool:
        """The current task's mail waits for a slot now, or never will; whether it was to come."""
        task = asyncio.current_task()
        self._kept.discard(task)
        return self._coming.pop(task, None) is not None

    def coming(self) -> int:
        """How many will wait for slots in a moment."""
        now_s = _now()
        return sum(now_s - since_s < ARRIVES_WITHIN_S for since_s in self._coming.values())


def _now() -> float:
    return asyncio.get_running_loop().time()
