"""A kept mail as a person reads it. Pure.

Messages: RFC 5322, RFC 2045 to 2049 (MIME; 2047: encoded words). Events: SES Developer Guide,
"Contents of event data that Amazon SES publishes to Amazon SNS". A mail that a client composed may
be broken in any way: what can be shown is shown, and nothing here raises.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from email import policy
from email.message import Message
from email.parser import BytesParser
from typing import Any, TypeVar

from infra.local.ses.events import PAYLOADS, stamp
from infra.local.ses.mailbox import Mail
from infra.local.ses.requests import Body, Destination, Part, SendEmail, Simple

STATUSES = (
    {"Complaint": "Complained", "Bounce": "Bounced", "Reject": "Rejected"}
    | {"Rendering Failure": "Not rendered", "Subscription": "Subscription", "Click": "Clicked"}
    | {"Open": "Opened", "Delivery": "Delivered", "DeliveryDelay": "Delayed", "Send": "Sent"}
)
"""The event types, what says most about a mail first, with the word for a mail that had one."""

T = TypeVar("T")
_UNKNOWN_TYPE = "application/octet-stream"
_HEADING = (
    *("bounceType", "bounceSubType", "delayType", "complaintFeedbackType", "complaintSubType"),
    *("templateName", "contactList"),
)
_DETAILS = ("smtpResponse", "reason", "errorMessage", "link", "source", "ipAddress", "userAgent")
_RECIPIENTS = ("recipients", "bouncedRecipients", "complainedRecipients", "delayedRecipients")
_FOLD = re.compile(r"[\r\n]+(?=[ \t])")


@dataclass(frozen=True, slots=True)
class File:
    """An attachment, or a part of the message that is not shown as its text."""

    name: str
    content_type: str
    content: bytes = field(repr=False)
    content_id: str = ""

    @property
    def size_bytes(self) -> int:
        """After decoding."""
        return len(self.content)


@dataclass(frozen=True, slots=True)
class Event:
    """One published event; `summary` is a line."""

    kind: str
    at: str
    recipients: list[str]
    summary: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a person sees. `at` is UTC in ISO 8601; addresses are with names."""

    message_id: str
    at: str
    sender: str
    to: list[str]
    cc: list[str]
    bcc: list[str]
    subject: str
    text: str | None
    html: str | None
    headers: list[tuple[str, str]]
    attachments: list[File]
    tags: list[tuple[str, str]]
    events: list[Event]

    @property
    def status(self) -> str:
        """The event type that says most about the mail; empty before the first event."""
        return next((one for one in STATUSES if one in {event.kind for event in self.events}), "")


@dataclass(slots=True)
class _Content:
    headers: list[tuple[str, str]]
    text: str | None = None
    html: str | None = None
    files: list[File] = field(default_factory=list)

    def named(self, name: str) -> list[str]:
        return [value for one, value in self.headers if one.lower() == name]


def read(mail: Mail) -> Reading:
    """The mail, decoded."""
    request, raw = mail.request, _raw_data(mail)
    given = request.destination or Destination()
    lists = [given.to_addresses, given.cc_addresses, given.bcc_addresses]
    to, cc, bcc = (_addresses(one or ()) for one in lists)
    if raw is None:
        content = _simple(request)
    else:
        content = _tried(_parsed, _Content([], text=_decoded(raw, None)), raw)
        to, cc, bcc = (_addresses(content.named(name)) for name in ("to", "cc", "bcc"))
        # The envelope decides who gets a raw message: whom no header names is a blind copy.
        named = {_bare(one) for one in (*to, *cc, *bcc)}
        bcc += [one for one in mail.recipients if _bare(one) not in named]
    senders = [request.from_email_address or "", *content.named("from"), mail.source]
    tags = [(one.name or "", one.value or "") for one in request.email_tags or ()]
    return Reading(
        message_id=mail.message_id,
        at=stamp(mail.at_s),
        sender=next(iter(_addresses(filter(None, senders))), ""),
        to=to,
        cc=cc,
        bcc=bcc,
        subject=next(map(_words, content.named("subject")), ""),
        text=content.text,
        html=content.html,
        headers=[(_clean(name), _words(value)) for name, value in content.headers],
        attachments=content.files,
        tags=tags or _header_tags(content.named("x-ses-message-tags")),
        events=[_event(one) for one in mail.events],
    )


