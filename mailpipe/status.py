"""The statuses of an e-mail and their ranks. Pure; ingest, sender and processor share it.

A stored rank only ever rises (but for the release of one's own claim), so duplicated, late and
reordered events all end in the same state. A soft bounce ranks below `delivered`, because
out-of-office replies arrive as Transient bounces; a hard one above, because late asynchronous
bounces are real (Amazon SES Developer Guide, "Contents of event data that Amazon SES publishes to
Amazon SNS").
"""

from msgspec import Struct


class Standing(Struct, frozen=True):
    """A status with its rank; `terminal` means that nothing more is expected."""

    status: str
    rank: int
    terminal: bool


PENDING = Standing("pending", 0, False)
SCHEDULED = Standing("scheduled", 1, False)
UNKNOWN = Standing("unknown", 12, True)
FAILED = Standing("failed", 14, True)
SENT = Standing("sent", 20, False)
DELAYED = Standing("delayed", 25, False)
SOFT_BOUNCED = Standing("bounced", 30, True)
DELIVERED = Standing("delivered", 40, True)
HARD_BOUNCED = Standing("bounced", 50, True)
REJECTED = Standing("rejected", 50, True)
COMPLAINED = Standing("complained", 60, True)
SUPPRESSED = Standing("suppressed", 90, True)
CANCELLED = Standing("cancelled", 90, True)
EXPIRED = Standing("expired", 90, True)
ERASED = Standing("erased", 99, True)

FIRST_ENDED_RANK = UNKNOWN.rank
"""From this rank on no send may start."""

TERMINAL_RANKS = frozenset(
    standing.rank
    for standing in (
        *(UNKNOWN, FAILED, SOFT_BOUNCED, DELIVERED, HARD_BOUNCED, REJECTED, COMPLAINED),
        *(SUPPRESSED, CANCELLED, EXPIRED, ERASED),
    )
)

OURS = {
    standing.status: standing
    for standing in (SUPPRESSED, FAILED, REJECTED, CANCELLED, EXPIRED, UNKNOWN)
}
"""End states that no SES event causes: who sets one also puts our own event on the queue."""

STATUSES = (
    *("pending", "scheduled", "sending", "unknown", "failed", "sent", "delayed", "bounced"),
    *("delivered", "rejected", "complained", "suppressed", "cancelled", "expired", "erased"),
)
"""All that can be shown."""

ENDED_BADLY = frozenset({"bounced", "complained", "failed", "rejected", "unknown", "suppressed"})


def shown(
    status: str, rank: int, *, lease_until_ms: int, now_ms: int, send_at_ms: int | None = None
) -> str:
    """What the API shows: `sending` while a claim is live, `pending` of a scheduled mail that is
    due, else what is stored.
    """
    if rank < FIRST_ENDED_RANK and lease_until_ms > now_ms:
        return "sending"
    if status == SCHEDULED.status and (send_at_ms is None or send_at_ms <= now_ms):
        return PENDING.status
    return status
