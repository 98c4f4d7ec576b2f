"""The JSON of SES's events. Pure.

Event publishing (`eventType`): SES Developer Guide, "Contents of event data that Amazon SES
publishes to Amazon SNS", "Examples of event data that Amazon SES publishes to Amazon SNS", "Monitor
email sending using event publishing" (the tags that SES adds). The older feedback notifications of
an identity (`notificationType`: Bounce, Complaint, Delivery; no tags): "Amazon SNS notification
contents for Amazon SES".
"""

from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from typing import Any

import msgspec
from msgspec import Struct

from infra.local.ses.addresses import domain_of
from infra.local.ses.outcomes import Due
from infra.local.ses.sending import Message

ACCOUNT = "000000000000"
MAX_HEADERS_BYTES = 10_000
EXPIRES_AFTER_S = 14 * 3600
"""So long SES tries (SES API v2 reference, "DeliveryOptions", the longest MaxDeliverySeconds)."""

API_NAMES = {
    "Send": "SEND",
    "Delivery": "DELIVERY",
    "Bounce": "BOUNCE",
    "Complaint": "COMPLAINT",
    "Reject": "REJECT",
    "Open": "OPEN",
    "Click": "CLICK",
    "Rendering Failure": "RENDERING_FAILURE",
    "DeliveryDelay": "DELIVERY_DELAY",
    "Subscription": "SUBSCRIPTION",
}
"""How the API spells the types that events carry."""
PAYLOADS = {name: name[0].lower() + name[1:] for name in API_NAMES} | {
    "Rendering Failure": "failure"
}
NOTIFICATIONS = ("Bounce", "Complaint", "Delivery")

_encode = msgspec.json.Encoder().encode
_MTA = "a8-31.smtp-out.amazonses.com"
_OUTGOING_IP = "198.51.100.9"
_REMOTE_MTA_IP = "192.0.2.25"
_CALLER = "local"
_READER = {
    "ipAddress": "192.0.2.44",
    "userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15",
}
_LINK = {"link": "https://example.com/", "linkTags": None}
_WITHOUT_HEADERS = frozenset({"Rendering Failure", "DeliveryDelay"})
"""AWS's examples of these have no headers."""
_HEADERS = frozenset({"headers", "commonHeaders"})


class Accepted(Struct):
    """A message that SES took, at `at_s` (wall clock)."""

    message_id: str
    message: Message
    at_s: float
    region: str
    identity: str
    source_ip: str = "127.0.0.1"
    repeated: bytes = b""

    def mail(self) -> bytes:
        """What every event repeats of the mail, but for its tags: JSON, made once."""
        if not self.repeated:
            self.repeated = _encode(_mail(self))
        return self.repeated


def stamp(at_s: float) -> str:
    """`2026-11-20T10:15:30.412Z`."""
    second, millisecond = divmod(int(at_s * 1000), 1000)
    return f"{_second(second)}.{millisecond:03d}Z"