def matches(reading: Reading, query: str) -> bool:
    """Whether every word occurs in an address, the subject, text, HTML, a tag's value or the id."""
    places = [reading.sender, *reading.to, *reading.cc, *reading.bcc, reading.subject]
    places += [value for _, value in reading.tags] + [reading.text or "", reading.html or ""]
    everything = "\n".join([*places, reading.message_id]).casefold()
    return all(word in everything for word in query.casefold().split())


def source(mail: Mail) -> str:
    """The message as text: a raw one as it came, a simple one with its parts one after another."""
    raw = _raw_data(mail)
    if raw is not None:
        return _decoded(raw, None)
    reading = read(mail)
    blocks = ["\n".join(f"{name}: {value}" for name, value in reading.headers)]
    bodies = {"text/plain": reading.text, "text/html": reading.html}
    blocks += [f"--- {kind} ---\n{body}" for kind, body in bodies.items() if body is not None]
    for one in reading.attachments:
        encoded = base64.encodebytes(one.content).decode().rstrip("\n")
        blocks.append(f"--- {one.content_type}, {one.name}, base64 ---\n{encoded}")
    return "\n\n".join(blocks) + "\n"


def _tried(do: Callable[..., T], otherwise: T, *arguments: Any) -> T:
    """The stdlib's MIME code fails on broken messages with nearly every type of exception."""
    try:
        return do(*arguments)
    except Exception:
        return otherwise


def _raw_data(mail: Mail) -> bytes | None:
    content = mail.request.content
    return content.raw.data if content is not None and content.raw is not None else None


def _simple(request: SendEmail) -> _Content:
    simple = (request.content.simple if request.content is not None else None) or Simple()
    to, body = request.destination or Destination(), simple.body or Body()
    lists = {"Reply-To": request.reply_to_addresses, "To": to.to_addresses, "Cc": to.cc_addresses}
    composed = [("From", request.from_email_address or "")]
    composed += [(name, ", ".join(one or ())) for name, one in lists.items()]
    composed.append(("Subject", (simple.subject or Part()).data or ""))
    composed += [(one.name or "", one.value or "") for one in simple.headers or ()]
    content = _Content([one for one in composed if one[1]])
    content.text, content.html = (body.text or Part()).data, (body.html or Part()).data
    for number, one in enumerate(simple.attachments or (), 1):
        name, kind = one.file_name or f"attachment-{number}", one.content_type or _UNKNOWN_TYPE
        identifier = (one.content_id or "").strip("<> ")
        content.files.append(File(name, kind, one.raw_content or b"", identifier))
    return content


def _parsed(data: bytes) -> _Content:
    message = BytesParser(policy=policy.default).parsebytes(data)
    content = _Content([(name, str(value)) for name, value in message.raw_items()])
    for number, part in enumerate(_leaves(message), 1):
        kind = _tried(part.get_content_type, _UNKNOWN_TYPE)
        if kind.startswith("multipart/"):
            kind = "text/plain"  # its boundary never came: its text is what there is
        name, body = _tried(part.get_filename, None), _payload(part)
        charset = _tried(part.get_content_charset, None)
        attached = name or _tried(part.get_content_disposition, None) == "attachment"
        if kind == "text/plain" and not attached and content.text is None:
            content.text = _decoded(body, charset)
        elif kind == "text/html" and not attached and content.html is None:
            content.html = _decoded(body, charset)
        else:
            identifier = str(_tried(part.get, "", "content-id", "")).strip("<> ")
            name = _clean(name or f"part-{number}")
            content.files.append(File(name, _clean(kind), body, identifier))
    return content


def _leaves(message: Message) -> Iterator[Message]:
    """Without recursion; a forwarded message (message/rfc822) is one."""
    waiting: list[Any] = [message]
    while waiting:
        part = waiting.pop()
        if part.is_multipart() and _tried(part.get_content_maintype, "") != "message":
            waiting += reversed(part.get_payload())
        else:
            yield part


