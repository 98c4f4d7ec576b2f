"""Tenants: what each may do, read from the `Access` table and at most 5 seconds old."""

import time
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct, field

from mailpipe import resources
from mailpipe.aws.items import to_struct
from mailpipe.aws.table import Tables
from mailpipe.reads import SharedReads
from mailpipe.records import Attributes, expiry

KIND = "tenant"
DEFAULT = "default"
"""This tenant exists from the start, with or without an item."""

FRESH_S = 5.0
"""How long an old answer may still count."""
MAX_REMEMBERED = 10_000


class Tenant(Struct, rename="camel", kw_only=True, frozen=True):
    """Who mail belongs to.

    `domains`: From domains that it may use, empty = any. `max_per_second`: mails a second for all
    of its keys together, in each ingest process, 0 = no limit of its own. `retention_days`: how
    long its records are kept after their end (`retained_days`), 0 = as the processes are set.
    `principals`: unique ids of the IAM users and roles that may enqueue for it without the REST
    door.
    """

    tenant: str = field(name="id")
    enabled: bool = True
    domains: list[str] = []
    max_per_second: int = 0
    retention_days: int = 0
    principals: list[str] = []
    created_at: int = 0

    def retained_days(self, usual: int) -> int:
        """Days that its records are kept; `usual` is the setting of the process. Never fewer than
        a message of the mail may wait somewhere: it would find no record and be a new mail.
        """
        return max(self.retention_days or usual, resources.BODIES_KEPT_DAYS)


def item_of(tenant: Tenant) -> Attributes:
    """Its item in the `Access` table."""
    item: Attributes = msgspec.to_builtins(tenant)
    return {"kind": KIND, **item}


def tenant_of(item: Attributes) -> Tenant:
    """A tenant from its item. Raises CallFailed."""
    return to_struct(item, Tenant)


class Tenants:
    """Looks tenants up; an answer that is known costs no call."""

    def __init__(self, tables: Tables, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._tables = tables
        self._reads = SharedReads[str, Tenant | None](
            self._read, most=MAX_REMEMBERED, fresh_s=FRESH_S, clock=clock
        )

    def of(self, tenant: str) -> Awaitable[Tenant | None]:
        """A tenant by its id, or None. Raises CallFailed."""
        return self._reads.get(tenant)

    async def _read(self, tenant: str) -> Tenant | None:
        return await read(self._tables, tenant)


class Retention:
    """How long records are kept after their end: as their tenant wants it, else `usual_days`."""

    def __init__(self, tenants: Tenants, *, usual_days: int) -> None:
        self._tenants = tenants
        self._usual_days = usual_days

    async def days(self, tenant: str) -> int:
        """For records of this tenant. Raises CallFailed."""
        found = await self._tenants.of(tenant) or Tenant(tenant=tenant)
        return found.retained_days(self._usual_days)

    async def expiry(self, tenant: str, at_ms: int) -> int:
        """The `ttl` (epoch seconds) of what ended at `at_ms`. Raises CallFailed."""
        return expiry(at_ms, await self.days(tenant))


async def read(tables: Tables, tenant: str) -> Tenant | None:
    """A tenant as it stands now. Raises CallFailed."""
    item = await tables.get(resources.ACCESS, {"kind": KIND, "id": tenant})
    if item is None:
        return Tenant(tenant=tenant) if tenant == DEFAULT else None
    return tenant_of(item)
