"""Every write to a record, each one PartiQL statement with its own condition. Pure.

An UPDATE never creates an item and has no `if_not_exists` (Amazon DynamoDB Developer Guide,
"PartiQL update statements"). So an item is *born* with every attribute that a condition names, and
no write is unconditional: an unconditional put would turn `sent` back into `pending`.
"""

from functools import lru_cache
from typing import NamedTuple

from mailpipe import resources
from mailpipe.records import NO_FINGERPRINT, NO_TOKEN, Attributes, Value
from mailpipe.status import ENDED_BADLY, FIRST_ENDED_RANK, SENT, Standing
from mailpipe.timing import iso


class Statement(NamedTuple):
    """A PartiQL statement with its parameters as plain values; `key` names the item it is for."""

    text: str
    parameters: tuple[Value, ...]
    key: tuple[Value, ...]


_REMOVE = None
"""In a set of changes: take the attribute away (no attribute of a record is ever null)."""


class EmailStatements:
    """The writes to `EmailTracking`, in the order of an e-mail's life."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._table = resources.physical(prefix, resources.EMAIL_TRACKING)

    def insert(self, attributes: Attributes) -> Statement:
        """`born`, or born with a claim or an end in it; refused when the record exists."""
        return insert_into(self._prefix, resources.EMAIL_TRACKING, attributes)

    def claim(
        self,
        email_id: str,
        tenant: str,
        *,
        attempts: int,
        version: int,
        fingerprint: str | None,
        marked: bool = True,
        token: str,
        lease_until_ms: int,
    ) -> Statement:
        """Make attempt number `attempts` + 1 ours, if nobody holds the record and it is open.

        The fingerprint too: another e-mail under the same idempotency key must not be sent in
        place of the one that the record promises. `marked` is False for a record that was read
        and has none; it never gets one later, so that the rest suffices.
        """
        promised = (("fingerprint", "=", fingerprint or NO_FINGERPRINT),) if marked else ()
        return self._update(
            {"attempt": attempts + 1, "token": token, "leaseUntil": lease_until_ms},
            ("emailId", "=", email_id),
            ("tenant", "=", tenant),
            ("attempt", "=", attempts),
            ("leaseUntil", "=", 0),
            ("rank", "<", FIRST_ENDED_RANK),
            ("version", "=", version),
            *promised,
        )

    def release(self, email_id: str, token: str) -> Statement:
        """Give our own claim back: nothing was sent."""
        return self._update(
            {"leaseUntil": 0, "token": NO_TOKEN},
            ("emailId", "=", email_id),
            ("token", "=", token),
            ("rank", "<", FIRST_ENDED_RANK),
        )

    def take_over(
        self,
        email_id: str,
        *,
        dead_token: str,
        attempts: int,
        token: str,
        lease_until_ms: int,
        now_ms: int,
    ) -> Statement:
        """Claim again after a claim whose lease ran out: what is sent now may be a second copy."""
        return self._update(
            {
                "attempt": attempts + 1,
                "token": token,
                "leaseUntil": lease_until_ms,
                "possibleDuplicate": True,
            },
            ("emailId", "=", email_id),
            ("token", "=", dead_token),
            ("attempt", "=", attempts),
            ("leaseUntil", "<", now_ms),
            ("rank", "<", FIRST_ENDED_RANK),
        )

    def sent(self, email_id: str, attempt: int, message_id: str, *, at_ms: int) -> Statement:
        """SES accepted. No token in the condition: SES's yes is a fact, whoever owns the claim."""
        return self._update(
            {
                "status": SENT.status,
                "rank": SENT.rank,
                "leaseUntil": 0,
                f"ids.a{attempt}": message_id,
                "sentAt": at_ms,
                "updatedAt": at_ms,
            },
            ("emailId", "=", email_id),
            ("rank", "<", SENT.rank),
        )

    def end(
        self, email_id: str, standing: Standing, *, token: str, reason: str, at_ms: int, ttl: int
    ) -> Statement:
        """End an e-mail that we hold, without SES."""
        return self._update(
            {
                "status": standing.status,
                "rank": standing.rank,
                "leaseUntil": 0,
                "reason": reason,
                "updatedAt": at_ms,
                **_closing(standing, email_id, at_ms=at_ms, ttl=ttl),
            },
            ("emailId", "=", email_id),
            ("token", "=", token),
            ("rank", "<", standing.rank),
        )

    def raise_recipient(self, email_id: str, index: int, rank: int) -> Statement:
        """One of several recipients has come further. Always before the raise of the mail."""
        path = f"ranks.r{index}"
        return self._update({path: rank}, ("emailId", "=", email_id), (path, "<", rank))

    def raise_to(
        self,
        email_id: str,
        standing: Standing,
        *,
        source: str,
        at_ms: int,
        proves: tuple[int, str] | None,
        sent_at_ms: int | None,
        ttl: int | None,
    ) -> Statement:
        """An event, whose hash is `source`, shows that the mail stands at least here.

        `proves` is the attempt that the event's tag names and its SES message id; `sent_at_ms` is
        given when the sender has not recorded it; `ttl` (epoch seconds) when nothing more is
        expected for any recipient.
        """
        changes: Attributes = {
            "status": standing.status,
            "rank": standing.rank,
            "source": source,
            "updatedAt": at_ms,
        }
        if proves is not None:
            changes[f"ids.a{proves[0]}"] = proves[1]
        if sent_at_ms is not None:
            changes["sentAt"] = sent_at_ms
        if ttl is not None:
            changes |= _closing(standing, email_id, at_ms=at_ms, ttl=ttl)
        return self._update(changes, ("emailId", "=", email_id), ("rank", "<", standing.rank))

    def close(self, email_id: str, standing: Standing, *, at_ms: int, ttl: int) -> Statement:
        """The last of several recipients has come to its end without raising the mail's rank."""
        return self._update(
            _closing(standing, email_id, at_ms=at_ms, ttl=ttl),
            ("emailId", "=", email_id),
            ("rank", "=", standing.rank),
        )

    def _update(self, changes: Attributes, *where: tuple[str, str, Value]) -> Statement:
        return _update(self._table, (self._table, where[0][2]), changes, where)


