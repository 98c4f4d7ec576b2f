"""What an open e-mail may wait for, since when, and until when at the latest. Pure.

Open is a mail of which something more is expected. Every state has a deadline: the sweeper ends or
closes what is past it, `explain` tells it, and metrics have a label for each state.
"""

from typing import NamedTuple

from msgspec import Struct

from mailpipe.parking import WAITS_AT_MOST_S
from mailpipe.records import Record
from mailpipe.status import DELAYED as SES_DELAYS
from mailpipe.status import FIRST_ENDED_RANK, OURS, REJECTED, TERMINAL_RANKS

DAY_MS = 86_400_000
LOST_AFTER_MS = WAITS_AT_MOST_S * 1000 + DAY_MS
"""Senders end what has waited so long, less a day: what is open even then has lost its message."""
EXPIRED_AFTER_MS = 600_000
"""So long after its `expiresAt` a mail is ended by the sweeper: no sender has had it in hand."""


class Terms(Struct, rename="camel", kw_only=True, frozen=True):
    """What the senders of a deployment go by, in milliseconds.

    A claim holds for `lease_ms`; a send in doubt is decided from `grace_ms` after its claim on,
    `decide_ms` later in any case; mail of which SES says no more is closed after `unheard_ms`; an
    end that is not announced after `settle_ms` is announced again.
    """

    lease_ms: int = 25_000
    grace_ms: int = 150_000
    decide_ms: int = 3_600_000
    unheard_ms: int = 5 * DAY_MS
    settle_ms: int = 600_000


class Place(NamedTuple):
    """Where an open mail stands; times are epoch ms. `deadline_ms`: then it is something else."""

    state: str
    since_ms: int
    deadline_ms: int


class OpenState(NamedTuple):
    """For people: when a mail stands so, its deadline, what comes then, what alerts to it (a query
    of Prometheus).
    """

    when: str
    deadline: str
    then: str
    alert: str


SCHEDULED, PENDING, PAUSED = "scheduled", "pending", "paused"
CLAIMED, IN_DOUBT = "claimed", "in_doubt"
SENT, DELAYED, ENDING = "sent", "delayed", "ending"

_OLDEST = "mailpipe_open_oldest_seconds"
_LATE = (
    'mailpipe_parked_oldest_seconds{kind="time"} > 60 or '
    'time() - max(mailpipe_side_task_last_success_seconds{task="release_due"}) > 120'
)
"""The second half is for when nobody can release: the first is told by who does, and ends then."""
_EXPIRY = (
    "10 min after `expiresAt`; without one a sender ends it 3 days "
    "(`MAILPIPE_SENDER_EXPIRE_AFTER_S`) after it could go, pauses not counted; 28 days after that "
    "in any case"
)
_EXPIRED = "`expired`; `unknown` when a send of it was ever in doubt"
_UNHEARD = "5 days (`MAILPIPE_SENDER_UNHEARD_S`) after it was sent"
_CLOSED = "closed as it stands, with `outcome: no_event`; a later event still raises it"

OPEN_STATES = {
    SCHEDULED: OpenState(
        *("its `sendAt` is still to come", _EXPIRY, _EXPIRED, _LATE),
    ),
    PENDING: OpenState(
        *("it may go, and no sender holds it", _EXPIRY, _EXPIRED),
        f'{_OLDEST}{{state="pending"}} > 3600',
    ),
    PAUSED: OpenState(
        *("the same, and its scope is paused", _EXPIRY, _EXPIRED),
        f'{_OLDEST}{{state="paused"}} > 3600',
    ),
    CLAIMED: OpenState(
        *("a sender holds it (`sending`)", "the end of the claim's lease", "`in_doubt`"),
        f'{_OLDEST}{{state="in_doubt"}} > 7200',
    ),
    IN_DOUBT: OpenState(
        "a claim ran out, and nobody knows whether SES has the mail",
        "a sender decides it, at the latest `MAILPIPE_SENDER_IN_DOUBT_GRACE_S` and "
        "`MAILPIPE_SENDER_IN_DOUBT_DECIDE_S` after the claim's end; 28 days after it in any case",
        "by an event `sent`; else sent again or `unknown`, by its `inDoubt`",
        f'{_OLDEST}{{state="in_doubt"}} > 7200',
    ),
    SENT: OpenState(
        "SES has it, and its word on some recipient is awaited",
        *(_UNHEARD, _CLOSED),
        f'{_OLDEST}{{state="sent"}} > 435600',
    ),
    DELAYED: OpenState(
        *("SES still tries to deliver it", _UNHEARD, _CLOSED),
        f'{_OLDEST}{{state="delayed"}} > 435600',
    ),
    ENDING: OpenState(
        "it has ended, and that is not announced or not closed yet",
        "10 min (`MAILPIPE_SENDER_SWEEP_AFTER_S`) after its end",
        "announced again, and closed",
        f'{_OLDEST}{{state="ending"}} > 3600',
    ),
}
"""By its name, which is the metrics' label."""


def place_of(
    record: Record, now_ms: int, terms: Terms, *, paused_since_ms: int | None = None
) -> Place | None:
    """Where the mail stands; None: nothing more is expected of it. `paused_since_ms`: a scope of
    its has been paused since then.
    """
    if record.rank < FIRST_ENDED_RANK:
        return _unsent(record, now_ms, paused_since_ms)
    if not record.is_open:
        return None
    if has_ended(record):
        return Place(ENDING, record.updated_at, record.updated_at + terms.settle_ms)
    sent_ms = record.updated_at if record.sent_at is None else record.sent_at
    deadline_ms = sent_ms + terms.unheard_ms
    if record.rank == SES_DELAYS.rank:
        return Place(DELAYED, record.updated_at, deadline_ms)
    return Place(SENT, sent_ms, deadline_ms)


def has_ended(record: Record) -> bool:
    """Whether no word of SES is awaited about any recipient. What we have ended ourselves has ended
    for all of them.
    """
    if record.rank not in TERMINAL_RANKS:
        return False
    if record.status in OURS and record.status != REJECTED.status:
        return True
    return len(record.ranks) < 2 or not unheard(record)


def unheard(record: Record) -> int:
    """Of how many of several recipients SES has said nothing final."""
    return sum(rank not in TERMINAL_RANKS for rank in record.ranks.values())


def could_go_ms(record: Record) -> int:
    """From when on the mail might be sent."""
    return max(record.created_at, record.send_at or 0)


def _unsent(record: Record, now_ms: int, paused_since_ms: int | None) -> Place:
    from_ms = could_go_ms(record)
    if record.lease_until > now_ms:
        return Place(CLAIMED, from_ms, record.lease_until)
    lost_ms = max(record.over_at(record.created_at), record.lease_until) + LOST_AFTER_MS
    if record.lease_until > 0:
        return Place(IN_DOUBT, record.lease_until, lost_ms)
    expired_ms = lost_ms
    if record.expires_at is not None:
        expired_ms = min(lost_ms, record.expires_at + EXPIRED_AFTER_MS)
    if record.send_at is not None and record.send_at > now_ms:
        return Place(SCHEDULED, record.created_at, expired_ms)
    if paused_since_ms is not None:
        return Place(PAUSED, max(from_ms, paused_since_ms), expired_ms)
    return Place(PENDING, from_ms, expired_ms)
