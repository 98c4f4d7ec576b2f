"""A minute for which far more mail waits than is ever due: the release alone, in virtual time. Who
receives it only looks at the time; the first of two releasers dies in the middle.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

from loadtest.schedule_cases import Case
from loadtest.schedules import Order, row
from loadtest.virtual.clock import EPOCH_S
from loadtest.virtual.cloud import PREFIX, Cloud
from loadtest.virtual.life import Latency, Life
from loadtest.virtual.tables import MemoryTables
from mailpipe.aws.queue import BATCH, Received
from mailpipe.due import DueItems
from mailpipe.due_times import DueTimes
from mailpipe.leases import Lease, Task, lasts_s, run_leased
from mailpipe.outcomes import Park
from mailpipe.parking import Waits
from mailpipe.resources import MAIL_BULK

CALL_S = (0.003, 0.012)
EVERY_S, LEASE_S = 10.0, 15.0
"""As senders are set."""
RECEIVERS = 64
DIES_BEFORE_S = 50.0
AFTER_S = 60.0
LAST_S = 1.0


class Minute:
    """What waits, and when it was received."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.received = list[tuple[float, str]]()
        self._latency = Latency(*CALL_S, case.seed)
        self.cloud = Cloud(
            latency=self._latency, tables=MemoryTables(PREFIX, latency=self._latency)
        )
        self._queue = self.cloud.lanes["bulk"]

    async def park(self) -> dict[str, float]:
        """All of it, by name, and when it is due. Nobody else is there yet: no call takes time."""
        tables = self.cloud.tables
        tables.latency = None
        due, wanted = self._due(), dict[str, float]()
        for number in range(self.case.mails):
            name = f"default.mail-{number}"
            due_s = round(EPOCH_S + self.case.first_s + number / self.case.per_s, 3)
            mail = Received(name, "r", name, 1, 0)
            await due.park(mail, MAIL_BULK, Park(None, "scheduled", round(due_s * 1000), name))
            wanted[name] = due_s
        tables.latency = self._latency
        return wanted

    async def run(self) -> None:
        """Release and receive."""
        first, second = Life(), Life()
        working = [
            asyncio.create_task(self._release("first", first)),
            asyncio.create_task(self._release("second", second)),
            *(asyncio.create_task(self._receive()) for _ in range(RECEIVERS)),
        ]
        await asyncio.sleep(self.case.first_s - DIES_BEFORE_S)
        first.dead = True
        await asyncio.sleep(DIES_BEFORE_S + self.case.mails / self.case.per_s + AFTER_S)
        for task in working:
            task.cancel()

    def _due(self) -> DueItems:
        return DueItems(self.cloud.tables, PREFIX, {MAIL_BULK: self._queue}, waits=Waits())

    async def _release(self, name: str, life: Life) -> None:
        life.begin()
        tables, lease_s = self.cloud.tables, lasts_s(EVERY_S, least_s=LEASE_S)
        lease = Lease(tables, PREFIX, "release_due", name, lease_s=lease_s)
        await run_leased(Task(lease, DueTimes(self._due(), tables, PREFIX).work, EVERY_S))

    async def _receive(self) -> None:
        while True:
            for one in await self._queue.receive(BATCH, wait_s=20):
                self.received.append((time.time(), one.body))
                await self._queue.delete([one.receipt])


async def released(case: Case) -> dict[str, Any]:
    """The row of the case."""
    minute = Minute(case)
    wanted = await minute.park()
    await minute.run()
    return row_of(case.name, wanted, minute.received)


def row_of(
    name: str, wanted: Mapping[str, float], received: Iterable[tuple[float, str]]
) -> dict[str, Any]:
    """The row, from when each mail was due, and when which was received. That it comes again is
    counted, and harmless: the claim makes it one send.
    """
    first = dict[str, float]()
    again = 0
    for at_s, one in received:
        again += one in first
        first[one] = min(at_s, first.get(one, inf))
    orders = [Order(one, due_s, 0.0) for one, due_s in wanted.items()]
    taken = [(_sent_s(at_s, wanted.get(one, at_s)), one) for one, at_s in first.items()]
    return row(name, orders, taken, again=again)


def _sent_s(at_s: float, due_s: float) -> float:
    """A sender keeps in hand what comes in its last second: SQS delays by whole ones."""
    return due_s if due_s - LAST_S <= at_s < due_s else at_s
