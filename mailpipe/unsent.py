"""Mail that nobody has sent: whether it can still be cancelled, or go at another time. Pure.

Judged by the record as it was read; the write that follows holds only where the record still stands
so (`statements.py`), and what it has become is judged again.
"""

from dataclasses import dataclass

from mailpipe.records import Record
from mailpipe.rules import Violation
from mailpipe.status import CANCELLED, FIRST_ENDED_RANK
from mailpipe.times import DAY_MS, SEND_AT_MOST_DAYS
from mailpipe.timing import iso


@dataclass(frozen=True, slots=True)
class TooLate:
    """A sender has had the mail in hand, or it has ended. `status` is as it is shown."""

    status: str
    ended: bool

    @property
    def sentence(self) -> str:
        """For who has asked."""
        if self.ended:
            return f"It is too late: this e-mail is {self.status} already."
        return (
            f"It is too late: this e-mail is {self.status}, and a sender has had it in hand. Only "
            "one that none has taken yet can be cancelled or go at another time."
        )


def too_late(record: Record, *, now_ms: int) -> TooLate | None:
    """None: nobody has claimed it yet."""
    ended = record.rank >= FIRST_ENDED_RANK
    if ended or record.attempt or record.lease_until:
        return TooLate(record.shown(now_ms), ended)
    return None


def is_cancelled(record: Record) -> bool:
    """Whether its end is the one that is asked for: again is as good as once."""
    return record.status == CANCELLED.status


def misplaced(record: Record, send_at_ms: int) -> Violation | None:
    """Whether it could not go at this time, although nobody has sent it yet."""
    if send_at_ms > record.created_at + SEND_AT_MOST_DAYS * DAY_MS:
        text = f"sendAt is at most {SEND_AT_MOST_DAYS} days after the e-mail was accepted."
        return Violation("sendAt", "too_far", text)
    if record.expires_at is not None and send_at_ms >= record.expires_at:
        text = f"sendAt must be before the e-mail's expiresAt ({iso(record.expires_at)})."
        return Violation("sendAt", "too_far", text)
    return None
