"""Work that one process of many does at a time: whoever holds its lease.

A lease is an item of `Coordination`. Its holder renews it; when the holder is gone another takes it
after it has run out. The clocks of two machines differ, and a process may be stopped in the middle
of its work, so for a moment there may be two holders: what runs under a lease must be harmless when
it is done twice.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from mailpipe import logs, metrics, resources
from mailpipe.aws.table import Refused, Tables
from mailpipe.outcomes import CallFailed
from mailpipe.partiql import Statement, insert_into, update_in
from mailpipe.records import Attributes, Value
from mailpipe.timing import now_ms

KIND = "lease"
RENEW_AT = 1 / 3
"""Part of its time after which a lease is renewed: two renewals may fail."""
GIVE_UP_S = 2.0

Work = Callable[[], Awaitable[bool | None]]
"""One bounded piece of work; True: there is more to do at once."""

log = logs.get()


class Lease:
    """One lease, as one process sees it. `holder` names the process: no other may be called so.

    `lease_s`: how long it holds without a renewal. `wall_ms` is compared with what others wrote,
    `clock` (seconds, monotonic) tells how long ago ours was renewed.
    """

    def __init__(
        self,
        tables: Tables,
        prefix: str,
        name: str,
        holder: str,
        *,
        lease_s: float,
        wall_ms: Callable[[], int] = now_ms,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._tables = tables
        self._prefix = prefix
        self._holder = holder
        self._lease_s = lease_s
        self._wall_ms = wall_ms
        self._clock = clock
        self._renewed_s: float | None = None
        self._ask_again_s = 0.0

    async def held(self) -> bool:
        """Take or renew it; False when another holds it. Raises CallFailed.

        It may be called as often as one likes: the table is asked only where that can change
        something.
        """
        now_s = self._clock()
        if self._renewed_s is not None and now_s - self._renewed_s < self._lease_s * RENEW_AT:
            return True
        if self._renewed_s is None and now_s < self._ask_again_s:
            return False
        return await self._ask(now_s)

    async def _ask(self, now_s: float) -> bool:
        now = self._wall_ms()
        ours = self._renewed_s is not None
        allowed = ("holder", "=", self._holder) if ours else ("until", "<=", now)
        fate = await self._tables.write(self._update(self._until(now), allowed))
        if not isinstance(fate, Refused):
            return self._taken(now_s)
        if fate.item is None:
            item = self._key() | {"holder": self._holder, "until": self._until(now)}
            fate = await self._tables.write(insert_into(self._prefix, resources.COORDINATION, item))
            if not isinstance(fate, Refused):
                return self._taken(now_s)
        self._renewed_s = None
        wait_s = asks_again_after_s(fate.item, self._holder, now_ms=now, lease_s=self._lease_s)
        self._ask_again_s = now_s + wait_s
        return False

    def _taken(self, asked_s: float) -> bool:
        self._renewed_s = asked_s
        return True

    async def give_up(self, *, rest: bool = False) -> None:
        """Others need not wait until it runs out; with `rest` this process asks for it again only
        after a whole lease, so that others get it first. Raises CallFailed.
        """
        if rest:
            self._ask_again_s = self._clock() + self._lease_s
        if self._renewed_s is not None:
            self._renewed_s = None
            await self._tables.write(self._update(0, ("holder", "=", self._holder)))

    def _until(self, now: int) -> int:
        return now + round(self._lease_s * 1000)

    def _key(self) -> Attributes:
        return {"kind": KIND, "id": self.name}

    def _update(self, until: int, where: tuple[str, str, Value]) -> Statement:
        changes: Attributes = {"holder": self._holder, "until": until}
        return update_in(self._prefix, resources.COORDINATION, changes, self._key(), where)


def asks_again_after_s(
    item: Attributes | None, holder: str, *, now_ms: int, lease_s: float
) -> float:
    """How long a refused process leaves the table alone: as long as the lease holds, but never
    longer than a whole one (a holder's clock may be far ahead). At once when it is its own.
    """
    if item is None or item["holder"] == holder:
        return 0.0
    until = item["until"]
    left_s = (until - now_ms) / 1000 if isinstance(until, int) else 0.0
    return min(lease_s, max(0.0, left_s))


def lasts_s(every_s: float, *, least_s: float) -> float:
    """How long a lease lasts under which something is done every `every_s` seconds: from one time
    to the next, or each process in turn would do it in between.
    """
    return max(least_s, 2 * every_s)


class Task(NamedTuple):
    """A side task: `work` runs every `every_s` seconds in the process that holds the lease."""

    lease: Lease
    work: Work
    every_s: float


async def run_leased(task: Task) -> None:
    """Run it for ever. A failure is logged and never ends the process: another process may try,
    for what fails here need not fail there, and then this one again.
    """
    name = task.lease.name
    last_success = metrics.bound(metrics.SIDE_TASK_SUCCESS, name)
    try:
        while True:
            more: bool | None = False
            failed = True
            try:
                if await task.lease.held():
                    more = await task.work()
                    last_success.set(time.time())
            except CallFailed as error:
                log.warning("side_task_failed", task=name, code=error.code, text=error.text)
            except Exception:
                log.exception("side_task_bug", task=name)
            else:
                failed = False
            if failed:
                more = False
                await _let_go(task.lease, rest=True)
            await asyncio.sleep(0 if more else task.every_s)
    finally:
        await _let_go(task.lease)


async def _let_go(lease: Lease, *, rest: bool = False) -> None:
    """It runs out by itself where that fails."""
    with contextlib.suppress(CallFailed, TimeoutError):
        async with asyncio.timeout(GIVE_UP_S):
            await lease.give_up(rest=rest)