def _payload(part: Any) -> bytes:
    if part.is_multipart():
        return b"\n".join(_tried(one.as_bytes, b"") for one in part.get_payload())
    plain = _tried(part.get_payload, None, None, True)
    encoded = _clean(_tried(part.get_payload, "")).encode()
    return plain if isinstance(plain, bytes) and plain else encoded


def _decoded(data: bytes, charset: str | None) -> str:
    """By the charset that it claims, else by the likely ones, else with replacements."""
    likely = [(charset, "strict"), ("utf-8", "strict"), (charset, "replace")]
    likely.append(("windows-1252", "replace"))  # which cannot fail
    tries = (_tried(data.decode, None, *one) for one in likely if one[0])
    return _clean(next(one for one in tries if one is not None))


def _clean(text: str) -> str:
    """Text that can be sent: the parser keeps undecodable bytes as surrogates."""
    data: bytes = _tried(text.encode, b"", "utf-8", "surrogateescape")
    return (data or text.encode("utf-8", "replace")).decode("utf-8", "replace")


def _words(value: str) -> str:
    """A header's value unfolded, its encoded words decoded (RFC 2047)."""
    text = _clean(_FOLD.sub("", value)).strip()
    decode = policy.default.header_factory
    return _clean(str(_tried(decode, text, "Subject", text))) if "=?" in text else text


def _addresses(values: Iterable[str]) -> list[str]:
    found = list[str]()
    for value in values:
        found += _tried(_mailboxes, [_words(value)], _clean(_FOLD.sub("", value)))
    return found


def _mailboxes(value: str) -> list[str]:
    """Names and addresses of a header's value (RFC 5322, section 3.4). Raises on what has none."""
    found = policy.default.header_factory("To", value).addresses
    pairs = [(one.display_name, one.addr_spec) for one in found]
    if not all("@" in bare for _, bare in pairs) or not (pairs or ":" in value):
        raise ValueError(value)
    return [_clean(f"{name} <{bare}>" if name else bare) for name, bare in pairs]


def _bare(shown: str) -> str:
    return shown.rpartition("<")[2].rstrip(">").casefold()


def _header_tags(values: list[str]) -> list[tuple[str, str]]:
    """`name=value, name=value` (SES Developer Guide, "Sending email using message tags")."""
    pairs = [one.partition("=") for value in values for one in _words(value).split(",")]
    return [(name.strip(), value.strip()) for name, _, value in pairs if name.strip()]


def _event(published: dict[str, Any]) -> Event:
    kind = str(published.get("eventType") or published.get("notificationType") or "Unknown")
    about = _as(dict, published.get(PAYLOADS.get(kind, kind)))
    mail = _as(dict, published.get("mail"))
    named = next((about[name] for name in _RECIPIENTS if name in about), mail.get("destination"))
    people = _as(list, named)
    return Event(
        kind=kind,
        at=str(about.get("timestamp") or mail.get("timestamp") or ""),
        recipients=[str(_as(dict, one).get("emailAddress", one)) for one in people],
        summary=" ".join(_summary(about, [_as(dict, one) for one in people]).split()),
    )


def _summary(about: dict[str, Any], people: list[dict[str, Any]]) -> str:
    """The members of the ten types do not collide, so one order of them does for all."""
    details = [one.get("diagnosticCode") for one in people] + [about.get(one) for one in _DETAILS]
    preferences = _as(dict, about.get("newTopicPreferences"))
    details.append("unsubscribed from all" if preferences.get("unsubscribeAll") else None)
    for topic in _as(list, preferences.get("topicSubscriptionStatus")):
        details.append(" ".join(str(one) for one in _as(dict, topic).values()))
    details.append(f"bot: {about['isBotEvent']}" if "isBotEvent" in about else None)
    heading = "/".join(str(about[one]) for one in _HEADING if about.get(one))
    said = " \N{MIDDLE DOT} ".join(dict.fromkeys(str(one) for one in details if one))
    return ": ".join(filter(None, (heading, said)))


def _as(kind: type[T], value: Any) -> T:
    return value if isinstance(value, kind) else kind()
