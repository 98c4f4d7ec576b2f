"""Names, keys and attributes of every queue, topic, table and index: written once, here.

Physical names are prefix + name. The template of the infrastructure imports this file, so what is
created, here and on AWS, is what the code uses.
"""

from typing import NamedTuple
from zlib import crc32

CONFIGURATION_SET = "enterprise-email"
SHARDS = 8
"""Shards of an index partition: one partition takes 1,000 writes a second (DynamoDB Developer
Guide, "Best practices for designing and using partition keys effectively")."""

MAIL_TRANSACTIONAL = "mail-transactional"
MAIL_BULK = "mail-bulk"
SES_EVENTS = "ses-events"
SES_ENGAGEMENT = "ses-engagement"
WEBHOOKS = "webhooks"
WEBHOOKS_SLOW = "webhooks-slow"

LANES = {"transactional": MAIL_TRANSACTIONAL, "bulk": MAIL_BULK}


class Queue(NamedTuple):
    """A standard queue; each has a `-dead` beside it that keeps messages for 14 days."""

    visibility_s: int
    retention_s: int
    max_receive_count: int


QUEUES = {
    MAIL_TRANSACTIONAL: Queue(60, 4 * 86_400, 100),
    MAIL_BULK: Queue(60, 4 * 86_400, 100),
    SES_EVENTS: Queue(60, 4 * 86_400, 20),
    SES_ENGAGEMENT: Queue(60, 4 * 86_400, 20),
    WEBHOOKS: Queue(60, 4 * 86_400, 20),
    WEBHOOKS_SLOW: Queue(60, 4 * 86_400, 20),
}
DEAD_RETENTION_S = 14 * 86_400


class Topic(NamedTuple):
    """An SNS topic: SES's event types that go to it, and the queue that it feeds."""

    event_types: tuple[str, ...]
    queue: str


TOPICS = {
    "ses-send-topic": Topic(("SEND",), SES_EVENTS),
    "ses-delivery-topic": Topic(("DELIVERY",), SES_EVENTS),
    "ses-bounce-topic": Topic(("BOUNCE",), SES_EVENTS),
    "ses-complaint-topic": Topic(("COMPLAINT",), SES_EVENTS),
    "ses-reject-topic": Topic(("REJECT", "RENDERING_FAILURE"), SES_EVENTS),
    "ses-delay-topic": Topic(("DELIVERY_DELAY",), SES_EVENTS),
    "ses-engagement-topic": Topic(("OPEN", "CLICK", "SUBSCRIPTION"), SES_ENGAGEMENT),
}


class Index(NamedTuple):
    """A keys-only global secondary index; attribute types are `S` or `N`."""

    partition: str
    sort: str
    sort_type: str


class Table(NamedTuple):
    """An on-demand table with string keys. `ttl`: its items expire by the attribute `ttl`;
    `recoverable`: losing it would lose what nobody can make again (point-in-time recovery).
    """

    partition: str
    sort: str | None = None
    ttl: bool = True
    recoverable: bool = True
    indexes: dict[str, Index] = {}

    @property
    def key(self) -> tuple[str, ...]:
        """The names of the attributes that make its key."""
        return (self.partition,) if self.sort is None else (self.partition, self.sort)


EMAIL_TRACKING = "EmailTracking"
EMAIL_EVENTS = "EmailEvents"
SUPPRESSION_LIST = "SuppressionList"
WEBHOOK_ENDPOINTS = "WebhookEndpoints"
DELIVERIES = "Deliveries"
DUE_ITEMS = "DueItems"
ACCESS = "Access"
COORDINATION = "Coordination"
LEDGER = "Ledger"

