"""What an e-mail must satisfy. One set of rules for both doors: REST and SDK call it before they
enqueue, the sender calls it for mail that was put onto the queue directly. Pure.

Limits are SES's (SES Developer Guide, "Service quotas in Amazon SES"; API reference, "Message",
"MessageTag", "MessageHeader") unless a line says otherwise.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from mailpipe import resources
from mailpipe.addresses import BadAddress, parse, unsafe_in_header
from mailpipe.messages import Email

MAX_RECIPIENTS = 50
MAX_SUBJECT_CHARS = 998  # RFC 5322, section 2.1.1: the longest line
MAX_HEADERS = 14  # SES takes 15; one is our own X-Email-Id
MAX_HEADER_NAME = 126
MAX_HEADER_VALUE = 870  # RFC 5322's 998 less the longest name and ": "
MAX_TAGS = 20  # ours: SES publishes no number; four more are added by the sender
MAX_TAG_CHARS = 256

MAX_METADATA_BYTES = 4096  # ours: it is stored in the record and travels in every webhook
MAX_MESSAGE_BYTES = 1_000_000  # ours: SQS's 1 MiB less the envelope and its attributes

_HEADER_NAME = re.compile(r"\A[!-9;-@A-~]+\Z")
_PRINTABLE = re.compile(r"\A[\x20-\x7e\t]*\Z")
_IDEMPOTENCY_KEY = re.compile(r"\A[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?\Z")
_TAG = re.compile(r"\A[A-Za-z0-9_-]+\Z")
_OWN_TAGS = frozenset({"email_id", "attempt", "tenant", "stream"})
_RESERVED_HEADERS = frozenset(
    {"from", "to", "cc", "bcc", "subject", "sender", "reply-to", "return-path", "date"}
    | {"message-id", "received", "mime-version", "x-email-id"}
)
_RESERVED_PREFIXES = ("content-", "dkim-", "arc-", "x-ses-", "resent-")


class Violation(NamedTuple):
    """The first broken rule: where, which, and a sentence that says what to do."""

    field: str
    constraint: str
    message: str


class InvalidEmail(ValueError):
    """An e-mail breaks a rule; `violation` names the field and the constraint."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(violation.message)
        self.violation = violation


def check(email: Email) -> Violation | None:
    """The first rule that `email` breaks, or None."""
    return next(_violations(email), None)


def check_ids(tenant: str, email_id: str | None) -> Violation | None:
    """Whether the ids that a producer chose can be keys and SES tags."""
    for name, value in (("tenant", tenant), ("emailId", email_id)):
        if value is not None and (not _TAG.match(value) or len(value) > resources.MAX_ID_CHARS):
            return Violation(
                name, "id_syntax", f"{name} is 1 to 64 of the characters A-Z a-z 0-9 _ -."
            )
    return None


def check_idempotency_key(key: str) -> Violation | None:
    """Whether this can be an idempotency key."""
    if _IDEMPOTENCY_KEY.match(key):
        return None
    return Violation(
        "Idempotency-Key",
        "idempotency_key_syntax",
        "An idempotency key is 1 to 256 printable ASCII characters.",
    )


def check_size(encoded: str) -> Violation | None:
    """Whether the encoded queue message fits SQS; larger bodies are not supported yet."""
    if len(encoded) <= MAX_MESSAGE_BYTES:
        return None
    return Violation(
        "body",
        "max_bytes",
        f"The e-mail is {len(encoded)} bytes as a queue message; at most {MAX_MESSAGE_BYTES}.",
    )


def _violations(email: Email) -> Iterator[Violation]:
    yield from _unsupported(email)
    yield from _addresses(email)
    yield from _subject_and_body(email)
    yield from _headers(email.headers)
    yield from _tags(email.tags)
    size = len(msgspec.json.encode(email.metadata))
    if size > MAX_METADATA_BYTES:
        yield Violation(
            "metadata",
            "max_bytes",
            f"metadata is {size} bytes as JSON; at most {MAX_METADATA_BYTES}.",
        )


