"""The sender's decisions as values. Pure."""

import math
import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from mailpipe import rules
from mailpipe.messages import EmailMessage, email_decoder
from mailpipe.outcomes import Dead
from mailpipe.parking import WAITS_AT_MOST_S
from mailpipe.status import EXPIRED, REJECTED, UNKNOWN, Standing
from mailpipe.texts import told
from mailpipe.times import Times
from mailpipe.timing import iso, parse_iso
from sender.claims import Doubtful

Ending = tuple[Standing, str]
"""How a mail ends without SES, and the reason that its owner reads."""

MAX_REASON_CHARS = 500
DOUBTS_AT_MOST = 3
"""A mail that is in doubt so often ends, whatever its policy: each doubt may be a copy of it."""


class Patience(NamedTuple):
    """How long a doubt waits for evidence: it is asked again every `every_ms`, and decided without
    evidence after `most_ms`.
    """

    every_ms: int
    most_ms: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Events may still tell."""

    until_ms: int


@dataclass(frozen=True, slots=True)
class Resend:
    """Take it over and send it again."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """It ends, and nobody knows whether SES has it."""

    reason: str


Verdict = Wait | Resend | Unknown

_NEWER = re.compile(r'"type"\s*:\s*"(email\.v(?!1")\d{1,9})"')


def unreadable(body: str, error: Exception) -> str:
    """Why a message is a dead letter. One of a newer version can be put back after the upgrade."""
    if newer := _NEWER.search(body):
        return f"version: {newer[1]} is newer than this sender"
    return f"unparseable: {told(error)}"


def read(body: str) -> EmailMessage | Dead:
    """The message, or why it is a dead letter."""
    try:
        message = email_decoder.decode(body)
        parse_iso(message.queued_at)
    except (ValueError, RecursionError) as error:  # msgspec.DecodeError is a ValueError
        return Dead(unreadable(body, error))
    # The contract's patterns end in `$`, which lets a line break at the end pass.
    if violation := rules.check_ids(message.tenant, message.email_id):
        return Dead(f"unparseable: {violation.message}")
    return message


def broken(message: EmailMessage, domains: list[str]) -> Ending | None:
    """How a mail ends that breaks a rule; `domains` its tenant may send from."""
    accepted_ms = parse_iso(message.queued_at)
    if violation := rules.check(message.email, accepted_ms=accepted_ms) or rules.check_from(
        message.email, domains
    ):
        reason = f"{violation.field}: {violation.constraint}: {violation.message}"
        return REJECTED, reason[:MAX_REASON_CHARS]
    return None


def expired(times: Times, *, now_ms: int, expire_after_s: float) -> Ending | None:
    """How a mail ends that was not sent by its `expiresAt`, or so long after it was due."""
    if times.expires_at_ms is not None:
        return overdue(times, now_ms=now_ms)
    if now_ms > times.due_ms + expire_after_s * 1000:
        return EXPIRED, f"not sent within {expire_after_s:.0f} s of {iso(times.due_ms)}"
    return None


def overdue(times: Times, *, now_ms: int) -> Ending | None:
    """How a mail ends that cannot wait any longer, whatever it waits for: it says so itself, or
    what it is made of is kept only so long.
    """
    if times.expires_at_ms is not None and now_ms >= times.expires_at_ms:
        return EXPIRED, f"not sent before its expiresAt, {iso(times.expires_at_ms)}"
    if now_ms <= times.due_ms + WAITS_AT_MOST_S * 1000:
        return None
    days = WAITS_AT_MOST_S // 86_400
    return EXPIRED, f"not sent within {days} days of {iso(times.due_ms)}, pauses included"


def last_ms(lease_until_ms: int, times: Times, *, send_s: float) -> int:
    """By when a send that takes `send_s` must have ended: before the lease does, and begun before
    the mail expires.
    """
    if times.expires_at_ms is None:
        return lease_until_ms
    return min(lease_until_ms, times.expires_at_ms + math.floor(send_s * 1000))


def of_doubt(
    doubt: Doubtful,
    policy: Literal["resend", "unknown"],
    *,
    missing: str | None,
    ending: Ending | None,
    now_ms: int,
    patience: Patience,
) -> Verdict:
    """What becomes of a mail in doubt. `missing`: why it is not proved that all events of its time
    have come (None: they have); `ending`: how the mail would end now without the doubt.
    """
    if now_ms <= doubt.look_ms:
        return Wait(doubt.look_ms + 1)  # the statements ask for a lease that is over
    if missing is not None and now_ms < doubt.look_ms + patience.most_ms:
        return Wait(now_ms + patience.every_ms)
    if ending is not None:
        return Unknown(after_doubt(ending, doubted=True)[1])
    doubts = doubt.record.doubts + 1
    if policy == "resend" and doubts < DOUBTS_AT_MOST:
        return Resend()
    proof = "no event proves it" if missing is None else f"no event proves it, but {missing}"
    return Unknown(f"the answer to send number {doubt.record.attempt} was lost, and {proof}")


def after_doubt(ending: Ending, *, doubted: bool) -> Ending:
    """After an earlier doubt SES may have sent it all the same: that must not read as a no."""
    standing, reason = ending
    if doubted:
        return UNKNOWN, f"{standing.status} after a send in doubt: {reason}"
    return ending
