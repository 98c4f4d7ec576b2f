"""The suppression list: its items, whom they stop, and every write to them. Pure.

An item's key is the tenant (or `*` for all) and the HMAC of the normalised address.
"""

from mailpipe import resources
from mailpipe.addresses import parse, suppression_hash
from mailpipe.partiql import Statement, delete_from, insert_into, update_in
from mailpipe.records import Attributes, Value

ALL_TENANTS = "*"
ALL_STREAMS = "all"
BULK_ONLY = "bulk"
MANUAL = "manual"

HASHES = ("0", "g")
"""Between them are all sort keys that are the hash of an address."""


def item_for(
    hash_key: bytes,
    tenant: str,
    text: str,
    *,
    reason: str,
    scope: str = ALL_STREAMS,
    added_at_ms: int,
    bounce_type: str = "",
    bounce_sub_type: str = "",
    source_event: str = "",
) -> Attributes:
    """The item of an address. Raises BadAddress."""
    return {
        "tenant": tenant,
        "addressHash": suppression_hash(hash_key, text),
        "address": parse(text).spec,
        "reason": reason,
        "scope": scope,
        "bounceType": bounce_type,
        "bounceSubType": bounce_sub_type,
        "sourceEvent": source_event,
        "addedAt": added_at_ms,
        "lastAttemptAt": added_at_ms,
        "attemptCount": 1,
    }


def key_of(hash_key: bytes, tenant: str, text: str) -> Attributes:
    """The key under which an address is, or would be, on a tenant's list."""
    return {"tenant": tenant, "addressHash": suppression_hash(hash_key, text)}


def lives(item: Attributes, *, now_s: int) -> bool:
    """Whether the item still counts. TTL deletes late (DynamoDB Developer Guide, "Using time to
    live"): compare, never trust.
    """
    ttl = item.get("ttl")
    return not (isinstance(ttl, int) and ttl <= now_s)


def stops(item: Attributes, *, stream: str, now_s: int) -> bool:
    """Whether the item keeps mail of this stream from its address."""
    return lives(item, now_s=now_s) and item.get("scope") in (None, ALL_STREAMS, stream)


def covers(item: Attributes, scope: str) -> bool:
    """Whether an item already stops, without end, all that an entry of this scope would stop."""
    return "ttl" not in item and item.get("scope") in (None, ALL_STREAMS, scope)


def joined_scope(item: Attributes, scope: str) -> str:
    """The scope that stops what the item stops, and this as well: never narrowed."""
    return scope if item.get("scope") == scope else ALL_STREAMS


class SuppressionStatements:
    """The writes to `SuppressionList`."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def add(self, item: Attributes) -> Statement:
        """Refused when the address is on the list already."""
        return insert_into(self._prefix, resources.SUPPRESSION_LIST, item)

    def widen(self, item: Attributes) -> Statement:
        """The reason for `item` stops all streams: so must an entry that stopped bulk mail only."""
        names = ("reason", "scope", "bounceType", "bounceSubType", "sourceEvent")
        changes: Attributes = {name: item[name] for name in names} | {"ttl": None}
        key: Attributes = {name: item[name] for name in ("tenant", "addressHash")}
        return update_in(
            self._prefix, resources.SUPPRESSION_LIST, changes, key, ("scope", "=", BULK_ONLY)
        )

    def make_manual(self, key: Attributes, *, scope: str, seen: Value, at_ms: int) -> Statement:
        """Somebody wants what is there with the scope `seen` to stay, and to stop this much."""
        changes: Attributes = {"reason": MANUAL, "scope": scope, "addedAt": at_ms, "ttl": None}
        return update_in(
            self._prefix, resources.SUPPRESSION_LIST, changes, key, ("scope", "=", seen)
        )

    def remove(self, key: Attributes) -> Statement:
        """Off the list."""
        return delete_from(self._prefix, resources.SUPPRESSION_LIST, key)
