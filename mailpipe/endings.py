"""Why an e-mail ended as it did, when, and by what event, in a sentence. Pure."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from mailpipe.records import NO_EVENT, Attributes, Record
from mailpipe.spoken import moment, quoted
from mailpipe.status import HARD_BOUNCED
from mailpipe.timing import parse_iso

_KINDS = {
    "delivered": ("delivery",),
    "bounced": ("bounce",),
    "complained": ("complaint",),
    "rejected": ("reject", "rejected"),
    "delayed": ("delay",),
}
"""The events that make a status; every other is made by an event that is called as itself."""


def event_of(record: Record, newest_first: Iterable[Attributes]) -> Attributes | None:
    """Of these events the one that has made the mail's status; None: it is not among them."""
    kinds = _KINDS.get(record.status, (record.status,))
    return next((event for event in newest_first if event.get("type") in kinds), None)


def happened_ms(record: Record, event: Attributes | None) -> int:
    """When the mail came to its status."""
    try:
        return parse_iso(str((event or {}).get("occurredAt")))
    except ValueError:
        return record.updated_at


def ended_sentence(record: Record, event: Attributes | None, now_ms: int) -> str:
    """Of a mail of which nothing more is expected."""
    at, details = moment(happened_ms(record, event), now_ms), _details(event)
    said = _SENTENCES.get(record.status, _other)(record, at, details)
    if record.outcome == NO_EVENT:
        said += " SES has said no more about it, so it was closed; a later event still counts."
    if record.possible_duplicate and record.ids:
        said += " It may have been sent twice: an earlier attempt was in doubt."
    return said


def _details(event: Attributes | None) -> dict[str, Any]:
    try:
        return msgspec.json.decode(str((event or {}).get("details")), type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


_Sentence = Callable[[Record, str, dict[str, Any]], str]


def _delivered(_: Record, at: str, details: dict[str, Any]) -> str:
    return f"Delivered: the receiving server took it at {at}{quoted(details.get('smtpResponse'))}."


def _bounced(record: Record, at: str, details: dict[str, Any]) -> str:
    how = "for good" if record.rank >= HARD_BOUNCED.rank else "for now"
    types = [str(one) for name in ("bounceType", "bounceSubType") if (one := details.get(name))]
    kind = f", {'/'.join(types)}" if types else ""
    return (
        f"Bounced at {at}: the receiving side refused it {how}{kind}"
        f"{quoted(details.get('diagnosticCode'))}."
    )


def _complained(_: Record, at: str, details: dict[str, Any]) -> str:
    kind = quoted(details.get("complaintFeedbackType"))
    return f"Delivered, and a recipient complained about it at {at}{kind}."


def _rejected(record: Record, at: str, details: dict[str, Any]) -> str:
    if record.reason:
        return f"Never sent: it broke a rule at {at}{quoted(record.reason)}."
    return f"SES took it and then rejected it at {at}{quoted(details.get('reason'))}."


def _failed(record: Record, at: str, _: dict[str, Any]) -> str:
    return f"Not sent: SES refused it for good at {at}{quoted(record.reason)}."


def _unknown(record: Record, at: str, _: dict[str, Any]) -> str:
    return (
        f"Nobody knows whether SES has sent it; since {at} it is tried no more"
        f"{quoted(record.reason)}. An event of SES that still comes settles it."
    )


def _suppressed(record: Record, at: str, _: dict[str, Any]) -> str:
    return f"Not sent: it was suppressed at {at}{quoted(record.reason)}."


def _cancelled(record: Record, at: str, _: dict[str, Any]) -> str:
    return f"Not sent: it was cancelled at {at}{quoted(record.reason)}."


def _expired(record: Record, at: str, _: dict[str, Any]) -> str:
    return f"Not sent: it expired at {at}{quoted(record.reason)}."


def _erased(_: Record, at: str, __: dict[str, Any]) -> str:
    return f"Its data was erased at {at}."


def _sent(record: Record, at: str, _: dict[str, Any]) -> str:
    return f"SES accepted it, and since {at} it stands as {record.status}."


def _other(record: Record, at: str, _: dict[str, Any]) -> str:
    return f"It stands as {record.status} since {at}{quoted(record.reason)}."


_SENTENCES: dict[str, _Sentence] = {
    "delivered": _delivered,
    "bounced": _bounced,
    "complained": _complained,
    "rejected": _rejected,
    "failed": _failed,
    "unknown": _unknown,
    "suppressed": _suppressed,
    "cancelled": _cancelled,
    "expired": _expired,
    "erased": _erased,
    "sent": _sent,
    "delayed": _sent,
}
