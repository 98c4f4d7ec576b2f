"""What an e-mail must satisfy. One set of rules for both doors: REST and SDK call it before they
enqueue, the sender calls it for mail that was put onto the queue directly. Pure.

Limits are SES's (SES Developer Guide, "Service quotas in Amazon SES"; API reference, "Message",
"MessageTag", "MessageHeader") unless a line says otherwise.
"""

import re
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import NamedTuple

from mailpipe import attachments, metadata, resources, times
from mailpipe.addresses import BadAddress, domain_of, parse
from mailpipe.constraints import Constraint
from mailpipe.messages import Email
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

_HEADER_NAME = re.compile(r"\A[!-9;-@A-~]+\Z")
_IDEMPOTENCY_KEY = re.compile(r"\A[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?\Z")
_TAG = re.compile(rf"\A[A-Za-z0-9_-]{{1,{MAX_TAG_CHARS}}}\Z")
_OWN_TAGS = frozenset({"email_id", "attempt", "tenant", "stream"})
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
    """The first rule that `email`, accepted then and of the right types, breaks, or None."""
    for rule in _RULES:
        if (violation := rule(email)) is not None:
            return violation
    return _times_and_attachments(email, accepted_ms)


def check_all(
    emails: Sequence[Email], *, accepted_ms: int, domains: list[str]
) -> list[Violation | None]:
    """`check_from` and `check` of each. Every rule is held against all before the next one is: its
    code stays in the processor's caches (`docs/performance.md`).
    """
    found = [check_from(email, domains) for email in emails]
    for rule in (*_RULES, partial(_times_and_attachments, accepted_ms=accepted_ms)):
        broken = [rule(email) for email in emails]
        if any(broken):
            found = [first or more for first, more in zip(found, broken, strict=True)]
    return found


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
    if not is_id(tenant):
        return _no_id("tenant")
    return None if email_id is None or is_id(email_id) else _no_id("emailId")


def _no_id(name: str) -> Violation:
    text = f"{name} is 1 to 64 of the characters A-Z a-z 0-9 _ -."
    return Violation(name, "id_syntax", text)


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


def _addresses(email: Email) -> Violation | None:
    if len(email.to) == 1 and not (email.cc or email.bcc or email.reply_to):  # most mail
        return _listed("from", [email.from_]) or _listed("to", email.to)
    count = len(email.to) + len(email.cc) + len(email.bcc)
    if not email.to:
        return Violation("to", "required", "to needs at least one address.")
    if count > MAX_RECIPIENTS:
        text = f"to, cc and bcc together hold {count} recipients; SES takes {MAX_RECIPIENTS}."
        return Violation("to", "max_items", text)
    if len(email.reply_to) > MAX_REPLY_TO:
        return Violation("replyTo", "max_items", f"replyTo takes at most {MAX_REPLY_TO} addresses.")
    seen = set[str]()
    return (
        _listed("from", [email.from_])
        or _listed("to", email.to, seen)
        or _listed("cc", email.cc, seen)
        or _listed("bcc", email.bcc, seen)
        or _listed("replyTo", email.reply_to)
    )


def _listed(name: str, texts: list[str], seen: set[str] | None = None) -> Violation | None:
    """Whether these are addresses, and none of them `seen` before, where that counts."""
    for index, text in enumerate(texts):
        try:
            address = parse(text)
        except BadAddress as error:
            place = _place(name, index)
            return Violation(place, error.constraint, f"{place}: {error}")
        if seen is None:
            continue
        spec = address.spec.casefold()
        if spec in seen:
            place = _place(name, index)
            text = f"{place} stands twice in to, cc and bcc; name it once."
            return Violation(place, "unique", text)
        seen.add(spec)
    return None


def _place(name: str, index: int) -> str:
    return name if name == "from" else f"{name}[{index}]"


def _subject_and_body(email: Email) -> Violation | None:
    if email.template is not None:
        text = "template is not supported yet; leave it out."
        return Violation("template", "not_supported", text)
    subject = email.subject
    if not subject.strip():
        return Violation("subject", "required", "Missing required field: subject")
    if len(subject) > MAX_SUBJECT_CHARS:
        text = f"subject is longer than {MAX_SUBJECT_CHARS} characters."
        return Violation("subject", "max_length", text)
    if constraint := unsafe_in_header(subject):
        text = "subject must be one line without control characters or '=?'."
        return Violation("subject", constraint, text)
    if not email.body_text and not email.body_html:
        return Violation("bodyText", "required", "Give bodyText, bodyHtml, or both.")
    return _body("bodyText", email.body_text) or _body("bodyHtml", email.body_html)


def _body(name: str, text: str | None) -> Violation | None:
    if not text:
        return None
    if constraint := unsafe_in_body(text):
        return Violation(
            name, constraint, f"{name} must not contain NUL or half of a surrogate pair."
        )
    if 4 * len(text) > MAX_BODY_BYTES and len(text.encode()) > MAX_BODY_BYTES:  # most is short
        return Violation(name, "max_bytes", f"{name} has more than {MAX_BODY_BYTES} bytes.")
    return None


def _headers(email: Email) -> Violation | None:
    headers = email.headers
    if not headers:
        return None
    if len(headers) > MAX_HEADERS:
        return Violation("headers", "max_items", f"At most {MAX_HEADERS} custom headers.")
    if len(headers) > 1 and len({name.lower() for name in headers}) < len(headers):
        return Violation("headers", "unique", "A header stands twice; case makes no difference.")
    for name, value in headers.items():
        constraint = _bad_header(name, value)
        if constraint is not None:
            rule = _HEADER_RULES[constraint]
            if constraint == "header_name":
                return Violation("headers", constraint, rule)
            where = f"headers.{name[:40]}"
            return Violation(where, constraint, f"{where} {rule}")
    return None


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
    return None if value.isascii() and value.isprintable() else "header_value"


_HEADER_RULES: dict[Constraint, str] = {
    "header_name": "A header's name is 1 to 126 printable ASCII characters without space or colon.",
    "reserved": "is set by mailpipe or SES; leave it out.",
    "control_characters": "must not contain control characters.",
    "encoded_word": "must not contain '=?'.",
    "unicode": "must not contain half of a surrogate pair.",
    "header_value": f"must be printable ASCII of at most {MAX_HEADER_VALUE} characters.",
}


def _tags(email: Email) -> Violation | None:
    tags = email.tags
    if len(tags) > MAX_TAGS:
        return Violation("tags", "max_items", f"At most {MAX_TAGS} tags.")
    for name, value in tags.items():
        if name in _OWN_TAGS:
            return Violation(f"tags.{name}", "reserved", f"The tag {name} is mailpipe's own.")
        if not _TAG.match(name) or not _TAG.match(value):
            text = "A tag's name and value are 1 to 256 of the characters A-Z a-z 0-9 _ - each."
            return Violation("tags", "tag_syntax", text)
    return None


def _metadata(email: Email) -> Violation | None:
    fault = metadata.fault_of(email.metadata)
    return None if fault is None else Violation(*fault)


def _times_and_attachments(email: Email, accepted_ms: int) -> Violation | None:
    fault = None
    if email.send_at is not None or email.expires_at is not None:
        fault = next(times.faults(email, accepted_ms), None)
    if fault is None and email.attachments:  # bodies alone are never too large together
        fault = attachments.fault_of(email)
    return None if fault is None else Violation(*fault)


_RULES = (_addresses, _subject_and_body, _headers, _tags, _metadata)
"""Those that need to know nothing but the e-mail."""
