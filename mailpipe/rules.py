"""What an e-mail must satisfy. One set of rules for both doors: REST and SDK call it before they
enqueue, the sender calls it for mail that was put onto the queue directly. Pure.

Limits are SES's (SES Developer Guide, "Service quotas in Amazon SES"; API reference, "Message",
"MessageTag", "MessageHeader") unless a line says otherwise.
"""

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import msgspec

from mailpipe import attachments, resources, times
from mailpipe.addresses import BadAddress, domain_of, parse
from mailpipe.constraints import Constraint
from mailpipe.messages import Email, MetadataValue, plain
from mailpipe.texts import unsafe_in_body, unsafe_in_header

MAX_RECIPIENTS = 50
MAX_REPLY_TO = 50  # ours: SES publishes no number
MAX_SUBJECT_CHARS = 998  # RFC 5322, section 2.1.1: the longest line
MAX_HEADERS = 14  # SES takes 15; one is our own X-Email-Id
MAX_HEADER_NAME = 126
MAX_HEADER_VALUE = 870  # RFC 5322's 998 less the longest name and ": "
MAX_TAGS = 20  # ours: SES publishes no number; four more are added by the sender
MAX_TAG_CHARS = 256

MAX_BODY_BYTES = 2_000_000  # ours, of each of the two bodies; SES takes 40 MB with attachments
MAX_INTEGER = 2**63 - 1  # what JSON readers of other languages hold
MAX_METADATA_BYTES = 4096  # ours: it is stored in the record and travels in every webhook

_HEADER_NAME = re.compile(r"\A[!-9;-@A-~]+\Z")
_PRINTABLE = re.compile(r"\A[\x20-\x7e]*\Z")
_IDEMPOTENCY_KEY = re.compile(r"\A[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?\Z")
_TAG = re.compile(r"\A[A-Za-z0-9_-]+\Z")
_OWN_TAGS = frozenset({"email_id", "attempt", "tenant", "stream"})
_RECIPIENTS = frozenset({"to", "cc", "bcc"})
_RESERVED_HEADERS = frozenset(
    {"from", "to", "cc", "bcc", "subject", "sender", "reply-to", "return-path", "date"}
    | {"message-id", "received", "mime-version", "x-email-id"}
)
_RESERVED_PREFIXES = ("content-", "dkim-", "domainkey-", "arc-", "x-ses-", "resent-")


class Violation(NamedTuple):
    """The first broken rule: where, which, and a sentence that says what to do."""

    field: str
    constraint: Constraint
    message: str