@lru_cache(maxsize=64)
def _second(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def identifier(at_s: float, choice: Random) -> str:
    """An id in SES's form: 16 hex digits of time, a UUID, six digits."""
    text = f"{choice.getrandbits(128):032x}"
    unique = f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
    return f"0100{int(at_s * 1000):012x}-{unique}-000000"


def event(accepted: Accepted, due: Due, *, at_s: float, choice: Random) -> dict[str, Any]:
    """One event, in the form of event publishing; its `mail` is JSON already."""
    kind, tags, mail = due.event_type, _tags(accepted), accepted.mail()
    if kind == "Delivery":
        tags["ses:outgoing-ip"] = [_OUTGOING_IP]
    elif kind in _WITHOUT_HEADERS:
        decoded = msgspec.json.decode(mail).items()
        mail = _encode({name: value for name, value in decoded if name not in _HEADERS})
    whole = msgspec.Raw(b'%b,"tags":%b}' % (mail[:-1], _encode(tags)))
    payload = _payload(accepted, due, at_s, choice)
    return {"eventType": kind, "mail": whole, PAYLOADS[kind]: payload}


def notification(accepted: Accepted, published: dict[str, Any]) -> dict[str, Any]:
    """The same event in the older form, for the topics of an identity."""
    kind, mail = published["eventType"], msgspec.json.decode(accepted.mail())
    mail |= {"sourceIp": accepted.source_ip, "callerIdentity": _CALLER}
    return {"notificationType": kind, "mail": mail, PAYLOADS[kind]: published[PAYLOADS[kind]]}


def _tags(accepted: Accepted) -> dict[str, list[str]]:
    message = accepted.message
    tags = {
        "ses:operation": ["SendEmail"],
        "ses:source-ip": [accepted.source_ip],
        "ses:from-domain": [domain_of(message.sender)],
        "ses:caller-identity": [_CALLER],
    }
    if message.configuration_set is not None:
        tags["ses:configuration-set"] = [message.configuration_set]
    for name, value in message.tags.items():
        tags[name] = [value]
    return tags


def _mail(accepted: Accepted) -> dict[str, Any]:
    message = accepted.message
    headers, truncated = _headers(message)
    return {
        "timestamp": stamp(accepted.at_s),
        "source": message.source,
        "sourceArn": f"arn:aws:ses:{accepted.region}:{ACCOUNT}:identity/{accepted.identity}",
        "sendingAccountId": ACCOUNT,
        "messageId": accepted.message_id,
        "destination": message.recipients,
        "headersTruncated": truncated,
        "headers": headers,
        "commonHeaders": {**message.common, "messageId": accepted.message_id},
    }


def _headers(message: Message) -> tuple[list[dict[str, str]], bool]:
    headers, used = list[dict[str, str]](), 0
    for name, value in message.headers:
        used += len(name) + len(value)
        if used > MAX_HEADERS_BYTES:
            return headers, True
        headers.append({"name": name, "value": value})
    return headers, False


def _payload(accepted: Accepted, due: Due, at_s: float, choice: Random) -> dict[str, Any]:
    match due.event_type:
        case "Send":
            return {}
        case "Delivery":
            return _delivery(accepted, due, at_s)
        case "Bounce":
            return _bounce(due, at_s, choice)
        case "Complaint":
            return _complaint(accepted, due, at_s=at_s, choice=choice)
        case "DeliveryDelay":
            return _delay(accepted, due, at_s)
        case "Open":
            return {**_READER, "timestamp": stamp(at_s), "isBotEvent": "Unlikely", **due.facts}
        case "Click":
            at = {"timestamp": stamp(at_s), "isBotEvent": "Unlikely"}
            return {**_READER, **_LINK, **at, **due.facts}
        case "Subscription":
            return _subscription(due, at_s)
        case "Rendering Failure":
            said = "Attribute 'name' is not present in the rendering data."
            return {"templateName": "unknown", "errorMessage": said, **due.facts}
    return {"reason": "Bad content", **due.facts}


def _delivery(accepted: Accepted, due: Due, at_s: float) -> dict[str, Any]:
    return {
        "timestamp": stamp(at_s),
        "processingTimeMillis": round((at_s - accepted.at_s) * 1000),
        "recipients": due.recipients,
        "smtpResponse": "250 2.6.0 Message received",
        "remoteMtaIp": _REMOTE_MTA_IP,
        "reportingMTA": _MTA,
    }


def _bounce(due: Due, at_s: float, choice: Random) -> dict[str, Any]:
    facts = due.facts
    about = {"action": "failed", "status": facts.get("status")}
    about |= {"diagnosticCode": facts.get("diagnosticCode")}
    more = about if facts.get("status") else {}
    return {
        "bounceType": facts.get("bounceType", "Permanent"),
        "bounceSubType": facts.get("bounceSubType", "General"),
        "bouncedRecipients": [{"emailAddress": one, **more} for one in due.recipients],
        "timestamp": stamp(at_s),
        "feedbackId": identifier(at_s, choice),
        "reportingMTA": f"dns; {_MTA}",
    }


def _complaint(accepted: Accepted, due: Due, *, at_s: float, choice: Random) -> dict[str, Any]:
    return {
        "complainedRecipients": [{"emailAddress": one} for one in due.recipients],
        "timestamp": stamp(at_s),
        "feedbackId": identifier(at_s, choice),
        "complaintSubType": due.facts.get("complaintSubType"),
        "userAgent": "Amazon SES Mailbox Simulator",
        "complaintFeedbackType": due.facts.get("complaintFeedbackType", "abuse"),
        "arrivalDate": stamp(accepted.at_s),
    }


def _delay(accepted: Accepted, due: Due, at_s: float) -> dict[str, Any]:
    about = {"status": "4.2.2", "diagnosticCode": "smtp; 452 4.2.2 mailbox full"}
    return {
        "timestamp": stamp(at_s),
        "delayType": due.facts.get("delayType", "General"),
        "expirationTime": stamp(accepted.at_s + EXPIRES_AFTER_S),
        "delayedRecipients": [{"emailAddress": one, **about} for one in due.recipients],
    }


def _subscription(due: Due, at_s: float) -> dict[str, Any]:
    def preferences(status: str) -> dict[str, Any]:
        return {
            "unsubscribeAll": status == "OptOut",
            "topicSubscriptionStatus": [{"topicName": "News", "subscriptionStatus": status}],
            "topicDefaultSubscriptionStatus": [
                {"topicName": "News", "subscriptionStatus": "OptIn"}
            ],
        }

    return {
        "contactList": "contacts",
        "timestamp": stamp(at_s),
        "source": due.facts.get("source", "UnsubscribeHeader"),
        "newTopicPreferences": preferences("OptOut"),
        "oldTopicPreferences": preferences("OptIn"),
    }
