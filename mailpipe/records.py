"""The record of an e-mail in `EmailTracking`: its form, how it is born and read. Pure.

`mailpipe/statements.py` has every write to it.
"""

from functools import lru_cache

import msgspec
from msgspec import Struct, field

from mailpipe import resources
from mailpipe.addresses import MAX_ADDRESS_CHARS, normalised
from mailpipe.messages import EmailMessage, MetadataValue, RecordFields
from mailpipe.metadata import MAX_METADATA_BYTES
from mailpipe.rules import MAX_RECIPIENTS, MAX_SUBJECT_CHARS, MAX_TAGS
from mailpipe.status import OURS, PENDING, SCHEDULED, shown
from mailpipe.times import times_of
from mailpipe.timing import iso

Value = str | int | bool | None | list["Value"] | list[str] | dict[str, "Value"]
Attributes = dict[str, Value]

NO_TOKEN = "-"  # noqa: S105 - the absence of a claim, not a secret
NO_FINGERPRINT = "-"
"""Of a mail without an idempotency key."""
MAX_INDEXED_CHARS = 320
"""Of an address as a key: what is longer is none, and the key of an index takes 2,048 bytes."""
STUB_MARK = "#"
"""Between a mail's id and the number of a recipient; no id has it."""
NO_EVENT = "no_event"
"""The outcome of a mail of which SES has said no more for days."""
STUBS_KEPT_LONGER_DAYS = 30
"""A record lives from its end on, a stub from its birth: this is for the time between."""
DAY_S = 86_400

USUAL: Attributes = {
    "status": PENDING.status,
    "rank": PENDING.rank,
    "attempt": 0,
    "leaseUntil": 0,
    "token": NO_TOKEN,
    "version": 0,
    "ids": {},
    "ranks": {"r0": 0},
    "cc": [],
    "bcc": [],
    "metadata": "{}",
    "tags": "{}",
    "fingerprint": NO_FINGERPRINT,
}
"""What nearly every record is born with: every attribute that later conditions name is there."""

_encoder = msgspec.json.Encoder()


class Record(Struct, rename="camel", kw_only=True):
    """A record as it is read. Times are epoch milliseconds; `metadata` and `tags` are JSON text.

    Records of unkeyed mail have `fingerprint` None when a release wrote them that knew none. The
    mail goes at `send_at` at the earliest, whatever its message says; `moved_from` is the latest of
    the times that it was to go at before; `open` its key in `byState`; `doubts` counts the claims
    after which nobody knew whether SES had the mail; `outcome` says why one was closed of which SES
    says no more; `source` names the event of SES that has last raised it.
    """

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
    send_at: int | None = None
    moved_from: int | None = None
    expires_at: int | None = None
    open: str | None = None
    reason: str | None = None
    fingerprint: str | None = None
    possible_duplicate: bool = False
    doubts: int = 0
    outcome: str | None = None
    source: str | None = None

    def recipients(self) -> list[str]:
        """All recipients in the order of `ranks`: to, cc, bcc."""
        return [*self.to, *self.cc, *self.bcc]

    @property
    def is_open(self) -> bool:
        """Whether it is in the index of open mail: not at its end, or its end not announced."""
        return self.open == resources.open_key(self.email_id)

    @property
    def ended_by_us(self) -> bool:
        """Whether it has an end that no event of SES has caused: SES, too, says `rejected`."""
        return self.status in OURS and self.source is None

    def times(self) -> list[int]:
        """For which its messages may wait."""
        return [at for at in (self.send_at, self.moved_from) if at is not None]

    def over_at(self, ended_ms: int) -> int:
        """From when on its retention counts if it ended then: no message of it is to go at a later
        time, or that would find no record and be sent as a new mail.
        """
        return max([ended_ms, *self.times()])

    def shown(self, now_ms: int) -> str:
        """Its status as it is shown."""
        return shown(
            *(self.status, self.rank),
            lease_until_ms=self.lease_until,
            now_ms=now_ms,
            send_at_ms=self.send_at,
        )

    def metadata_values(self) -> dict[str, MetadataValue]:
        """The customer's metadata, decoded."""
        return msgspec.json.decode(self.metadata, type=dict[str, MetadataValue])


def fields_of(message: EmailMessage) -> RecordFields:
    """What the record keeps of a queue message that keeps the rules: all of it."""
    email, times = message.email, times_of(message)
    return RecordFields(
        stream=message.stream,
        created_at=times.accepted_ms,
        from_=email.from_,
        to=email.to,
        cc=email.cc,
        bcc=email.bcc,
        subject=email.subject,
        metadata=email.metadata,
        tags=email.tags,
        send_at=times.send_at_ms,
        expires_at=times.expires_at_ms,
    )


