"""The record of an e-mail in `EmailTracking`: its form, and every write to it. Pure.

Each write is one PartiQL statement with its own condition (Amazon DynamoDB Developer Guide,
"PartiQL update statements": an UPDATE never creates an item and has no `if_not_exists`). So an item
is *born* with every attribute that a condition names, and no write is unconditional: an
unconditional put would turn `sent` back into `pending`.
"""

from typing import NamedTuple

import msgspec
from msgspec import Struct, field

from mailpipe import resources
from mailpipe.addresses import MAX_ADDRESS_CHARS, bare
from mailpipe.messages import EmailMessage, MetadataValue, RecordFields
from mailpipe.rules import MAX_METADATA_BYTES, MAX_RECIPIENTS, MAX_SUBJECT_CHARS, MAX_TAGS
from mailpipe.status import ENDED_BADLY, FIRST_ENDED_RANK, PENDING, SENT, Standing
from mailpipe.timing import iso, parse_iso

Value = str | int | bool | None | list["Value"] | dict[str, "Value"]
Attributes = dict[str, Value]

NO_TOKEN = "-"  # noqa: S105 - the absence of a claim, not a secret
DAY_S = 86_400


class Statement(NamedTuple):
    """A PartiQL statement with its parameters as plain values."""

    text: str
    parameters: tuple[Value, ...]


class Record(Struct, rename="camel", kw_only=True):
    """A record as it is read. Times are epoch milliseconds; `metadata` and `tags` are JSON text."""

    email_id: str
    tenant: str
    stream: str
    status: str
    rank: int
    attempt: int
    lease_until: int
    token: str
    version: int
    created_at: int
    updated_at: int
    from_: str = field(name="from")
    to: list[str]
    cc: list[str] = []
    bcc: list[str] = []
    subject: str = ""
    metadata: str = "{}"
    tags: str = "{}"
    ids: dict[str, str] = {}
    ranks: dict[str, int] = {}
    sent_at: int | None = None
    reason: str | None = None
    fingerprint: str | None = None
    possible_duplicate: bool = False

    def recipients(self) -> list[str]:
        """All recipients in the order of `ranks`: to, cc, bcc."""
        return [*self.to, *self.cc, *self.bcc]

    def metadata_values(self) -> dict[str, MetadataValue]:
        """The customer's metadata, decoded."""
        return msgspec.json.decode(self.metadata, type=dict[str, MetadataValue])


def fields_of(message: EmailMessage) -> RecordFields:
    """What the record keeps of a queue message.

    Mail on the queue may break every rule and gets a record all the same, so that its owner can
    read why: what is beyond a limit is cut, for an item takes 400 KB. Mail that keeps the rules is
    kept whole.
    """
    email = message.email
    small = len(msgspec.json.encode(email.metadata)) <= MAX_METADATA_BYTES
    return RecordFields(
        stream=message.stream,
        created_at=parse_iso(message.queued_at),
        from_=email.from_[:MAX_ADDRESS_CHARS],
        to=_cut(email.to),
        cc=_cut(email.cc),
        bcc=_cut(email.bcc),
        subject=email.subject[:MAX_SUBJECT_CHARS],
        metadata=email.metadata if small else {},
        tags=email.tags if len(email.tags) <= MAX_TAGS else {},
    )


def _cut(addresses: list[str]) -> list[str]:
    return [text[:MAX_ADDRESS_CHARS] for text in addresses[:MAX_RECIPIENTS]]


def fields_of_record(record: Record) -> RecordFields:
    """The same of a record that was read."""
    return RecordFields(
        stream=record.stream,
        created_at=record.created_at,
        from_=record.from_,
        to=record.to,
        cc=record.cc,
        bcc=record.bcc,
        subject=record.subject,
        metadata=record.metadata_values(),
        tags=msgspec.json.decode(record.tags, type=dict[str, str]),
    )


def read(attributes: Attributes) -> Record:
    """A record from the attributes of its item."""
    return msgspec.convert(attributes, Record)


