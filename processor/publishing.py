"""Publishes how far this processor has come, so that senders can decide what is in doubt."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from mailpipe import evidence, logs, metrics, resources
from mailpipe.aws.queue import BATCH, Queue
from mailpipe.aws.table import Refused, Tables
from mailpipe.lifecycle import Stop
from mailpipe.outcomes import CallFailed
from mailpipe.partiql import insert_into, update_in
from mailpipe.records import Attributes
from mailpipe.timing import now_ms
from processor.flow import Flow

AGAIN_S = 1.0
"""After figures that could not be published."""
LOOK_S = 1.0
"""So long the look whether the queue is empty may take: what is in hand is told in time."""
UNHEARD = "its figures cannot be published, so it takes no events"

log = logs.get()


class Publisher:
    """`name` is this process's, as no other is called; `polled_empty` tells when the last poll that
    brought nothing began (epoch ms).

    Of what a processor has in hand without saying so, nobody knows: it takes events (it is the
    consumer's appetite) and keeps them hidden only while it is `heard`.
    """

    def __init__(
        self,
        tables: Tables,
        prefix: str,
        name: str,
        *,
        flow: Flow,
        queue: Queue,
        polled_empty: Callable[[], int],
        every_s: float,
        stop: Stop,
        look_s: float = LOOK_S,
        wall_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._tables = tables
        self._prefix = prefix
        self._key = evidence.key_of(name)
        self._flow = flow
        self._queue = queue
        self._polled_empty = polled_empty
        self._every_s = every_s
        self._look_s = look_s
        self._wall_ms = wall_ms
        self._asked_at = 0
        self._empty_at = 0
        self._quiet_at = 0
        self._stop = stop
        self._published = asyncio.Event()
        stop.wakes(self._published)
        metrics.PROCESSOR_UNHEARD.set_function(lambda: 0.0 if self.heard() else 1.0)

    def heard(self) -> bool:
        """Whether others know that this process may have something in hand."""
        return self._wall_ms() < self._quiet_at

    def unready(self) -> str | None:
        """Why it takes no events; None: it does."""
        return None if self.heard() else UNHEARD

    async def appetite(self) -> int:
        """Events to fetch; waits until this process is heard. Returns at a stop, too."""
        while not self.heard() and not self._stop.is_set():
            self._published.clear()
            await self._published.wait()
        return BATCH

    def full_for(self, seconds: float) -> None:
        """It takes what there is room for."""

    async def run(self) -> None:
        """For ever. What could not be published is a processor that has fallen silent."""
        while True:
            pause_s = self._every_s
            try:
                await self.publish()
            except CallFailed as error:
                log.warning("figures_not_published", code=error.code, text=error.text)
                pause_s = min(self._every_s, AGAIN_S)
            await asyncio.sleep(pause_s)

    async def publish(self) -> None:
        """Once. A write that is carried out only after `withdraw` changes nothing. Raises
        CallFailed.
        """
        await self._look_whether_empty()
        figures = self._flow.figures(now_ms=self._wall_ms(), empty_at=self._empty_at)
        changes = evidence.changes_of(figures)
        table = resources.COORDINATION
        alive = ("at", ">", evidence.ENDED)
        fate = await self._tables.write(update_in(self._prefix, table, changes, self._key, alive))
        if isinstance(fate, Refused):
            kept: Attributes = {name: one for name, one in changes.items() if one is not None}
            await self._tables.write(insert_into(self._prefix, table, self._key | kept))
        self._quiet_at = figures.quiet_at
        self._published.set()

    async def withdraw(self) -> None:
        """This process ends with nothing in hand; what it has handled stays true. Where something
        stays undone its figures count as a dead one's.
        """
        if self._flow.idle:
            with suppress(CallFailed):
                table, ended = resources.COORDINATION, evidence.ended()
                await self._tables.write(update_in(self._prefix, table, ended, self._key))

    async def _look_whether_empty(self) -> None:
        """Asked only after another poll came back empty: a busy queue is not."""
        polled_at = self._polled_empty()
        if polled_at > self._asked_at:
            self._asked_at = polled_at
            try:
                async with asyncio.timeout(self._look_s):
                    depth = await self._queue.depth()
            except (CallFailed, TimeoutError) as error:
                code = error.code if isinstance(error, CallFailed) else "NoAnswer"
                log.warning("depth_unknown", code=code, text=str(error))
                return  # what is in hand is to be told all the same
            if depth.waiting == 0 and depth.in_flight == 0:
                self._empty_at = polled_at