def _unsupported(email: Email) -> Iterator[Violation]:
    given = {
        "attachments": bool(email.attachments),
        "template": email.template is not None,
        "sendAt": email.send_at is not None,
        "expiresAt": email.expires_at is not None,
        "inDoubt": email.in_doubt != "resend",
    }
    for name, present in given.items():
        if present:
            yield Violation(name, "not_supported", f"{name} is not supported yet; leave it out.")


def _addresses(email: Email) -> Iterator[Violation]:
    if not email.to:
        yield Violation("to", "required", "to needs at least one address.")
    count = len(email.to) + len(email.cc) + len(email.bcc)
    if count > MAX_RECIPIENTS:
        yield Violation(
            "to",
            "max_items",
            f"to, cc and bcc together hold {count} recipients; SES takes {MAX_RECIPIENTS}.",
        )
    lists = {"to": email.to, "cc": email.cc, "bcc": email.bcc, "replyTo": email.reply_to}
    places = [("from", email.from_)] + [
        (f"{name}[{index}]", text)
        for name, texts in lists.items()
        for index, text in enumerate(texts)
    ]
    seen = set[str]()
    for place, text in places:
        try:
            spec = parse(text).spec
        except BadAddress as error:
            yield Violation(place, error.constraint, f"{place}: {error}")
            continue
        if place.startswith(("to[", "cc[", "bcc[")):
            if spec in seen:
                yield Violation(
                    place, "unique", f"{place} stands twice in to, cc and bcc; name it once."
                )
            seen.add(spec)


def _subject_and_body(email: Email) -> Iterator[Violation]:
    if not email.subject.strip():
        yield Violation("subject", "required", "Missing required field: subject")
    if len(email.subject) > MAX_SUBJECT_CHARS:
        yield Violation(
            "subject", "max_length", f"subject is longer than {MAX_SUBJECT_CHARS} characters."
        )
    if constraint := unsafe_in_header(email.subject):
        yield Violation(
            "subject", constraint, "subject must be one line without control characters or '=?'."
        )
    if not email.body_text and not email.body_html:
        yield Violation("bodyText", "required", "Give bodyText, bodyHtml, or both.")
    for name, text in (("bodyText", email.body_text), ("bodyHtml", email.body_html)):
        if text and "\x00" in text:
            yield Violation(name, "control_characters", f"{name} must not contain NUL.")


def _headers(headers: dict[str, str]) -> Iterator[Violation]:
    if len(headers) > MAX_HEADERS:
        yield Violation("headers", "max_items", f"At most {MAX_HEADERS} custom headers.")
    for name, value in headers.items():
        where = f"headers.{name[:40]}"
        lower = name.lower()
        if not _HEADER_NAME.match(name) or len(name) > MAX_HEADER_NAME:
            yield Violation(
                "headers",
                "header_name",
                "A header's name is 1 to 126 printable ASCII characters without space or colon.",
            )
        elif lower in _RESERVED_HEADERS or lower.startswith(_RESERVED_PREFIXES):
            yield Violation(where, "reserved", f"{name} is set by mailpipe or SES; leave it out.")
        elif constraint := unsafe_in_header(value):
            yield Violation(
                where, constraint, f"{where} must not contain control characters or '=?'."
            )
        elif not _PRINTABLE.match(value) or len(value) > MAX_HEADER_VALUE:
            yield Violation(
                where,
                "header_value",
                f"{where} must be printable ASCII of at most {MAX_HEADER_VALUE} characters.",
            )


def _tags(tags: dict[str, str]) -> Iterator[Violation]:
    if len(tags) > MAX_TAGS:
        yield Violation("tags", "max_items", f"At most {MAX_TAGS} tags.")
    for name, value in tags.items():
        if name in _OWN_TAGS:
            yield Violation(f"tags.{name}", "reserved", f"The tag {name} is mailpipe's own.")
        for text in (name, value):
            if not _TAG.match(text) or len(text) > MAX_TAG_CHARS:
                yield Violation(
                    "tags",
                    "tag_syntax",
                    "A tag's name and value are 1 to 256 of the characters A-Z a-z 0-9 _ - each.",
                )