TABLES = {
    EMAIL_TRACKING: Table(
        "emailId",
        indexes={
            "byRecipient": Index("recipientKey", "createdAt", "N"),
            "byDay": Index("dayKey", "createdAt", "N"),
            "byState": Index("open", "createdAt", "N"),
        },
    ),
    EMAIL_EVENTS: Table(
        "emailId", "eventKey", indexes={"byTenantDay": Index("dayKey", "eventKey", "S")}
    ),
    SUPPRESSION_LIST: Table("tenant", "addressHash"),
    WEBHOOK_ENDPOINTS: Table("tenant", "endpoint", ttl=False),
    DELIVERIES: Table("endpointDay", "attemptKey", recoverable=False),
    DUE_ITEMS: Table("waitsFor", "dueKey"),
    ACCESS: Table("kind", "id", ttl=False),
    COORDINATION: Table("kind", "id", recoverable=False),
    LEDGER: Table("kind", "id"),
}

KEYS = {name: table.key for name, table in TABLES.items()}

BODIES = "bodies"
"""The bucket of what is too large for a queue message; its name also holds account and region,
because bucket names are unique in the world."""
BODIES_PREFIX = "bodies/"
PARKED_PREFIX = f"{BODIES_PREFIX}.parked/"
"""Bodies of parked messages; no tenant is called so, and no claim check may point here."""
BODIES_KEPT_DAYS = 30
"""A body must outlive the longest wait of its mail: a dead-letter queue keeps messages 14 days."""
SCHEDULED_PREFIX = "scheduled/"
"""Bodies of mail that has a `sendAt`, up to a year away; the rule for `bodies/` must not hold for
them, and of two rules S3 follows the one that deletes first."""
SCHEDULED_PARKED_PREFIX = f"{SCHEDULED_PREFIX}.parked/"
SCHEDULED_KEPT_DAYS = 400
"""A year, and what mail may wait from then on."""
BODY_PREFIXES = {BODIES_PREFIX: BODIES_KEPT_DAYS, SCHEDULED_PREFIX: SCHEDULED_KEPT_DAYS}
"""Where bodies lie, and for how many days S3 keeps them."""
WAITS_AT_MOST_DAYS = BODIES_KEPT_DAYS - 3
"""Mail that was due so long ago waits no more: it ends, while there is still something to end."""

ADDRESS_HASH_KEY = "address-hash-key"
"""The secret that keys the suppression list."""


MAX_ID_CHARS = 64
"""The longest e-mail or tenant id."""


def physical(prefix: str, name: str) -> str:
    """The name of the resource in the account."""
    return prefix + name


def dead(queue: str) -> str:
    """The name of the dead-letter queue of `queue`."""
    return f"{queue}-dead"


def shard(email_id: str) -> int:
    """Which shard of an index partition this e-mail is in; the same for its whole life."""
    return crc32(email_id.encode()) % SHARDS


def recipient_key(tenant: str, normalised_address: str) -> str:
    """Partition of `byRecipient`."""
    return f"{tenant}#{normalised_address}"


def day_key(tenant: str, day: str, email_id: str) -> str:
    """Partition of `byDay` and `byTenantDay`; `day` is `2026-11-24`."""
    return day_key_of_shard(tenant, day, shard(email_id))


def day_key_of_shard(tenant: str, day: str, number: int) -> str:
    """The same by the shard's number."""
    return f"{tenant}#{day}#{number}"


def open_key(email_id: str) -> str:
    """Partition of `byState` for an e-mail that is not finished."""
    return open_key_of_shard(shard(email_id))


def open_key_of_shard(number: int) -> str:
    """The same by the shard's number."""
    return f"open#{number}"


def waits_for_scope(scope: str, number: int) -> str:
    """Partition of `DueItems` for what waits until a scope is released."""
    return f"P#{scope}#{number}"


def waits_for_time(minute: int, number: int) -> str:
    """Partition of `DueItems` for what waits for a time in this minute since 1970."""
    return f"T#{minute}#{number}"


def ended_badly_key(status: str, day: str, email_id: str) -> str:
    """Partition of `byState` for an e-mail that ended in a way somebody may have to look at."""
    return f"{status}#{day}#{shard(email_id)}"