class ValidationError(ValueError):
    """An e-mail breaks a rule: `field` and `constraint` say which, the text says what to do."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(violation.message)
        self.violation = violation
        self.field, self.constraint, self.message = violation


def check(email: Email, *, accepted_ms: int) -> Violation | None:
    """The first rule that `email`, accepted then, breaks, or None."""
    return next(_violations(email, accepted_ms), None)


def check_from(email: Email, domains: list[str]) -> Violation | None:
    """Whether `from` is of one of the tenant's domains; an empty list allows any.

    The domains are written in either form and case (`bücher.example`, `XN--BCHER-KVA.example`). A
    sub-domain of an allowed one is another domain.
    """
    if not domains:
        return None
    try:
        domain = parse(email.from_).domain
    except BadAddress as error:
        return Violation("from", error.constraint, f"from: {error}")
    if domain in _allowed(tuple(domains)):
        return None
    return Violation("from", "from_domain", f"This tenant may not send from {domain}.")


@lru_cache(maxsize=1024)
def _allowed(domains: tuple[str, ...]) -> frozenset[str]:
    return frozenset(filter(None, map(domain_of, domains)))


def check_ids(tenant: str, email_id: str | None) -> Violation | None:
    """Whether the ids that a producer chose can be keys and SES tags."""
    for name, value in (("tenant", tenant), ("emailId", email_id)):
        if value is not None and not is_id(value):
            return Violation(
                name, "id_syntax", f"{name} is 1 to 64 of the characters A-Z a-z 0-9 _ -."
            )
    return None


def is_id(value: object) -> bool:
    """Whether this can be the id of a mail or of a tenant."""
    return (
        isinstance(value, str) and len(value) <= resources.MAX_ID_CHARS and bool(_TAG.match(value))
    )


def check_idempotency_key(key: str) -> Violation | None:
    """Whether this can be an idempotency key."""
    if isinstance(key, str) and _IDEMPOTENCY_KEY.match(key):
        return None
    return Violation(
        "Idempotency-Key",
        "idempotency_key_syntax",
        "An idempotency key is 1 to 256 printable ASCII characters.",
    )


def _violations(email: Email, accepted_ms: int) -> Iterator[Violation]:
    if email.template is not None:
        text = "template is not supported yet; leave it out."
        yield Violation("template", "not_supported", text)
    yield from _addresses(email)
    yield from _subject_and_body(email)
    yield from _headers(email.headers)
    yield from _tags(email.tags)
    yield from _metadata(email.metadata)
    yield from (Violation(*fault) for fault in times.faults(email, accepted_ms))
    yield from (Violation(*fault) for fault in attachments.faults(email))


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
    if len(email.reply_to) > MAX_REPLY_TO:
        yield Violation("replyTo", "max_items", f"replyTo takes at most {MAX_REPLY_TO} addresses.")
    seen = set[str]()
    for name, texts in (
        ("from", [email.from_]),
        *(("to", email.to), ("cc", email.cc), ("bcc", email.bcc)),
        ("replyTo", email.reply_to),
    ):
        for index, text in enumerate(texts):
            try:
                spec = parse(text).spec.casefold()
            except BadAddress as error:
                place = _place(name, index)
                yield Violation(place, error.constraint, f"{place}: {error}")
                continue
            if name in _RECIPIENTS:
                if spec in seen:
                    place = _place(name, index)
                    text = f"{place} stands twice in to, cc and bcc; name it once."
                    yield Violation(place, "unique", text)
                seen.add(spec)


def _place(name: str, index: int) -> str:
    return name if name == "from" else f"{name}[{index}]"


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
        if not text:
            continue
        if constraint := unsafe_in_body(text):
            yield Violation(
                name, constraint, f"{name} must not contain NUL or half of a surrogate pair."
            )
        elif len(text if text.isascii() else text.encode()) > MAX_BODY_BYTES:
            yield Violation(name, "max_bytes", f"{name} has more than {MAX_BODY_BYTES} bytes.")


def _headers(headers: dict[str, str]) -> Iterator[Violation]:
    if len(headers) > MAX_HEADERS:
        yield Violation("headers", "max_items", f"At most {MAX_HEADERS} custom headers.")
    if len(headers) > 1 and len({name.lower() for name in headers}) < len(headers):
        yield Violation("headers", "unique", "A header stands twice; case makes no difference.")
    for name, value in headers.items():
        if (constraint := _bad_header(name, value)) == "header_name":
            yield Violation("headers", constraint, _HEADER_RULES[constraint])
        elif constraint is not None:
            where = f"headers.{name[:40]}"
            yield Violation(where, constraint, f"{where} {_HEADER_RULES[constraint]}")


def _bad_header(name: str, value: str) -> Constraint | None:
    # Lengths first: a text that may be as long as a request must not be searched on an event loop.
    if len(name) > MAX_HEADER_NAME or not _HEADER_NAME.match(name):
        return "header_name"
    lower = name.lower()
    if lower in _RESERVED_HEADERS or lower.startswith(_RESERVED_PREFIXES):
        return "reserved"
    if len(value) > MAX_HEADER_VALUE:
        return "header_value"
    if constraint := unsafe_in_header(value):
        return constraint
    return None if _PRINTABLE.match(value) else "header_value"


_HEADER_RULES: dict[Constraint, str] = {
    "header_name": "A header's name is 1 to 126 printable ASCII characters without space or colon.",
    "reserved": "is set by mailpipe or SES; leave it out.",
    "control_characters": "must not contain control characters.",
    "encoded_word": "must not contain '=?'.",
    "unicode": "must not contain half of a surrogate pair.",
    "header_value": f"must be printable ASCII of at most {MAX_HEADER_VALUE} characters.",
}


def _tags(tags: dict[str, str]) -> Iterator[Violation]:
    if len(tags) > MAX_TAGS:
        yield Violation("tags", "max_items", f"At most {MAX_TAGS} tags.")
    for name, value in tags.items():
        if name in _OWN_TAGS:
            yield Violation(f"tags.{name}", "reserved", f"The tag {name} is mailpipe's own.")
        for text in (name, value):
            if len(text) > MAX_TAG_CHARS or not _TAG.match(text):
                yield Violation(
                    "tags",
                    "tag_syntax",
                    "A tag's name and value are 1 to 256 of the characters A-Z a-z 0-9 _ - each.",
                )


def _metadata(metadata: dict[str, MetadataValue]) -> Iterator[Violation]:
    if _too_large(metadata):  # before all of it is looked at
        text = f"metadata has at most {MAX_METADATA_BYTES} bytes as JSON."
        yield Violation("metadata", "max_bytes", text)
        return
    for key, value in metadata.items():
        if constraint := _bad_metadata(key) or _bad_metadata(value):
            yield Violation("metadata", constraint, f"metadata: {_METADATA_RULES[constraint]}")
            return
    size = len(msgspec.json.encode(metadata, enc_hook=plain))
    if size > MAX_METADATA_BYTES:
        yield Violation(
            "metadata",
            "max_bytes",
            f"metadata is {size} bytes as JSON; at most {MAX_METADATA_BYTES}.",
        )


def _too_large(metadata: dict[str, MetadataValue]) -> bool:
    """Whether it must be, without encoding it: an entry is its texts and `"":0,` at least."""
    least = 5 * len(metadata)
    if least <= MAX_METADATA_BYTES:
        texts = (text for entry in metadata.items() for text in entry if isinstance(text, str))
        least += sum(map(len, texts))
    return least > MAX_METADATA_BYTES


def _bad_metadata(value: object) -> Constraint | None:
    if isinstance(value, str):
        return unsafe_in_body(value)
    if type(value) is int:
        return None if -MAX_INTEGER <= value <= MAX_INTEGER else "number"
    if type(value) is float:
        return None if math.isfinite(value) else "number"
    return None if value is None or type(value) is bool else "type"


_METADATA_RULES: dict[Constraint, str] = {
    "control_characters": "keys and values must not contain NUL.",
    "unicode": "keys and values must not contain half of a surrogate pair.",
    "number": "numbers must be finite, integers of at most 64 bits.",
    "type": "keys are texts, values texts, numbers, true, false or null.",
}
