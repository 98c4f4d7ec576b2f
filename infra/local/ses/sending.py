"""What SES checks of a SendEmail request before it looks at the account. Pure.

Limits and patterns: SES API v2 reference, "SendEmail", "Destination", "MessageHeader",
"MessageTag", "Attachment"; SES Developer Guide, "Service quotas in Amazon SES" and "Amazon SES
header fields".
"""

import re
from collections import Counter
from typing import Any

import msgspec
from msgspec import Struct

from infra.local.ses import attachments, raw
from infra.local.ses.addresses import AddressFault, addr_spec
from infra.local.ses.refusals import Refusal, bad, missing
from infra.local.ses.requests import (
    Content,
    Destination,
    Pair,
    Part,
    SendEmail,
    Simple,
    decoder,
)

MAX_RECIPIENTS = 50
MAX_HEADERS = 15
MAX_HEADER_CHARACTERS = 996
MAX_BYTES = 40 * 1024 * 1024
"""Of the message after base64 encoding."""


_HEADER_NAME = re.compile(r"[!-9;-@A-~]{1,126}")
_HEADER_VALUE = re.compile(r"[ -~]{1,995}")
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
_TAGS_FOR_FEEDBACK_ID = frozenset({"ses:feedback-id-a", "ses:feedback-id-b"})
_COMPOSED_BY_SES = frozenset(
    {"from", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "mime-version"}
    | {"return-path", "sender"}
)
_ONCE_ONLY = frozenset({"list-unsubscribe", "list-unsubscribe-post", "feedback-id"})


class Message(Struct):
    """A request that passed. Addresses are bare, except in what becomes a header."""

    source: str
    sender: str
    recipients: list[str]
    headers: list[tuple[str, str]]
    own_headers: list[tuple[str, str]]
    common: dict[str, Any]
    tags: dict[str, str]
    configuration_set: str | None
    infected: bool = False


