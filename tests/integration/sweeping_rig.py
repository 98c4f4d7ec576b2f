"""Sweepers over the local cloud, at a time of their own."""

from typing import Any, cast

import pytest

from mailpipe import records, resources
from mailpipe.aws.table import Applied, Tables
from mailpipe.messages import OwnEvent, own_event_decoder
from mailpipe.open_states import LOST_AFTER_MS, Terms
from mailpipe.records import Attributes, Value
from mailpipe.statements import EmailStatements
from mailpipe.tenants import Retention, Tenants
from mailpipe.timing import now_ms
from sender.sweeping import Sweeper
from tests.integration.conftest import PREFIX, Parts, message
from tests.integration.waiting_rig import MortalQueue

WRITES = EmailStatements(PREFIX)
MINUTE, DAY = 60_000, 86_400_000
LOST = LOST_AFTER_MS + MINUTE
"""Mail that could go so long ago has lost its message."""


class Rig:
    """Sweepers, and our own events that they put."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.now_ms = now_ms()
        self.events = MortalQueue("ses-events")
        self.ids = list[str]()

    def sweeper(self, *, tables: Any = None, most: int = 100_000, events: Any = None) -> Sweeper:
        return Sweeper(
            *(cast(Tables, tables or self.parts.tables), PREFIX, events or self.events),
            retention=Retention(Tenants(self.parts.tables), usual_days=90),
            terms=Terms(),
            most=most,
            fresh_s=60,
            paused_since_ms=lambda record: None,
            wall_ms=lambda: self.now_ms,
            any_shard=lambda: 0,
        )

    async def record(self, *, age_ms: int = 0, to: int = 1, **changes: Value) -> str:
        """A record that was born so long ago, changed; its id."""
        one = message(to=[f"{name}@example.net" for name in "abc"[:to]])
        fields = records.fields_of(one)
        fields.created_at = self.now_ms - age_ms
        born = records.USUAL | records.born(one.email_id, one.tenant, fields) | changes
        assert await self.parts.tables.write(WRITES.insert(born)) == Applied()
        self.ids.append(one.email_id)
        return one.email_id

    async def item(self, email_id: str) -> Attributes:
        found = await self.parts.tables.get(resources.EMAIL_TRACKING, {"emailId": email_id})
        assert found is not None
        return found

    async def announced(self) -> list[OwnEvent]:
        """Our own events of this rig's mail since the last look."""
        found = list[OwnEvent]()
        while batch := await self.events.receive(10, wait_s=0):
            await self.events.delete([one.receipt for one in batch])
            found += [own_event_decoder.decode(one.body) for one in batch]
        return [one for one in found if one.email_id in self.ids]


@pytest.fixture
def rig(parts: Parts) -> Rig:
    return Rig(parts)
