"""The JSON of SES's events, in the form of event publishing. Pure.

SES Developer Guide, "Contents of event data that Amazon SES publishes to Amazon SNS" and "Examples
of event data that Amazon SES publishes to Amazon SNS".
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from infra.local.ses.outcomes import Due
from infra.local.ses.sending import SendEmail

ACCOUNT = "000000000000"


@dataclass(frozen=True)
class Accepted:
    """A message that SES took, at `at_s` (wall clock)."""

    message_id: str
    request: SendEmail
    at_s: float
    region: str


def stamp(at_s: float) -> str:
    """`2026-11-20T10:15:30.412Z`."""
    moment = datetime.fromtimestamp(at_s, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def identifier(at_s: float, choice: Random) -> str:
    """An id in SES's form: 16 hex digits of time, a UUID, six digits."""
    unique = uuid.UUID(int=choice.getrandbits(128), version=4)
    return f"{0x0100 << 48 | int(at_s * 1000):016x}-{unique}-000000"


def event(accepted: Accepted, due: Due, *, at_s: float, choice: Random) -> dict[str, Any]:
    """One event, as it is published."""
    if due.event_type == "Send":
        payload: dict[str, Any] = {}
    elif due.event_type == "Delivery":
        payload = _delivery(accepted, due, at_s)
    elif due.event_type == "Bounce":
        payload = _bounce(due, at_s, choice)
    else:
        payload = _complaint(accepted, due, at_s=at_s, choice=choice)
    return {
        "eventType": due.event_type,
        "mail": _mail(accepted, delivered=due.event_type == "Delivery"),
        due.event_type.lower(): payload,
    }


def _mail(accepted: Accepted, *, delivered: bool) -> dict[str, Any]:
    request, simple = accepted.request, accepted.request.content.simple
    assert simple is not None  # noqa: S101 - only Simple content is accepted
    source, domain = request.from_email_address, request.sender().rpartition("@")[2]
    to = request.destination.to_addresses
    headers = [
        {"name": "From", "value": source},
        *({"name": "To", "value": ", ".join(to)} for _ in to[:1]),
        {"name": "Subject", "value": simple.subject.data},
        {"name": "MIME-Version", "value": "1.0"},
        *({"name": header.name, "value": header.value} for header in simple.headers),
    ]
    common = {
        "from": [source],
        "to": to,
        "messageId": accepted.message_id,
        "subject": simple.subject.data,
    }
    return {
        "timestamp": stamp(accepted.at_s),
        "source": source,
        "sourceArn": f"arn:aws:ses:{accepted.region}:{ACCOUNT}:identity/{domain}",
        "sendingAccountId": ACCOUNT,
        "messageId": accepted.message_id,
        "destination": request.recipients(),
        "headersTruncated": False,
        "headers": headers,
        "commonHeaders": common,
        "tags": _tags(request, domain, delivered=delivered),
    }


def _tags(request: SendEmail, domain: str, *, delivered: bool) -> dict[str, list[str]]:
    automatic = {
        "ses:operation": ["SendEmail"],
        "ses:configuration-set": [request.configuration_set_name or ""],
        "ses:source-ip": ["127.0.0.1"],
        "ses:from-domain": [domain],
        "ses:caller-identity": ["local"],
    }
    if delivered:
        automatic["ses:outgoing-ip"] = ["198.51.100.9"]
    return {**automatic, **{name: [value] for name, value in request.tags().items()}}


def _delivery(accepted: Accepted, due: Due, at_s: float) -> dict[str, Any]:
    return {
        "timestamp": stamp(at_s),
        "processingTimeMillis": round((at_s - accepted.at_s) * 1000),
        "recipients": due.recipients,
        "smtpResponse": "250 2.6.0 Message received",
        "remoteMtaIp": "192.0.2.25",
        "reportingMTA": "a8-31.smtp-out.amazonses.com",
    }


def _bounce(due: Due, at_s: float, choice: Random) -> dict[str, Any]:
    return {
        "bounceType": due.facts["bounceType"],
        "bounceSubType": due.facts["bounceSubType"],
        "bouncedRecipients": [
            {
                "emailAddress": recipient,
                "action": "failed",
                "status": due.facts["status"],
                "diagnosticCode": due.facts["diagnosticCode"],
            }
            for recipient in due.recipients
        ],
        "timestamp": stamp(at_s),
        "feedbackId": identifier(at_s, choice),
        "reportingMTA": "dns; a8-31.smtp-out.amazonses.com",
    }


def _complaint(accepted: Accepted, due: Due, *, at_s: float, choice: Random) -> dict[str, Any]:
    return {
        "complainedRecipients": [{"emailAddress": one} for one in due.recipients],
        "timestamp": stamp(at_s),
        "feedbackId": identifier(at_s, choice),
        "complaintSubType": None,
        "userAgent": "Amazon SES Mailbox Simulator",
        "complaintFeedbackType": due.facts["complaintFeedbackType"],
        "arrivalDate": stamp(accepted.at_s),
    }
