"""Recalls over tables of the local cloud, whose calls can be followed by something else."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from mailpipe import records, resources
from mailpipe.aws.queue import Received
from mailpipe.aws.table import Applied, Tables
from mailpipe.messages import EmailMessage, OwnEvent, encode, own_event_decoder
from mailpipe.outbox import MemoryBucket
from mailpipe.outcomes import Park
from mailpipe.parking import Parked, attributes_of, item_of, parked_of
from mailpipe.partiql import insert_into
from mailpipe.recall import Recall, recall_of
from mailpipe.records import Record
from mailpipe.resources import DUE_ITEMS, MAIL_BULK
from mailpipe.scheduled import key_of_time, scheduled_name
from mailpipe.testing import InMemoryQueue
from mailpipe.timing import now_ms
from tests.integration.conftest import PREFIX, Parts, message

HOUR_MS = 3_600_000
CALLS = frozenset({"write", "write_all", "get", "get_all"})


class Interposed:
    """Tables after whose call number `at` (1, 2, …) something happens."""

    def __init__(self, tables: Tables, at: int, happens: Callable[[], Awaitable[object]]) -> None:
        self._tables = tables
        self._at = at
        self._happens = happens
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._tables, name)
        if name not in CALLS:
            return found

        async def call(*arguments: Any) -> Any:
            answer = await found(*arguments)
            self.calls += 1
            if self.calls == self._at:
                await self._happens()
            return answer

        return call


class Recalls:
    """One scheduled mail, and who recalls it."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.events = InMemoryQueue(resources.SES_EVENTS)
        self.queue = InMemoryQueue(MAIL_BULK)
        self.bucket = MemoryBucket()

    def recall(self, tables: Any = None) -> Recall:
        """Of a process by itself."""
        return recall_of(
            *(tables or self.parts.tables, PREFIX),
            events=self.events,
            lanes=dict.fromkeys(resources.LANES, self.queue),
            bucket=self.bucket,
            retention_days=90,
        )

    async def scheduled(self, at_ms: int | None, *, parked: bool = True, **changes: Any) -> str:
        """A mail with a record, and an item where it waits; its id."""
        one = message()
        fields = msgspec.structs.replace(records.fields_of(one), send_at=at_ms)
        born = records.USUAL | records.born(one.email_id, one.tenant, fields) | changes
        await self.insert(resources.EMAIL_TRACKING, born)
        if parked and at_ms is not None:
            await self.park(one.email_id, at_ms, body=encode(one))
        return one.email_id

    async def born(self, one: EmailMessage) -> None:
        """Its record, as its door makes it."""
        fields = records.fields_of(one)
        await self.insert(
            resources.EMAIL_TRACKING, records.USUAL | records.born(one.email_id, one.tenant, fields)
        )

    async def park(
        self, email_id: str, at_ms: int, *, body: str = "{}", body_key: str | None = None
    ) -> None:
        """As a sender does."""
        name = scheduled_name("default", email_id)
        received = Received("m", "r", body, receives=1, sent_at_ms=now_ms())
        park = Park(None, "scheduled", due_ms=at_ms, name=name)
        item = item_of(received, MAIL_BULK, park, now_ms=now_ms(), body_key=body_key)
        await self.insert(DUE_ITEMS, attributes_of(item), twice=True)

    async def insert(self, table: str, item: records.Attributes, *, twice: bool = False) -> None:
        fate = await self.parts.tables.write(insert_into(PREFIX, table, item))
        assert twice or fate == Applied()

    async def record(self, email_id: str) -> Record:
        found = await self.parts.record(email_id)
        assert found is not None
        return found

    async def waiting(self, email_id: str, at_ms: int) -> Parked | None:
        """The item that waits for this time."""
        key = key_of_time(scheduled_name("default", email_id), at_ms)
        item = await self.parts.tables.get(DUE_ITEMS, key)
        return None if item is None else parked_of(item)

    async def announced(self) -> list[OwnEvent]:
        """Our own events since the last look."""
        found = list[OwnEvent]()
        while some := await self.events.receive(10, wait_s=0):
            found += [own_event_decoder.decode(one.body) for one in some]
            await self.events.delete([one.receipt for one in some])
        return found
