"""From a message of the event queue to one form for all events. Pure."""

from typing import Any

import msgspec
from msgspec import Struct

from mailpipe.messages import OwnEvent, own_event_decoder, short_hash
from mailpipe.status import (
    COMPLAINED,
    DELAYED,
    DELIVERED,
    HARD_BOUNCED,
    OURS,
    REJECTED,
    SENT,
    SOFT_BOUNCED,
    Standing,
)
from mailpipe.timing import parse_iso
from processor.ses_json import (
    Bounce,
    Complaint,
    Delivery,
    Mail,
    Message,
    Recipient,
    headers_decoder,
    message_decoder,
)

MAX_DETAIL_CHARS = 500
"""Receivers' texts are theirs to fill: cut, and shown as text only."""

_VALIDATED = "Successfully validated SNS topic"

_encode = msgspec.json.Encoder().encode


class Event(Struct, frozen=True, kw_only=True):
    """Something that happened to an e-mail, at `occurred_at` (RFC 3339), which is `happened_ms`.

    `standing` is what it proves (None: it changes no status), `webhook_type` what customers are
    told (None: nothing), `suppress` the reason to suppress its `recipients`. `recipients` empty
    means: all of the record. `own` is set for our own events.
    """

    hash: str
    kind: str
    webhook_type: str | None
    email_id: str
    tenant: str | None
    occurred_at: str
    happened_ms: int
    standing: Standing | None
    recipients: list[str] = []
    details: dict[str, Any] = {}
    attempt: int | None = None
    message_id: str | None = None
    sent_at_ms: int | None = None
    suppress: str | None = None
    own: OwnEvent | None = None


class Ignored(Struct, frozen=True):
    """Nothing to do, and why."""

    reason: str


def read(body: str) -> Event | Ignored:
    """Read a message of any of the forms: ours, SES's raw, SES's inside an SNS envelope.

    Raises ValueError (msgspec's errors are) when it is none of them.
    """
    if body.startswith(_VALIDATED):
        return Ignored("validated")
    message = message_decoder.decode(body)
    if message.type is not None:
        return _own(own_event_decoder.decode(body))
    if message.sns_type is not None:
        if message.sns_type != "Notification" or message.message is None:
            return Ignored(message.sns_type)
        if message.message.startswith(_VALIDATED):
            return Ignored("validated")
        message = message_decoder.decode(message.message)
    if message.mail is None:
        raise ValueError("Object missing required field `mail`")
    return _of_ses(message, message.mail)


def _own(event: OwnEvent) -> Event:
    if event.status not in OURS:
        raise ValueError(f"event.v1 with the status {event.status!r}")
    return Event(
        hash=event.id,
        kind=event.status,
        webhook_type=f"email.{event.status}",
        email_id=event.email_id,
        tenant=event.tenant,
        occurred_at=event.at,
        happened_ms=parse_iso(event.at),
        standing=OURS[event.status],
        details={"reason": event.reason},
        own=event,
    )


class _Fact(Struct):
    """What an event says by its type."""

    kind: str
    webhook_type: str | None
    occurred_at: str
    standing: Standing | None
    recipients: list[str]
    details: dict[str, Any]
    suppress: str | None = None


def _of_ses(event: Message, mail: Mail) -> Event | Ignored:
    fact = _fact(event, mail)
    if fact is None:
        return Ignored(str(event.event_type or event.notification_type))
    email_id = _first(mail.tags.email_id) or _header(mail, "x-email-id")
    if email_id is None:
        return Ignored("not_ours")
    attempt = _first(mail.tags.attempt)
    sent_at_ms = happened_ms = parse_iso(mail.timestamp)
    if fact.occurred_at != mail.timestamp:
        happened_ms = parse_iso(fact.occurred_at)
    return Event(
        hash=short_hash(
            email_id, fact.kind, mail.message_id, ",".join(fact.recipients), fact.occurred_at
        ),
        kind=fact.kind,
        webhook_type=fact.webhook_type,
        email_id=email_id,
        tenant=_first(mail.tags.tenant),
        occurred_at=fact.occurred_at,
        happened_ms=happened_ms,
        standing=fact.standing,
        recipients=fact.recipients or _all_of(mail, fact),
        details={name: _cut(value) for name, value in fact.details.items() if value is not None},
        attempt=int(attempt) if attempt and attempt.isdecimal() else None,
        message_id=mail.message_id,
        sent_at_ms=sent_at_ms,
        suppress=fact.suppress,
    )


