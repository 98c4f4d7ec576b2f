"""Customers' webhook endpoints: read from the `WebhookEndpoints` table, cached for 5 seconds."""

import time
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct

from mailpipe import resources
from mailpipe.aws.table import Tables
from mailpipe.reads import SharedReads

FRESH_S = 5.0
MAX_REMEMBERED_TENANTS = 10_000

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
    """The endpoints of tenants, at most FRESH_S old."""

    def __init__(self, tables: Tables, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._tables = tables
        self._reads = SharedReads[str, dict[str, Endpoint]](
            self._read, most=MAX_REMEMBERED_TENANTS, fresh_s=FRESH_S, clock=clock
        )

    def of(self, tenant: str) -> Awaitable[dict[str, Endpoint]]:
        """A tenant's endpoints by id. Raises CallFailed."""
        return self._reads.get(tenant)

    async def _read(self, tenant: str) -> dict[str, Endpoint]:
        items = await self._tables.partition(resources.WEBHOOK_ENDPOINTS, tenant)
        return {one.endpoint: one for one in (msgspec.convert(item, Endpoint) for item in items)}
