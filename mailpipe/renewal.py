"""A new clock for messages before their queue's retention deletes them.

Whoever receives an old message that cannot go now sends it anew (`parking.instead_of`). This is for
those that nobody receives: of a lane that is stopped, or slower than what comes in.
"""

import time
from collections.abc import Callable

from mailpipe import logs, metrics
from mailpipe.aws.queue import BATCH, Queue, Received
from mailpipe.parking import copy_of, often
from mailpipe.settling import Progress
from mailpipe.timing import now_ms

HIDDEN_S = 60

log = logs.get()


def must_look(
    *, oldest_age_s: float, stopped_s: float, fresh_s: float, stopped_at_s: float
) -> bool:
    """Whether old messages may lie in a lane: the oldest that was received is no longer fresh, or
    nothing has been finished for so long that nobody knows.
    """
    return oldest_age_s >= fresh_s or stopped_s >= stopped_at_s


class Renewal:
    """Copies the old messages of one queue to its end, then deletes them. `progress` is that of
    this process's own consumer, which sees what all see.
    """

    def __init__(
        self,
        queue: Queue,
        progress: Progress,
        *,
        fresh_s: float,
        stopped_at_s: float,
        wall_ms: Callable[[], int] = now_ms,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._progress = progress
        self._fresh_s = fresh_s
        self._stopped_at_s = stopped_at_s
        self._wall_ms = wall_ms
        self._clock = clock
        self._often = often(queue.name)
        self._copied = metrics.COPIED.labels(queue.name)
        self._has_looked = False

    async def work(self) -> bool:
        """Look at a few messages, if it is time to; True: there may be more. Raises CallFailed."""
        oldest_ms = self._progress.oldest_sent_ms
        # A process that has just begun knows of no standstill: it looks once.
        if self._has_looked and not must_look(
            oldest_age_s=0.0 if oldest_ms is None else (self._wall_ms() - oldest_ms) / 1000,
            stopped_s=self._clock() - self._progress.finished_s,
            fresh_s=self._fresh_s,
            stopped_at_s=self._stopped_at_s,
        ):
            return False
        found = await self._queue.receive(BATCH, wait_s=1, visibility_s=HIDDEN_S)
        self._has_looked = True
        old = [one for one in found if self._is_old(one)]
        await self._queue.hide([(one.receipt, 0) for one in found if one not in old])
        faults = await self._queue.send([copy_of(one) for one in old])
        kept = [one for one, fault in zip(old, faults, strict=True) if fault is None]
        await self._queue.delete([one.receipt for one in kept])
        self._copied.inc(len(kept))
        return bool(kept)

    def _is_old(self, message: Received) -> bool:
        """Looking counts as a receive, too."""
        age_s = (self._wall_ms() - message.sent_at_ms) / 1000
        return age_s >= self._fresh_s or message.receives >= self._often
