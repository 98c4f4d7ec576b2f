"""What the answer to a claim means. Pure.

A claim is one conditional write: it makes attempt n+1 ours for the time of a lease. Whoever is
refused reads from the returned record why.
"""

from dataclasses import dataclass

from mailpipe.records import NO_FINGERPRINT, Record
from mailpipe.status import FIRST_ENDED_RANK


@dataclass(frozen=True, slots=True)
class Won:
    """Ours until the lease ends. `doubted`: an earlier attempt may have been accepted by SES."""

    token: str
    attempt: int
    lease_until_ms: int
    doubted: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """Sent, or ended: nothing is left to send."""

    record: Record


@dataclass(frozen=True, slots=True)
class Live:
    """Another sender has it until then."""

    until_ms: int


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A claim ran out: whether SES took the mail is not known."""

    record: Record


@dataclass(frozen=True, slots=True)
class Open:
    """Free, but at another attempt number or version than we thought."""

    record: Record


@dataclass(frozen=True, slots=True)
class Foreign:
    """The id belongs to another tenant, or to another e-mail under the same key."""

    reason: str


Answer = Won | Finished | Live | Doubtful | Open | Foreign


def read_refusal(
    record: Record, *, tenant: str, fingerprint: str | None, token: str, now_ms: int
) -> Answer:
    """Why a claim was refused, from the record as it stood."""
    if record.tenant != tenant:
        return Foreign("tenant_mismatch")
    if (fingerprint or NO_FINGERPRINT) != (record.fingerprint or NO_FINGERPRINT):
        return Foreign("key_conflict")
    if record.token == token and record.lease_until > now_ms:
        return Won(token, record.attempt, record.lease_until, record.possible_duplicate)
    if record.rank >= FIRST_ENDED_RANK:
        return Finished(record)
    if record.lease_until > now_ms:
        return Live(record.lease_until)
    if record.lease_until > 0:
        return Doubtful(record)
    return Open(record)
