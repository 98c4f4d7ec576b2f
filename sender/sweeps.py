"""What is done about a mail that is open for too long. Pure."""

from dataclasses import dataclass

from mailpipe.open_states import CLAIMED, DELAYED, ENDING, SENT, Terms, place_of
from mailpipe.records import NO_EVENT, Record
from mailpipe.status import CANCELLED, EXPIRED, UNKNOWN, Standing
from mailpipe.timing import iso

ENDED_IN_TWO_STEPS = frozenset({CANCELLED.status, EXPIRED.status, UNKNOWN.status})
"""These may be ended without having been announced; who writes another end closes it with that."""


@dataclass(frozen=True, slots=True)
class End:
    """End it, announce that, close it."""

    standing: Standing
    reason: str


@dataclass(frozen=True, slots=True)
class Announce:
    """It has ended: announce that again, close it."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close it as it stands: all that was expected has come, or, with an `outcome`, will not."""

    outcome: str | None = None


Step = End | Announce | Close


def step_of(record: Record, now_ms: int, terms: Terms) -> Step | None:
    """None: it is open for good reason, or not at all."""
    place = place_of(record, now_ms, terms)
    if place is None or place.state == CLAIMED or now_ms < place.deadline_ms:
        return None
    if place.state in (SENT, DELAYED):
        return Close(NO_EVENT)
    if place.state == ENDING:
        return Announce() if record.status in ENDED_IN_TWO_STEPS else Close()
    return _end_of(record, now_ms)


def _end_of(record: Record, now_ms: int) -> End:
    """Nobody will send it any more. After a doubt SES may have it: that must not read as a no."""
    if record.lease_until > 0 or record.doubts or record.possible_duplicate:
        return End(UNKNOWN, f"attempt {record.attempt} was in doubt, and nobody decided it")
    if record.expires_at is not None and record.expires_at < now_ms:
        return End(EXPIRED, f"not sent before {iso(record.expires_at)}")
    return End(EXPIRED, "it waited as long as any mail may, and its message is gone")
