"""A sender over the local cloud; SES's answers are scripted."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from mailpipe import records, resources, tenants
from mailpipe.addresses import suppression_hash
from mailpipe.aws.errors import missed
from mailpipe.aws.operations import A, Gate, Operation, Q
from mailpipe.aws.ses_operations import SendEmail, SendEmailAnswer
from mailpipe.aws.table import Tables
from mailpipe.bodies import Bodies
from mailpipe.lifecycle import Stop
from mailpipe.messages import (
    EmailMessage,
    OwnEvent,
    own_event_decoder,
)
from mailpipe.outbox import MemoryBucket
from mailpipe.outcomes import CallFailed, Outcome
from mailpipe.partiql import insert_into
from mailpipe.tenants import Retention, Tenant, Tenants
from mailpipe.testing import InMemoryQueue
from mailpipe.timing import now_ms
from sender.answers import Answers
from sender.board import Board
from sender.doubts import Doubts
from sender.handler import Sender
from sender.limiter import SharedLimiter
from sender.outage import Outage
from sender.pacing import Lead
from sender.paths import Paths
from sender.pauses import Pauses
from sender.reserving import Terms
from sender.settings import SenderSettings
from sender.slots import Slots
from sender.store import SenderStore
from tests.integration.conftest import HASH_KEY, PREFIX, Parts, received
from tests.unit.memory_items import FREE, MemoryItems, Wall

INGEST = "AROAINGESTINGESTINGES"
SHOP = "AIDASHOPSHOPSHOPSHOPS"


class ScriptedSes:
    """Answers each send with the next of its script; accepts when there is none."""

    def __init__(self) -> None:
        self.script = list[CallFailed]()
        self.sent = list[SendEmail]()
        self.before_gate: Callable[[], Awaitable[None]] | None = None
        self.at_write: Callable[[], Awaitable[None]] | None = None

    async def call(self, operation: Operation[Q, A], request: Q, *, gate: Gate | None = None) -> A:
        assert isinstance(request, SendEmail)
        if self.before_gate is not None:
            await self.before_gate()
        if gate is not None and not await gate():
            raise missed(operation.name)
        if self.at_write is not None:
            await self.at_write()
        self.sent.append(request)
        if self.script:
            raise self.script.pop(0)
        answer: Any = SendEmailAnswer(message_id=f"ses-{len(self.sent)}")
        return answer


class Plenty:
    """A quota that nobody uses up, until a test takes it away."""

    per_second = 1000.0

    def __init__(self) -> None:
        self.caps = dict[str, float]()

    def account(self) -> float:
        return self.per_second

    def day(self, lane: str) -> float | None:
        return None

    def any_cap(self) -> bool:
        return bool(self.caps)

    def cap(self, scope: str) -> float | None:
        return self.caps.get(scope)

    def senders(self) -> int:
        return 1


class Waiting:
    """What waits for paused scopes, as a sender's side task sees it."""

    def __init__(self) -> None:
        self.any = True
        self.probed = list[str]()

    async def probe(self, scope: str) -> bool:
        self.probed.append(scope)
        return self.any


class Rig:
    """A sender, and what it did. Its leases outlast what a busy machine stands still."""

    def __init__(
        self,
        parts: Parts,
        *,
        grace_s: float = 0.0,
        decide_s: float = 0.0,
        lateness_s: float = 0.5,
        lease_margin_s: float = 9.7,
        due_kept_s: float = 1.5,
    ) -> None:
        self.parts = parts
        self.ses, self.large = ScriptedSes(), ScriptedSes()
        self.events = InMemoryQueue("ses-events")
        settings = SenderSettings(
            address_hash_key=HASH_KEY.decode(),
            ses_timeout_s=0.3,
            lease_margin_s=lease_margin_s,
            in_doubt_grace_s=grace_s,
            in_doubt_decide_s=decide_s,
            lateness_s=lateness_s,
            due_kept_s=due_kept_s,
            trusted_principals=INGEST,
        )
        self.lead = lead = Lead()
        self.board = Board(parts.tables, PREFIX)
        self.waiting = Waiting()
        self.later_s = 0.0
        self.pauses = Pauses(
            self.board,
            probe_with=self.waiting.probe,
            probe_s=settings.probe_s,
            clock=lambda: time.monotonic() + self.later_s,
            kept_s=0,
        )
        self.rates = Plenty()
        self.limiter = SharedLimiter(
            MemoryItems({"account": FREE}),
            self.rates,
            Terms(),
            lead=lead,
            outage=Outage(after_s=2, rate=0),
            clock=Wall(),
        )
        self.slots = Slots(self.limiter, "transactional", lead=lead, most=100, dig_every_s=0.1)
        self.store = store(parts.tables, settings)
        self.bucket = MemoryBucket()
        self.sender = Sender(
            settings,
            self.slots,
            self.store,
            bodies=Bodies(self.bucket),
            paths=Paths(self.ses, self.large, at_once=1, upload_bytes_per_s=100_000),
            answers=Answers(
                self.store,
                slots=self.slots,
                events=self.events,
                pauses=self.pauses,
                limiter=self.limiter,
                grace_s=grace_s,
                wall_ms=now_ms,
            ),
            doubts=Doubts(settings, parts.tables, self.store, wall_ms=now_ms),
            lead=lead,
            tenants=Tenants(parts.tables),
            pauses=self.pauses,
            limiter=self.limiter,
            wall_ms=now_ms,
        )

    async def handle(
        self,
        one: EmailMessage,
        *,
        receives: int = 1,
        sender_id: str | None = INGEST,
        attributes: dict[str, str] | None = None,
    ) -> Outcome:
        """Hand the message to the sender."""
        message = received(one, receives=receives)
        return await self.sender.handle(
            replace(message, sender_id=sender_id, attributes=attributes or {})
        )

    async def announced(self) -> list[OwnEvent]:
        """Our own events since the last look."""
        messages = await self.events.receive(10, wait_s=0)
        await self.events.delete([one.receipt for one in messages])
        return [own_event_decoder.decode(one.body) for one in messages]


def store(tables: Tables, settings: SenderSettings) -> SenderStore:
    return SenderStore(
        tables,
        PREFIX,
        address_hash_key=settings.address_hash_key.encode(),
        lease_s=settings.lease_s,
        grace_s=settings.in_doubt_grace_s,
        retention=Retention(Tenants(tables), usual_days=90),
        wall_ms=now_ms,
    )


@pytest.fixture
async def rig(parts: Parts) -> AsyncIterator[Rig]:
    built, stop = Rig(parts), Stop()
    running = asyncio.create_task(built.slots.run(stop))
    yield built
    stop.set()
    await running


async def suppress(
    parts: Parts, address: str, *, tenant: str = "default", scope: str = "all", ttl: int = 0
) -> None:
    item: records.Attributes = {
        "tenant": tenant,
        "addressHash": suppression_hash(HASH_KEY, address),
        "scope": scope,
    }
    if ttl:
        item["ttl"] = ttl
    await parts.tables.write(insert_into(PREFIX, resources.SUPPRESSION_LIST, item))


async def known(parts: Parts, tenant: Tenant) -> None:
    """A tenant that the table holds."""
    item = tenants.item_of(tenant)
    await parts.tables.write(insert_into(PREFIX, resources.ACCESS, item))
