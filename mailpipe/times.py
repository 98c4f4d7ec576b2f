"""When a mail goes, and when it is too late: `sendAt` and `expiresAt`. Pure.

A record stands above its message, for `sendAt` is changed there (`scheduled.py`).
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from msgspec import Struct

from mailpipe.attachments import Fault
from mailpipe.messages import Email, EmailMessage
from mailpipe.resources import WAITS_AT_MOST_DAYS
from mailpipe.status import PENDING, SCHEDULED, Standing
from mailpipe.timing import iso, parse_iso

DAY_MS = 86_400_000
SEND_AT_MOST_DAYS = 366
"""So far from its acceptance a mail may be sent."""
_MOST_CHARS = 64
_RFC_3339 = re.compile(
    r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])\Z"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Times(Struct, frozen=True):
    """Those of one mail, in epoch milliseconds; None: it has no such time."""

    accepted_ms: int
    send_at_ms: int | None
    expires_at_ms: int | None

    @property
    def due_ms(self) -> int:
        """When it may go."""
        return max(self.accepted_ms, self.send_at_ms or 0)


@lru_cache(maxsize=1024)  # a campaign has one time
def strict_ms(text: str) -> int:
    """Milliseconds since the epoch of an RFC 3339 time: with its zone, `T` and `Z` in either case
    (section 5.6). What is finer is cut off; a leap second (section 5.7: 23:59:60 in UTC) is the
    second after it.

    Raises ValueError when the text is no such time.
    """
    if len(text) > _MOST_CHARS or not _RFC_3339.match(text):
        raise ValueError("no RFC 3339 time with its zone")
    leap = text[17:19] == "60"
    moment = datetime.fromisoformat((f"{text[:17]}59{text[19:]}" if leap else text).upper())
    at_ms = (moment - _EPOCH) // _MILLISECOND
    if not leap:
        return at_ms
    if at_ms % DAY_MS < DAY_MS - 1000:
        raise ValueError("a leap second is at 23:59:60 in UTC")
    return at_ms // 1000 * 1000 + 1000


def times_of(message: EmailMessage) -> Times:
    """What the message says. Times that break a rule are none: such mail ends as `rejected`."""
    accepted_ms, email = parse_iso(message.queued_at), message.email
    if email.send_at is None and email.expires_at is None:
        return Times(accepted_ms, None, None)
    if next(faults(email, accepted_ms), None) is not None:
        return Times(accepted_ms, None, None)
    return Times(accepted_ms, _ms(email.send_at), _ms(email.expires_at))


def born_as(message: EmailMessage) -> Standing:
    """The status that its record is born with."""
    if message.email.send_at is None:  # most mail goes at once
        return PENDING
    times = times_of(message)
    return SCHEDULED if times.due_ms > times.accepted_ms else PENDING


def faults(email: Email, accepted_ms: int) -> Iterator[Fault]:
    """The rules that the times of a mail break that was accepted then."""
    if email.send_at is not None:
        yield from send_at_faults(email.send_at, accepted_ms)
    if email.expires_at is not None:
        yield from _expires_at(email.expires_at, _ms(email.send_at), accepted_ms)


def send_at_faults(text: str, accepted_ms: int) -> Iterator[Fault]:
    """The rules that a `sendAt` breaks. One that is past keeps them: the mail goes at once."""
    if (at_ms := _ms(text)) is None:
        yield _no_time("sendAt")
    elif at_ms > accepted_ms + SEND_AT_MOST_DAYS * DAY_MS:
        yield "sendAt", "too_far", f"sendAt is at most {SEND_AT_MOST_DAYS} days away."


def _expires_at(text: str, send_at_ms: int | None, accepted_ms: int) -> Iterator[Fault]:
    due_ms = max(accepted_ms, send_at_ms or 0)
    if (at_ms := _ms(text)) is None:
        yield _no_time("expiresAt")
    elif at_ms <= due_ms:
        what = f"sendAt ({iso(due_ms)})" if due_ms > accepted_ms else f"now ({iso(due_ms)})"
        yield "expiresAt", "too_early", f"expiresAt must be after {what}."
    elif at_ms > due_ms + WAITS_AT_MOST_DAYS * DAY_MS:
        text = f"expiresAt is at most {WAITS_AT_MOST_DAYS} days after sendAt, or after now."
        yield "expiresAt", "too_far", text


def _ms(text: str | None) -> int | None:
    try:
        return None if text is None else strict_ms(text)
    except ValueError:
        return None


def _no_time(field: str) -> Fault:
    return field, "time", f"{field} is an RFC 3339 time with its zone, as 2026-11-24T10:00:00Z."
