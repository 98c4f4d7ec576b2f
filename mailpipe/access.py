"""API keys and what they allow: read from the `Access` table, cached for at most 5 seconds.

A key is stored as its SHA-256 only; it has enough entropy of its own that nothing slower is needed.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import TTLCache

from mailpipe import resources
from mailpipe.aws.table import Tables

CACHE_S = 5.0
"""How long a revoked key may still work."""

MAX_CACHED = 10_000
MAX_KEY_CHARS = 256


@dataclass(frozen=True, slots=True)
class Grant:
    """What a valid key stands for."""

    tenant: str
    scopes: frozenset[str]


def key_id(key: str) -> str:
    """The id under which a key is stored."""
    return hashlib.sha256(key.encode()).hexdigest()


class Access:
    """Looks keys up. `local` accepts the key of the local cloud, which no real account may."""

    def __init__(
        self, tables: Tables, *, local: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tables = tables
        self._local = local
        # Wrong keys are remembered too, and bounded: a flood of them must not grow the process.
        self._cached = TTLCache[str, Grant | None](MAX_CACHED, CACHE_S, timer=clock)

    async def grant(self, key: str) -> Grant | None:
        """What this key allows, or None. Raises CallFailed when the table does not answer."""
        if not key or len(key) > MAX_KEY_CHARS:
            return None
        identity = key_id(key)
        if identity in self._cached:
            return self._cached[identity]
        item = await self._tables.get(resources.ACCESS, {"kind": "key", "id": identity})
        grant = None
        if item is not None and item.get("enabled") and (self._local or not item.get("local")):
            scopes = item["scopes"]
            assert isinstance(scopes, list)  # noqa: S101 - as it is written
            grant = Grant(str(item["tenant"]), frozenset(map(str, scopes)))
        self._cached[identity] = grant
        return grant
