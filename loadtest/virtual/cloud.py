"""What a deployment has of AWS, in memory and in virtual time: lanes, tables, bucket, slots."""

import time
from collections import Counter
from collections.abc import Callable, Sequence

from loadtest.virtual.counters import MemoryCounters
from loadtest.virtual.life import Latency, alive, is_dead
from loadtest.virtual.tables import MemoryTables
from mailpipe.aws.queue import BATCH, Fault, Outgoing, Received
from mailpipe.messages import OwnEvent, own_event_decoder
from mailpipe.outbox import MemoryBucket
from mailpipe.parking import PAUSED_MS
from mailpipe.resources import BODIES_KEPT_DAYS, DUE_ITEMS, LANES, QUEUES, SES_EVENTS
from mailpipe.testing import RETENTION_S, InMemoryQueue

PREFIX = "mailpipe-"
DAY_S = 86_400
AT_ONCE = 16
"""Calls of one process that are under way together."""


class Lane(InMemoryQueue):
    """A lane as the template makes it; `sends` counts messages. `forgets`: as if our mark of how
    long a mail was held got lost.
    """

    def __init__(
        self, name: str, *, retention_s: float, forgets: bool, latency: Latency | None
    ) -> None:
        made = QUEUES[name]
        super().__init__(
            name,
            clock=time.time,
            visibility_s=made.visibility_s,
            retention_s=retention_s,
            max_receive_count=made.max_receive_count,
            dead=InMemoryQueue(f"{name}-dead", clock=time.time),
        )
        self.sends = 0
        self._forgets = forgets
        self._latency = latency

    async def send(self, messages: Sequence[Outgoing]) -> list[Fault]:
        """See InMemoryQueue.send."""
        await alive()
        self.sends += len(messages)
        faults = await super().send(messages)
        if self._latency is not None and messages:
            batches = -(-len(messages) // BATCH)
            await self._latency.pass_by(-(-batches // AT_ONCE))
        return faults

    async def receive(
        self, most: int, *, wait_s: float, visibility_s: float | None = None
    ) -> list[Received]:
        """See InMemoryQueue.receive."""
        await alive()
        found = await super().receive(most, wait_s=wait_s, visibility_s=visibility_s)
        if self._latency is not None:
            await self._latency.pass_by()
        for one in found if self._forgets else ():
            one.attributes.pop(PAUSED_MS, None)
        return found

    async def delete(self, receipts: Sequence[str]) -> list[Fault]:
        """See InMemoryQueue.delete."""
        await alive()
        return await super().delete(receipts)

    def delete_soon(self, receipt: str, told: Callable[[Fault], None]) -> None:
        """See InMemoryQueue.delete_soon. Who is dead does nothing any more."""
        if not is_dead():
            super().delete_soon(receipt, told)

    async def hide(self, entries: Sequence[tuple[str, int]]) -> list[Fault]:
        """See InMemoryQueue.hide."""
        await alive()
        return await super().hide(entries)


class Events(InMemoryQueue):
    """Where senders tell how mail has ended: `ended` has the statuses, by the mail's id."""

    def __init__(self) -> None:
        super().__init__(SES_EVENTS, clock=time.time)
        self.ended = dict[str, set[str]]()

    async def send(self, messages: Sequence[Outgoing]) -> list[Fault]:
        """See InMemoryQueue.send."""
        for message in messages:
            event: OwnEvent = own_event_decoder.decode(message.body)
            self.ended.setdefault(event.email_id, set()).add(event.status)
        return [None] * len(messages)


class Bucket(MemoryBucket):
    """The bucket of bodies, whose lifecycle deletes what was put `days` ago."""

    def __init__(self, days: float) -> None:
        super().__init__()
        self._put_at_s = dict[str, float]()
        self._kept_s = days * DAY_S

    async def put(self, key: str, body: bytes) -> None:
        """See mailpipe.aws.s3.Bucket.put."""
        self._put_at_s[key] = time.time()
        await super().put(key, body)

    async def get(self, key: str, *, max_bytes: int) -> bytes | None:
        """See mailpipe.aws.s3.Bucket.get."""
        if time.time() - self._put_at_s.get(key, 0.0) >= self._kept_s:
            return None
        return await super().get(key, max_bytes=max_bytes)


class Cloud:
    """Everything that the senders of a deployment share."""

    def __init__(
        self,
        *,
        retention_s: float = RETENTION_S,
        bodies_days: float = BODIES_KEPT_DAYS,
        forgets_pauses: bool = False,
        latency: Latency | None = None,
        tables: MemoryTables | None = None,
    ) -> None:
        self.tables = tables or MemoryTables(PREFIX, latency=latency)
        self.lanes = {
            stream: Lane(name, retention_s=retention_s, forgets=forgets_pauses, latency=latency)
            for stream, name in LANES.items()
        }
        self.dead = InMemoryQueue("dead", clock=time.time)
        self.events = Events()
        self.bucket = Bucket(bodies_days)
        self.counters = MemoryCounters()

    @property
    def moves(self) -> Counter[str]:
        """How often messages were sent, and parked."""
        sent = sum(lane.sends for lane in self.lanes.values())
        return Counter(sent=sent, parked=self.tables.inserted[DUE_ITEMS])
