"""Customers' webhook endpoints: read from the `WebhookEndpoints` table, cached for 5 seconds."""

import asyncio
import time
from collections.abc import Callable

import msgspec
from cachetools import TTLCache
from msgspec import Struct

from mailpipe import resources
from mailpipe.aws.table import Tables

CACHE_S = 5.0
MAX_CACHED_TENANTS = 10_000

MAX_ENDPOINTS = 100
"""Of a tenant. Each event may become a webhook for every one."""

TYPES = tuple(
    f"email.{one}"
    for one in (
        *("sent", "delivered", "bounced", "complained", "rejected", "delayed"),
        *("failed", "suppressed", "cancelled", "expired", "unknown"),
    )
)
"""All types of events that endpoints can ask for."""

NOT_BY_DEFAULT = frozenset({"email.sent", "email.opened", "email.clicked"})
"""Types that an endpoint gets only when it asks for them: every mail causes them."""


class Endpoint(Struct, rename="camel", kw_only=True, frozen=True):
    """Where a tenant wants its events. `secrets` are `whsec_…`, the newest first.

    `types` empty means all but NOT_BY_DEFAULT.
    """

    tenant: str
    endpoint: str
    url: str
    secrets: list[str]
    types: list[str] = []
    enabled: bool = True

    def wants(self, event_type: str) -> bool:
        """Whether events of this type go here."""
        if self.types:
            return event_type in self.types
        return event_type not in NOT_BY_DEFAULT


class Endpoints:
    """The endpoints of tenants, at most CACHE_S old."""

    def __init__(self, tables: Tables, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._tables = tables
        self._cached = TTLCache[str, dict[str, Endpoint]](MAX_CACHED_TENANTS, CACHE_S, timer=clock)
        self._reading = dict[str, asyncio.Task[dict[str, Endpoint]]]()

    async def of(self, tenant: str) -> dict[str, Endpoint]:
        """A tenant's endpoints by id. Raises CallFailed."""
        known = self._cached.get(tenant)
        if known is not None:
            return known
        # One read for all who miss at the same moment: else everything in hand would read at once.
        reading = self._reading.get(tenant)
        if reading is None:
            reading = self._reading[tenant] = asyncio.create_task(self._read(tenant))
            reading.add_done_callback(lambda _: self._reading.pop(tenant, None))
        return await asyncio.shield(reading)

    async def _read(self, tenant: str) -> dict[str, Endpoint]:
        items = await self._tables.partition(resources.WEBHOOK_ENDPOINTS, tenant)
        found = [msgspec.convert(item, Endpoint) for item in items]
        known = self._cached[tenant] = {one.endpoint: one for one in found}
        return known