def born(
    email_id: str, tenant: str, fields: RecordFields, *, fingerprint: str | None = None
) -> Attributes:
    """A new record: pending, unclaimed, with every attribute that later conditions name."""
    recipients = [*fields.to, *fields.cc, *fields.bcc]
    day = iso(fields.created_at)[:10]
    attributes: Attributes = {
        "emailId": email_id,
        "tenant": tenant,
        "stream": fields.stream,
        "status": PENDING.status,
        "rank": PENDING.rank,
        "attempt": 0,
        "leaseUntil": 0,
        "token": NO_TOKEN,
        "version": 0,
        "ids": {},
        "ranks": {f"r{index}": 0 for index in range(len(recipients))},
        "createdAt": fields.created_at,
        "updatedAt": fields.created_at,
        "from": fields.from_,
        "to": list(fields.to),
        "cc": list(fields.cc),
        "bcc": list(fields.bcc),
        "subject": fields.subject,
        "metadata": msgspec.json.encode(fields.metadata).decode(),
        "tags": msgspec.json.encode(fields.tags).decode(),
        "dayKey": resources.day_key(tenant, day, email_id),
        "open": resources.open_key(email_id),
    }
    if recipients:
        first = bare(recipients[0]).casefold()
        attributes["recipientKey"] = resources.recipient_key(tenant, first)
    if fingerprint is not None:
        attributes["fingerprint"] = fingerprint
    return attributes


def expiry(at_ms: int, retention_days: int) -> int:
    """The `ttl` (epoch seconds) of what became terminal at `at_ms`."""
    return at_ms // 1000 + retention_days * DAY_S


_REMOVE = None
"""In a set of changes: take the attribute away (no attribute of a record is ever null)."""


class EmailStatements:
    """The writes to `EmailTracking`, in the order of an e-mail's life."""

    def __init__(self, prefix: str) -> None:
        self._table = resources.physical(prefix, resources.EMAIL_TRACKING)

    def insert(self, attributes: Attributes) -> Statement:
        """`born`, or born with a claim or an end in it; refused when the record exists."""
        return insert_into(self._table, attributes)

    def claim(
        self,
        email_id: str,
        tenant: str,
        *,
        attempts: int,
        version: int,
        token: str,
        lease_until_ms: int,
    ) -> Statement:
        """Make attempt number `attempts` + 1 ours, if nobody holds the record and it is open."""
        return self._update(
            {"attempt": attempts + 1, "token": token, "leaseUntil": lease_until_ms},
            ("emailId", "=", email_id),
            ("tenant", "=", tenant),
            ("attempt", "=", attempts),
            ("leaseUntil", "=", 0),
            ("rank", "<", FIRST_ENDED_RANK),
            ("version", "=", version),
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
        sets = "".join(
            f" REMOVE {_path(name)}" if value is _REMOVE else f" SET {_path(name)}=?"
            for name, value in changes.items()
        )
        condition = " AND ".join(f"{_path(name)}{compare}?" for name, compare, _ in where)
        values = [value for value in changes.values() if value is not _REMOVE]
        return Statement(
            f'UPDATE "{self._table}"{sets} WHERE {condition}',
            (*values, *(value for _, _, value in where)),
        )


def _path(name: str) -> str:
    return ".".join(f'"{part}"' for part in name.split("."))


def _closing(standing: Standing, email_id: str, *, at_ms: int, ttl: int) -> Attributes:
    """Out of the index of open mail; into the one of bad ends where somebody may have to look."""
    day = iso(at_ms)[:10]
    badly = standing.status in ENDED_BADLY
    key = resources.ended_badly_key(standing.status, day, email_id) if badly else _REMOVE
    return {"ttl": ttl, "open": key}


def insert_into(table: str, attributes: Attributes) -> Statement:
    """An INSERT of these attributes; DynamoDB answers DuplicateItem when the key exists."""
    names = ", ".join(f"'{name}': ?" for name in attributes)
    return Statement(f'INSERT INTO "{table}" VALUE {{{names}}}', tuple(attributes.values()))