def _all_of(mail: Mail, fact: _Fact) -> list[str]:
    """What names nobody is about all whom this attempt went to: a later one may leave some of the
    record's out. It suppresses nobody.
    """
    return mail.destination if fact.suppress is None else []


def _fact(event: Message, mail: Mail) -> _Fact | None:
    """What the notification says, by its type; None for a type that we do not know."""
    match event.event_type or event.notification_type:
        case "Send":
            return _Fact("sent", "email.sent", mail.timestamp, SENT, [], {})
        case "Delivery" if event.delivery is not None:
            return _delivery(event.delivery)
        case "Bounce" if event.bounce is not None:
            return _bounce(event.bounce)
        case "Complaint" if event.complaint is not None:
            return _complaint(event.complaint)
        case "Reject":
            reason = event.reject.reason if event.reject else None
            details = {"reason": reason}
            return _Fact("reject", "email.rejected", mail.timestamp, REJECTED, [], details)
        case "Rendering Failure":
            failed = event.failure.error_message if event.failure else None
            details = {"reason": failed}
            return _Fact("reject", "email.rejected", mail.timestamp, REJECTED, [], details)
        case "DeliveryDelay" if event.delivery_delay is not None:
            delay = event.delivery_delay
            details = {"delayType": delay.delay_type, "expirationTime": delay.expiration_time}
            who = _addresses(delay.delayed_recipients)
            return _Fact("delay", "email.delayed", delay.timestamp, DELAYED, who, details)
    return None


def _delivery(delivery: Delivery) -> _Fact:
    details = {
        "smtpResponse": delivery.smtp_response,
        "reportingMTA": delivery.reporting_mta,
        "processingTimeMillis": delivery.processing_time_millis,
    }
    who = delivery.recipients
    return _Fact("delivery", "email.delivered", delivery.timestamp, DELIVERED, who, details)


def _bounce(bounce: Bounce) -> _Fact:
    hard = bounce.bounce_type == "Permanent"
    first = bounce.bounced_recipients[0] if bounce.bounced_recipients else None
    return _Fact(
        "bounce",
        "email.bounced",
        bounce.timestamp,
        HARD_BOUNCED if hard else SOFT_BOUNCED,
        _addresses(bounce.bounced_recipients),
        {
            "bounceType": bounce.bounce_type,
            "bounceSubType": bounce.bounce_sub_type,
            "diagnosticCode": first.diagnostic_code if first else None,
            "status": first.status if first else None,
            "reportingMTA": bounce.reporting_mta,
        },
        suppress="bounce" if hard else None,
    )


def _complaint(complaint: Complaint) -> _Fact:
    # A "not-spam" report is the contrary of a complaint: it stays in the timeline only.
    real = complaint.complaint_feedback_type != "not-spam"
    return _Fact(
        "complaint",
        "email.complained" if real else None,
        complaint.timestamp,
        COMPLAINED if real else None,
        _addresses(complaint.complained_recipients),
        {
            "complaintFeedbackType": complaint.complaint_feedback_type,
            "complaintSubType": complaint.complaint_sub_type,
            "userAgent": complaint.user_agent,
        },
        suppress="complaint" if real else None,
    )


def _addresses(recipients: list[Recipient]) -> list[str]:
    return [recipient.email_address for recipient in recipients]


def _first(values: list[str]) -> str | None:
    return values[0] if values else None


def _header(mail: Mail, name: str) -> str | None:
    headers = headers_decoder.decode(mail.headers)
    return next((h.value for h in headers if h.name.lower() == name), None)


def _cut(value: object) -> object:
    if not isinstance(value, str):
        return value
    cut = value[:MAX_DETAIL_CHARS]
    return cut if cut.isprintable() else "".join(c if c.isprintable() else " " for c in cut)


def body_of(
    event: Event,
    *,
    recipients: list[str],
    metadata: msgspec.Raw,
    possible_duplicate: bool = False,
) -> bytes:
    """The webhook's body: the customer's flat form plus `type`, and `possibleDuplicate` where the
    mail may have gone twice.
    """
    body: dict[str, Any] = {
        "type": event.webhook_type,
        "emailId": event.email_id,
        "event": event.kind,
        "timestamp": event.occurred_at,
        "recipient": recipients[0] if recipients else None,
        "recipients": recipients,
        "details": event.details,
        "metadata": metadata,
    }
    if possible_duplicate:
        body["possibleDuplicate"] = True
    return _encode(body)