def _update(
    table: str,
    key: tuple[Value, ...],
    changes: Attributes,
    where: tuple[tuple[str, str, Value], ...],
) -> Statement:
    text = _update_text(
        table,
        tuple([(name, value is _REMOVE) for name, value in changes.items()]),
        tuple([one[:2] for one in where]),
    )
    values = [value for value in changes.values() if value is not _REMOVE]
    return Statement(text, (*values, *[value for _, _, value in where]), key)


# The texts are few and the same for every mail: to put one together takes longer than all the rest
# of a statement.
@lru_cache(maxsize=1024)
def _update_text(
    table: str, changes: tuple[tuple[str, bool], ...], where: tuple[tuple[str, str], ...]
) -> str:
    sets = "".join(
        f" REMOVE {_path(name)}" if removed else f" SET {_path(name)}=?"
        for name, removed in changes
    )
    condition = " AND ".join(f"{_path(name)}{compare}?" for name, compare in where)
    return f'UPDATE "{table}"{sets} WHERE {condition}'


@lru_cache(maxsize=64)
def _delete_text(table: str, where: tuple[tuple[str, str], ...]) -> str:
    condition = " AND ".join(f"{_path(name)}{compare}?" for name, compare in where)
    return f'DELETE FROM "{table}" WHERE {condition}'  # noqa: S608 - names of ours only


@lru_cache(maxsize=1024)
def _insert_text(table: str, names: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table}" VALUE {{{listed}}}'


def _path(name: str) -> str:
    return ".".join(f'"{part}"' for part in name.split("."))


def _closing(standing: Standing, email_id: str, *, at_ms: int, ttl: int) -> Attributes:
    """Out of the index of open mail; into the one of bad ends where somebody may have to look."""
    day = iso(at_ms)[:10]
    badly = standing.status in ENDED_BADLY
    key = resources.ended_badly_key(standing.status, day, email_id) if badly else _REMOVE
    return {"ttl": ttl, "open": key}


def insert_into(prefix: str, name: str, attributes: Attributes) -> Statement:
    """An INSERT into this table; DynamoDB answers DuplicateItem when the key exists."""
    table, form = resources.physical(prefix, name), resources.TABLES[name]
    key = (table, *(attributes[part] for part in form.key))
    return Statement(_insert_text(table, tuple(attributes)), tuple(attributes.values()), key)


def update_in(
    prefix: str, name: str, changes: Attributes, key: Attributes, *where: tuple[str, str, Value]
) -> Statement:
    """An UPDATE of the item with this whole key, under further conditions."""
    table = resources.physical(prefix, name)
    conditions = (*[(part, "=", value) for part, value in key.items()], *where)
    return _update(table, (table, *key.values()), changes, conditions)


def delete_from(
    prefix: str, name: str, key: Attributes, *where: tuple[str, str, Value]
) -> Statement:
    """A DELETE of the item with this whole key, under further conditions; without them and without
    such an item it changes nothing.
    """
    table = resources.physical(prefix, name)
    conditions = (*[(part, "=") for part in key], *[one[:2] for one in where])
    values = (*key.values(), *[value for _, _, value in where])
    return Statement(_delete_text(table, conditions), values, (table, *key.values()))