def fields_of_any(message: EmailMessage) -> RecordFields:
    """The same of a message that may break every rule: it gets a record all the same, so that its
    owner can read why. What is beyond a limit is cut, for an item takes 400 KB.
    """
    email, fields = message.email, fields_of(message)
    fields.from_ = email.from_[:MAX_ADDRESS_CHARS]
    fields.to, fields.cc, fields.bcc = _cut(email.to), _cut(email.cc), _cut(email.bcc)
    fields.subject = email.subject[:MAX_SUBJECT_CHARS]
    if len(_encoder.encode(email.metadata)) > MAX_METADATA_BYTES:
        fields.metadata = {}
    if len(email.tags) > MAX_TAGS:
        fields.tags = {}
    return fields


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
        send_at=record.send_at,
        expires_at=record.expires_at,
    )


def read(attributes: Attributes) -> Record:
    """A record from the attributes of its item."""
    return msgspec.convert(attributes, Record)


def born(
    email_id: str, tenant: str, fields: RecordFields, *, fingerprint: str | None = None
) -> Attributes:
    """What a new record, pending or scheduled and unclaimed, has otherwise than `USUAL` or besides:
    together they are the record, and only `EmailStatements.insert` puts them together.
    """
    day, shard = _day(fields.created_at // (DAY_S * 1000)), resources.shard(email_id)
    attributes: Attributes = {
        "emailId": email_id,
        "tenant": tenant,
        "stream": fields.stream,
        "createdAt": fields.created_at,
        "updatedAt": fields.created_at,
        "from": fields.from_,
        "to": fields.to,
        "subject": fields.subject,
        "dayKey": resources.day_key_of_shard(tenant, day, shard),
        "open": resources.open_key_of_shard(shard),
    }
    recipients = fields.to
    if fields.cc or fields.bcc:
        attributes |= {"cc": fields.cc, "bcc": fields.bcc}
        recipients = [*fields.to, *fields.cc, *fields.bcc]
    if recipients:
        attributes["recipientKey"] = recipient_key(tenant, recipients[0])
    if len(recipients) != 1:
        attributes["ranks"] = {f"r{index}": 0 for index in range(len(recipients))}
    if fields.metadata:
        attributes["metadata"] = _encoder.encode(fields.metadata).decode()
    if fields.tags:
        attributes["tags"] = _encoder.encode(fields.tags).decode()
    if fingerprint:
        attributes["fingerprint"] = fingerprint
    if fields.send_at is not None and fields.send_at > fields.created_at:
        attributes |= {"status": SCHEDULED.status, "rank": SCHEDULED.rank}
    if fields.send_at is not None:
        attributes["sendAt"] = fields.send_at
    if fields.expires_at is not None:
        attributes["expiresAt"] = fields.expires_at
    return attributes


def stubs(
    email_id: str, tenant: str, fields: RecordFields, *, now_ms: int, retention_days: int
) -> list[Attributes]:
    """Items beside the record, one for each further recipient, so that `byRecipient` finds them.

    They are written before the record, and are never read as one.
    """
    if len(fields.to) + len(fields.cc) + len(fields.bcc) < 2:  # most mail
        return []
    from_ms = max(now_ms, fields.created_at, fields.send_at or 0)
    return _stubs(email_id, tenant, fields, ttl=stub_expiry(from_ms, retention_days))


def _stubs(email_id: str, tenant: str, fields: RecordFields, *, ttl: int) -> list[Attributes]:
    first, *others = [*fields.to, *fields.cc, *fields.bcc]
    keys = dict.fromkeys(recipient_key(tenant, one) for one in others)
    keys.pop(recipient_key(tenant, first), None)
    return [
        {
            "emailId": f"{email_id}{STUB_MARK}{number}",
            "recipientKey": key,
            "createdAt": fields.created_at,
            "ttl": ttl,
        }
        for number, key in enumerate(keys, start=1)
    ]


def stub_ids(record: Record) -> list[str]:
    """Its stubs, and some that are none where a recipient stands twice."""
    return [f"{record.email_id}{STUB_MARK}{n}" for n in range(1, len(record.recipients()))]


def stub_expiry(at_ms: int, retention_days: int) -> int:
    """The `ttl` of a stub of mail that may go at `at_ms`."""
    return expiry(at_ms, retention_days + STUBS_KEPT_LONGER_DAYS)


def email_id_of(item_id: str) -> str:
    """The mail's id, of its record's or of a stub's."""
    return item_id.partition(STUB_MARK)[0]


def recipient_key(tenant: str, recipient: str) -> str:
    """Partition of `byRecipient` for an address as it was written."""
    return resources.recipient_key(tenant, normalised(recipient)[:MAX_INDEXED_CHARS])


@lru_cache(maxsize=64)
def _day(number: int) -> str:
    """`2026-11-24` of a number of days since the epoch: most mail is of today."""
    return iso(number * DAY_S * 1000)[:10]


def expiry(at_ms: int, retention_days: int) -> int:
    """The `ttl` (epoch seconds) of what became terminal at `at_ms`."""
    return at_ms // 1000 + retention_days * DAY_S
