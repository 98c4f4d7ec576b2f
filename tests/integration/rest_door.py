"""The REST door in this process, over the local cloud, with keys of two tenants."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from infra.local.cloud import LOCAL_KEY
from infra.local.stack import Stack
from ingest.guard import Guard
from ingest.http import application
from ingest.limits import Intake
from ingest.settings import IngestSettings
from mailpipe import keys, records, resources, tenants
from mailpipe.access import Access
from mailpipe.admin import serve
from mailpipe.aws.client import Aws
from mailpipe.aws.queue import Received, TimedQueue
from mailpipe.aws.queues import open_queues
from mailpipe.aws.s3 import Bucket
from mailpipe.aws.table import Tables
from mailpipe.bodies import Bodies
from mailpipe.partiql import delete_from, insert_into
from mailpipe.recall import recall_of
from mailpipe.records import Attributes, Record
from mailpipe.tenants import Tenant
from mailpipe.testing import InMemoryQueue
from tests.integration.conftest import HASH_KEY, PREFIX

OTHER_KEY = "mp_other_key"
READ_ONLY_KEY = "mp_read_only_key"
MAIL: dict[str, Any] = {
    "to": ["ana@example.net"],
    "from": "noreply@example.com",
    "subject": "Hi",
    "bodyText": "Hello",
}


@dataclass
class Said:
    """An answer of the door."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Door:
    """Asks the door, and looks at what it has stored."""

    url: str
    tables: Tables
    queues: dict[str, TimedQueue]
    session: aiohttp.ClientSession

    async def ask(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        key: str = LOCAL_KEY,
        headers: list[tuple[str, str]] = [],  # noqa: B006 - never changed
    ) -> Said:
        """One request."""
        given = [("X-API-Key", key), *headers]
        async with self.session.request(
            method, self.url + path, json=json, headers=given
        ) as answer:
            text = await answer.read()
            said = await answer.json() if text else None
            return Said(answer.status, said, dict(answer.headers))

    async def send(self, *, headers: dict[str, str] | None = None, **changes: Any) -> Said:
        """`POST /send-email` of a good mail, changed."""
        given = list((headers or {}).items())
        return await self.ask("POST", "/send-email", json=MAIL | changes, headers=given)

    async def record(self, email_id: str) -> Record | None:
        """An e-mail's record."""
        item = await self.tables.get(resources.EMAIL_TRACKING, {"emailId": email_id})
        return None if item is None else records.read(item)

    async def queued(self, stream: str) -> list[Received]:
        """What is on the queue; it is taken off."""
        found = list[Received]()
        while some := await self.queues[stream].receive(10, wait_s=0):
            found += some
            await self.queues[stream].delete([one.receipt for one in some])
        return found

    async def forget_queued(self) -> None:
        """Other files look at the same queues, and a request that is cut may leave a mail late."""
        for stream in self.queues:
            await self.queued(stream)


async def _allow(tables: Tables, key: str, **changes: Any) -> None:
    """Another key, like the local one but for these attributes."""
    local = await tables.get(resources.ACCESS, {"kind": keys.KIND, "id": keys.hash_of(LOCAL_KEY)})
    assert local is not None
    item: Attributes = local | {"id": keys.hash_of(key)} | changes
    tenant = tenants.item_of(Tenant(tenant=str(item["tenant"])))
    for one in (item, tenant):
        await tables.write(insert_into(PREFIX, resources.ACCESS, one))


async def _forget(tables: Tables) -> None:
    """What other tests have left to the tenant of the local key."""
    for table in (resources.SUPPRESSION_LIST, resources.WEBHOOK_ENDPOINTS):
        for item in await tables.partition(table, "default"):
            key = {name: item[name] for name in resources.TABLES[table].key}
            await tables.write(delete_from(PREFIX, table, key))


@asynccontextmanager
async def open_door(
    cloud: Stack,
    *,
    stores: Callable[[Tables], Any] = lambda tables: tables,
    queue: Any = None,
    bucket: Bucket | None = None,
    events: Any = None,
    **settings: Any,
) -> AsyncIterator[Door]:
    """The door, served on a free port; `stores`, `queue`, `bucket` and `events` stand for what it
    uses."""
    chosen = IngestSettings(address_hash_key=HASH_KEY.decode(), local=True, **settings)
    async with Aws() as aws, aiohttp.ClientSession() as session:
        queues = await open_queues(aws, PREFIX)
        lanes = {stream: await queues.open(name) for stream, name in resources.LANES.items()}
        dynamodb = await aws.client("dynamodb", connections=32, timeout_s=5)
        tables = Tables(dynamodb, PREFIX)
        await _forget(tables)
        await _allow(tables, OTHER_KEY, tenant="other")
        await _allow(tables, READ_ONLY_KEY, scopes=["read"])
        guard = Guard(
            Access(tables, local=True, per_second=chosen.key_per_second), Intake(chosen.limits())
        )
        used = dict(lanes) if queue is None else dict.fromkeys(lanes, queue)
        seen = stores(tables)
        recall = recall_of(
            *(seen, PREFIX),
            events=events or InMemoryQueue(resources.SES_EVENTS),
            lanes=used,
            bucket=bucket,
            retention_days=chosen.retention_days,
        )
        app = application(chosen, used, seen, guard, Bodies(bucket), recall)
        async with serve(app, "127.0.0.1", 0) as port:
            door = Door(f"http://127.0.0.1:{port}", tables, dict(lanes), session)
            await door.forget_queued()
            yield door
        await door.forget_queued()
        await tables.close()
