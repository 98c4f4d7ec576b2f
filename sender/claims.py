"""What a sender does with a mail, from its record, its message and the time. Pure.

A claim is one conditional write: it makes attempt n+1 ours for the time of a lease. Whoever is
refused reads from the returned record why, and so does who looks at the record without a claim.
"""

from dataclasses import dataclass

from msgspec import Struct

from mailpipe.messages import EmailMessage
from mailpipe.records import NO_FINGERPRINT, Record
from mailpipe.status import FIRST_ENDED_RANK


class Won(Struct, frozen=True):
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
    """A claim ran out: whether SES took the mail is not known. At `look_ms` it is asked again."""

    record: Record
    look_ms: int


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Free, but the record says that it goes at a later time, whatever its message says."""

    record: Record
    send_at_ms: int


@dataclass(frozen=True, slots=True)
class Open:
    """Free: to be claimed with the record's own attempt number and version."""

    record: Record


@dataclass(frozen=True, slots=True)
class Foreign:
    """The id belongs to another tenant, or to another e-mail under the same key."""

    reason: str


Answer = Won | Finished | Live | Doubtful | Scheduled | Open | Foreign


def decide(
    record: Record, message: EmailMessage, *, now_ms: int, grace_ms: int, token: str | None = None
) -> Answer:
    """What is to be done with the mail whose record this is. `token`: of the claim that was
    refused, which may have been written all the same; `grace_ms`: how long after a lease an event
    may take to prove a send.

    The order matters: what has ended is never sent, not even under a claim that is ours.
    """
    if record.tenant != message.tenant:
        return Foreign("tenant_mismatch")
    if (message.fingerprint or NO_FINGERPRINT) != (record.fingerprint or NO_FINGERPRINT):
        return Foreign("key_conflict")
    if record.rank >= FIRST_ENDED_RANK:
        return Finished(record)
    if record.lease_until > now_ms:
        if record.token == token:
            return Won(token, record.attempt, record.lease_until, record.possible_duplicate)
        return Live(record.lease_until)
    if record.lease_until > 0:
        return Doubtful(record, record.lease_until + grace_ms)
    if record.send_at is not None and record.send_at > now_ms:
        return Scheduled(record, record.send_at)
    return Open(record)
