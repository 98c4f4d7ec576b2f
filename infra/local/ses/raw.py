"""A message that the caller composed (`Raw`), as far as SES looks at it. Pure.

SES Developer Guide, "Sending raw email using the Amazon SES API v2", "Amazon SES unsupported
attachment types", and, for the headers that stand for members of the request, "Specifying a
configuration set when you send email" and "Sending email using message tags".
"""

import re
from dataclasses import dataclass
from email import policy
from email.errors import MessageError
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.utils import getaddresses
from typing import Any

from infra.local.ses import attachments
from infra.local.ses.refusals import bad

MAX_LINE_BYTES = 1000
MAX_BOUNDARIES = 20_000
"""Looked at before parsing, which would take minutes: far more than 500 parts need."""

_LONG_LINE = re.compile(rb"[^\n]{%d}" % (MAX_LINE_BYTES + 1))
_UNREADABLE = (MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What the parser is known to raise on messages that are none."""
_ONCE_ONLY = ("From", "To", "Cc", "Subject", "Reply-To", "Date", "Message-ID", "Sender")
_STANDS_FOR = ("x-ses-configuration-set", "x-ses-message-tags")


@dataclass(frozen=True, slots=True)
class Raw:
    """What SES reads of it; `content` is the decoded text and attachments, for the virus scan."""

    source: str | None
    recipients: list[str]
    headers: list[tuple[str, str]]
    common: dict[str, Any]
    tags: list[tuple[str, str]]
    configuration_set: str | None
    content: bytes


def read(data: bytes) -> Raw:
    """The message. Raises Refusal."""
    if data.count(b"\n--") > MAX_BOUNDARIES:
        raise bad(f"The message has more than {attachments.MAX_PARTS} parts.")
    if _LONG_LINE.search(data):
        raise bad(f"A line of the message is longer than {MAX_LINE_BYTES} characters.")
    try:
        return _read(BytesParser(policy=policy.default).parsebytes(data))
    except _UNREADABLE as error:
        raise bad(f"The raw message could not be read: {error}") from None


def _read(message: Message) -> Raw:
    headers = [(name, str(value)) for name, value in message.items()]
    sent_by = [str(value) for name, value in message.raw_items() if name.lower() == "from"]
    assert isinstance(message, EmailMessage)  # noqa: S101 - what the default policy makes
    if not headers:
        raise bad("The raw message has no header.")
    named = dict[str, list[str]]()
    for name, value in headers:
        named.setdefault(name.lower(), []).append(value)
    for name in _ONCE_ONLY:
        if len(named.get(name.lower(), ())) > 1:
            raise bad(f"Duplicate header '{name}'.")

    def addresses(name: str) -> list[str]:
        pairs = getaddresses(named.get(name, []))
        return [f"{shown} <{bare}>" if shown else bare for shown, bare in pairs if bare]

    common: dict[str, Any] = {
        "from": addresses("from"),
        "to": addresses("to"),
        "cc": addresses("cc"),
        "replyTo": addresses("reply-to"),
        "subject": next(iter(named.get("subject", [])), None),
    }
    everybody = getaddresses([one for name in ("to", "cc", "bcc") for one in named.get(name, [])])
    return Raw(
        source=_unfolded(sent_by),
        recipients=[bare for _, bare in everybody if bare],
        headers=[one for one in headers if one[0].lower() not in (*_STANDS_FOR, "bcc")],
        common={name: value for name, value in common.items() if value},
        tags=_tags(named.get("x-ses-message-tags", [])),
        configuration_set=next(iter(named.get("x-ses-configuration-set", [])), None),
        content=_content(message),
    )


def _unfolded(sent_by: list[str]) -> str | None:
    """From as it was sent: an encoded word stays one (RFC 2047)."""
    return " ".join(sent_by[0].split()) if sent_by else None


def _tags(values: list[str]) -> list[tuple[str, str]]:
    pairs = [pair.strip() for value in values for pair in value.split(",") if pair.strip()]
    return [(name.strip(), value.strip()) for name, _, value in (p.partition("=") for p in pairs)]


def _content(message: EmailMessage) -> bytes:
    found = []
    for number, part in enumerate(message.walk()):
        if number > attachments.MAX_PARTS:
            raise bad(f"The message has more than {attachments.MAX_PARTS} parts.")
        name = part.get_filename()
        if name and attachments.refused(name):
            raise bad(f"Attachments of this type are not supported: {name[-60:]!r}")
        if not part.is_multipart():
            payload = part.get_payload(decode=True)
            found.append(payload if isinstance(payload, bytes) else b"")
    return b"\n".join(found)