def decode(body: bytes) -> SendEmail:
    """The request. Raises Refusal."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad(f"The request could not be read: {error}") from None


def validate(request: SendEmail) -> Message:
    """The message, if SES would take it from an account in good standing. Raises Refusal."""
    if (member := request.not_done()) is not None:
        raise bad(f"This simulator does not do {member}.")
    content = _one_form(request.content)
    if content.raw is not None:
        return _raw(request, content.raw.data)
    return _simple(request, content.simple or Simple())


def described(request: SendEmail) -> dict[str, Any]:
    """What a log says of a request, be it good or bad: from, recipients, tags, headers."""
    simple = request.content.simple if request.content is not None else None
    headers = (simple.headers or ()) if simple is not None else ()
    return {
        "from": request.from_email_address,
        "recipients": [_bare(one) for one in request.given_recipients()],
        "tags": {tag.name or "": tag.value or "" for tag in request.email_tags or ()},
        "headers": joined([(header.name or "", header.value or "") for header in headers]),
    }


def joined(headers: list[tuple[str, str]]) -> dict[str, str]:
    """By name; of a repeated header all values."""
    found = dict[str, str]()
    for name, value in headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _one_form(content: Content | None) -> Content:
    if content is None:
        raise missing("content")
    given = (content.simple, content.raw, content.template)
    if sum(one is not None for one in given) != 1:
        raise bad("Content must hold exactly one of Simple, Raw and Template.")
    if content.template is not None:
        raise bad("This simulator does not do Template content yet.")
    return content


def _simple(request: SendEmail, simple: Simple) -> Message:
    if not request.from_email_address:
        raise bad("Missing required header 'From'.")
    subject = _part(simple.subject, "content.simple.subject")
    if "\r" in subject or "\n" in subject:
        raise bad("The subject contains a line break.")
    kind, own = _body(simple), _headers(simple.headers or [])
    source, sender = request.from_email_address, _address(request.from_email_address)
    reply_to = request.reply_to_addresses or []
    for one in reply_to:
        _address(one)
    to = request.destination or Destination()
    addresses: dict[str, list[str] | None] = {
        "To": to.to_addresses,
        "Cc": to.cc_addresses,
        "Reply-To": reply_to,
    }
    headers = [("From", source)]
    headers += [(name, ", ".join(some)) for name, some in addresses.items() if some]
    headers += [("Subject", subject), ("MIME-Version", "1.0"), ("Content-Type", kind), *own]
    common: dict[str, Any] = {"from": [source], "to": to.to_addresses, "cc": to.cc_addresses}
    common |= {"replyTo": reply_to, "subject": subject}
    return Message(
        source=source,
        sender=sender,
        recipients=_checked(request.given_recipients()),
        headers=headers,
        own_headers=own,
        common={name: value for name, value in common.items() if value},
        tags=_tags(request.email_tags or []),
        configuration_set=request.configuration_set_name,
        infected=attachments.check(simple.attachments or []),
    )


def _raw(request: SendEmail, data: bytes | None) -> Message:
    if not data:
        raise missing("content.raw.data")
    if len(data) * 4 / 3 > MAX_BYTES:
        raise bad(f"Message length is more than {MAX_BYTES} bytes long.")
    found = raw.read(data)
    source = request.from_email_address or found.source
    if not source:
        raise bad("Missing required header 'From'.")
    given = request.given_recipients() or found.recipients
    tags = _tags(request.email_tags or [Pair(*one) for one in found.tags])
    return Message(
        source=source,
        sender=_address(source),
        recipients=_checked(given),
        headers=found.headers,
        own_headers=found.headers,
        common=found.common,
        tags=tags,
        configuration_set=request.configuration_set_name or found.configuration_set,
        infected=attachments.EICAR in found.content,
    )


def _address(text: str) -> str:
    try:
        return addr_spec(text)
    except AddressFault as fault:
        raise bad(str(fault)) from None


def _bare(text: str) -> str:
    try:
        return addr_spec(text)
    except AddressFault:
        return text


def _checked(given: list[str]) -> list[str]:
    if not given:
        raise bad("The destination holds no recipient.")
    if len(given) > MAX_RECIPIENTS:
        raise bad(f"Recipient count exceeds {MAX_RECIPIENTS}.")
    return [_address(one) for one in given]


def _part(part: Part | None, path: str) -> str:
    if part is None:
        raise missing(path)
    if part.data is None:
        raise missing(f"{path}.data")
    charset = part.charset or "US-ASCII"
    if part.data.isascii() and charset in ("US-ASCII", "UTF-8"):
        return part.data
    try:
        part.data.encode(charset)
    except UnicodeEncodeError:
        text = f"{path} holds characters outside {part.charset or '7-bit ASCII; give its Charset'}."
        raise bad(text) from None
    except (LookupError, ValueError):
        raise bad(f"Unsupported charset: {part.charset!r}") from None
    return part.data


def _body(simple: Simple) -> str:
    """The Content-Type that it will have."""
    body = simple.body
    if body is None:
        raise missing("content.simple.body")
    if body.text is None and body.html is None:
        raise bad("The body must hold Text or Html.")
    size = 0
    for name, part in (("text", body.text), ("html", body.html)):
        if part is not None:
            size += len(_part(part, f"content.simple.body.{name}"))
    size += sum(len(one.raw_content or b"") * 4 // 3 for one in simple.attachments or ())
    if size > MAX_BYTES:
        raise bad(f"Message length is more than {MAX_BYTES} bytes long: '{size}'.")
    if simple.attachments:
        return 'multipart/mixed; boundary="----=_Part_1"'
    if body.text is not None and body.html is not None:
        return 'multipart/alternative; boundary="----=_Part_1"'
    kind, only = ("plain", body.text) if body.text is not None else ("html", body.html)
    return f"text/{kind}; charset={(only and only.charset) or 'us-ascii'}"


def _headers(given: list[Pair]) -> list[tuple[str, str]]:
    if len(given) > MAX_HEADERS:
        raise bad(f"The number of headers exceeds {MAX_HEADERS}.")
    headers = [(header.name or "", header.value or "") for header in given]
    for name, value in headers:
        if not _HEADER_NAME.fullmatch(name):
            raise bad(f"Invalid header name: {name[:126]!r}")
        if not _HEADER_VALUE.fullmatch(value):
            raise bad(f"Invalid value of header {name}")
        if len(name) + len(value) > MAX_HEADER_CHARACTERS:
            raise bad(f"Header {name} is longer than {MAX_HEADER_CHARACTERS} characters")
        lower = name.lower()
        if lower in _COMPOSED_BY_SES or lower.startswith(("content-", "x-ses-")):
            raise bad(f"Header {name} must not be given among Headers")
    if len(headers) > 1:
        counted = Counter(name.lower() for name, _ in headers)
        for name in _ONCE_ONLY:
            if counted[name] > 1:
                raise bad(f"Duplicate header '{name}'.")
    return headers


def _tags(given: list[Pair]) -> dict[str, str]:
    tags = dict[str, str]()
    for tag in given:
        name, value = tag.name or "", tag.value or ""
        if not _TAG.fullmatch(name) and name not in _TAGS_FOR_FEEDBACK_ID:
            raise _bad_tag("name", name)
        if not _TAG.fullmatch(value):
            raise _bad_tag("value", value)
        if name in tags:
            raise bad(f"Duplicate tag <{name}>.")
        tags[name] = value
    return tags


def _bad_tag(part: str, text: str) -> Refusal:
    return bad(
        f"Invalid tag {part} <{text[:256]}>. Only ASCII letters, digits, '_' and '-' are allowed, "
        "at most 256."
    )
