"""What an API key allows: read from the `Access` table, at most 5 seconds old."""

import time
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from mailpipe import keys, resources, tenants
from mailpipe.aws.table import Tables
from mailpipe.keys import Key
from mailpipe.rates import spend
from mailpipe.reads import SharedReads
from mailpipe.tenants import Tenant, Tenants
from mailpipe.timing import now_ms

FRESH_S = tenants.FRESH_S
"""How long a revoked key may still work."""

MAX_REMEMBERED = 10_000
PER_SECOND = 1000.0
"""Mails a second of one key in one process, where its tenant has no lower limit."""


class Grant(Struct, frozen=True):
    """What a valid key stands for. The tenant may be disabled: `settings.enabled` says so."""

    tenant: str
    scopes: frozenset[str]
    key_id: str
    settings: Tenant


class Access:
    """Looks keys up and counts what they use.

    `local` accepts the key of the local cloud, which no real account may. `clock` gives seconds,
    `wall_ms` epoch milliseconds.
    """

    def __init__(
        self,
        tables: Tables,
        *,
        local: bool,
        per_second: float = PER_SECOND,
        clock: Callable[[], float] = time.monotonic,
        wall_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._tables = tables
        self._local = local
        self._per_second = per_second
        self._clock = clock
        self._wall_ms = wall_ms
        self._tenants = Tenants(tables, clock=clock)
        self._keys = SharedReads[str, Key | None](
            self._read, most=MAX_REMEMBERED, fresh_s=FRESH_S, clock=clock
        )
        self._free_at_s = OrderedDict[str, float]()
        """Of keys and tenants; who has sent last stands last."""

    async def grant(self, key: str) -> Grant | None:
        """What this key allows, or None. Raises CallFailed when the table does not answer.

        The key of a tenant that is disabled, or that does not exist, gets a grant that says so.
        """
        if not key or len(key) > keys.MAX_KEY_CHARS or not key.isascii():
            return None
        found = await self._keys.get(keys.hash_of(key))
        if found is None or not found.holds(self._wall_ms()):
            return None
        tenant = await self._tenants.of(found.tenant)
        settings = tenant or Tenant(tenant=found.tenant, enabled=False)
        return Grant(found.tenant, frozenset(found.scopes), found.name, settings)

    async def _read(self, key_hash: str) -> Key | None:
        item = await self._tables.get(resources.ACCESS, {"kind": keys.KIND, "id": key_hash})
        found = None if item is None else keys.key_of(item)
        if found is None or not keys.is_hash(found, key_hash) or (found.local and not self._local):
            return None
        return found

    def allow(self, grant: Grant, count: int = 1) -> float:
        """Count so many mails or requests against the rate of the key, or of its tenant where that
        is lower; fewer than 0 are given back. Seconds to wait: 0 = go on; else nothing was counted.
        """
        own, per_second = grant.settings.max_per_second, self._per_second
        # A limit of the tenant is for all of its keys together.
        who = grant.key_id
        if 0 < own < per_second:
            who, per_second = f"tenant {grant.tenant}", own
        spent = spend(
            self._free_at_s.get(who, 0.0), now_s=self._clock(), count=count, per_second=per_second
        )
        self._free_at_s[who] = spent.free_at_s
        self._free_at_s.move_to_end(who)
        if len(self._free_at_s) > MAX_REMEMBERED:
            self._free_at_s.popitem(last=False)
        return spent.retry_after_s
