"""The messages that travel between the processes: structs, codecs, identifiers.

This is a public contract: producers may write `email.v1` onto the queue without our SDK. Frozen
examples are in `tests/data/contract/`. A new field gets a default; a type never changes, nor does a
default (an e-mail is written without what is the default); a `v2` is written one release after it
can be read.
"""

import hashlib
import os
import re
import time
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

Stream = Literal["transactional", "bulk"]
MetadataValue = str | int | float | bool | None

WEBHOOK_V1 = "webhook.v1"
MAX_MESSAGE_BYTES = 1_048_576
"""What SQS takes in one message, attributes included (SQS API reference, "SendMessage")."""


class Attachment(Struct, rename="camel", kw_only=True):
    """A file to attach; `content` is base64."""

    filename: str
    content_type: str
    content: str


class Email(Struct, rename="camel", kw_only=True, omit_defaults=True):
    """One e-mail as a producer writes it. Addresses are `a@example.com` or `Name <a@example.com>`.

    `mailpipe.rules.check` says what is allowed. `send_at` and `expires_at` are RFC 3339;
    `in_doubt` is what happens when SES may or may not have taken the mail and no event tells.
    """

    to: list[str]
    from_: str = field(name="from")
    subject: str
    body_text: str | None = None
    body_html: str | None = None
    cc: list[str] = []
    bcc: list[str] = []
    reply_to: list[str] = []
    attachments: list[Attachment] = []
    headers: dict[str, str] = {}
    metadata: dict[str, MetadataValue] = {}
    tags: dict[str, str] = {}
    template: dict[str, object] | None = None
    send_at: str | None = None
    expires_at: str | None = None
    in_doubt: Literal["resend", "unknown"] = "resend"

    def recipients(self) -> list[str]:
        """All recipients, in the order in which ranks count them: to, cc, bcc."""
        return [*self.to, *self.cc, *self.bcc]


EMAIL_FIELDS = tuple(zip(Email.__struct_fields__, Email.__struct_encode_fields__, strict=True))
"""Its names in Python and in JSON."""


class BodyPointer(Struct, rename="camel", kw_only=True):
    """Where a body too large for the queue lies (claim check); `sha256` is hex, `size` bytes."""

    s3_key: str
    size: int
    sha256: str


class EmailMessage(
    Struct, rename="camel", kw_only=True, tag_field="type", tag="email.v1", omit_defaults=True
):
    """`email.v1`: an accepted e-mail on its way to a sender.

    `email_id` is made by the producer, once per mail: the same id twice is one mail. `recorded`
    only hints that a record is being inserted; it is never evidence.
    """

    email_id: Annotated[str, Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]
    tenant: Annotated[str, Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]
    stream: Stream
    queued_at: str
    email: Email
    recorded: bool = False
    version: int = 0
    fingerprint: str | None = None
    body: BodyPointer | None = None


class RecordFields(Struct, rename="camel", kw_only=True):
    """What a record needs besides its key, so that our own events can make a missing one. Times are
    epoch milliseconds.
    """

    stream: str
    created_at: int
    from_: str = field(name="from")
    to: list[str]
    cc: list[str] = []
    bcc: list[str] = []
    subject: str = ""
    metadata: dict[str, MetadataValue] = {}
    tags: dict[str, str] = {}
    send_at: int | None = None
    expires_at: int | None = None


class OwnEvent(Struct, rename="camel", kw_only=True, tag_field="type", tag="event.v1"):
    """`event.v1`: something that SES does not cause (`suppressed`, `failed`, …) has happened.

    `id` is a hash of (emailId, status, attempt), so a repeat is recognised. `at` is RFC 3339.
    """

    id: str
    email_id: str
    tenant: str
    status: str
    attempt: int
    at: str
    reason: str
    record: RecordFields


class WebhookMessage(Struct, rename="camel", kw_only=True, tag_field="type", tag=WEBHOOK_V1):
    """`webhook.v1`: one event on its way to one endpoint.

    `event` is the body to sign and post, byte for byte. A retry is a copy with `attempt` + 1 under
    the same `webhook_id`. `first_attempt_at` is epoch milliseconds, 0 before the first attempt.
    """

    webhook_id: str
    tenant: str
    endpoint: str
    event_type: str
    event: msgspec.Raw
    attempt: int = 1
    first_attempt_at: int = 0


def plain(value: object) -> str:
    """For msgspec, which takes no subclass of `str`: Django's templates give `SafeString`.

    Raises TypeError for anything else.
    """
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


_encoder = msgspec.json.Encoder(enc_hook=plain)
_EIGHT_DIGITS = re.compile(rb"\\U([0-9a-f]{8})")


def encode(message: Struct) -> str:
    """JSON with everything outside ASCII escaped.

    SQS refuses some characters that JSON may hold (SQS API reference, "SendMessage": U+FFFE for
    one); escaped, it cannot matter.
    """
    text = _encoder.encode(message).decode()
    return text if text.isascii() else _escaped(text)


def _escaped(text: str) -> str:
    # Python's own escapes differ from JSON's where they are not of four digits. Escaped backslashes
    # stand aside meanwhile, as a character that JSON has not: after one an `x` is only a letter.
    data = text.replace("\\\\", "\0").encode("ascii", "backslashreplace")
    data = _EIGHT_DIGITS.sub(_surrogates, data.replace(b"\\x", b"\\u00"))
    return data.replace(b"\0", b"\\\\").decode("ascii")


def _surrogates(found: re.Match[bytes]) -> bytes:
    high, low = divmod(int(found[1], 16) - 0x10000, 0x400)
    return b"\\u%04x\\u%04x" % (0xD800 + high, 0xDC00 + low)


class _Owner(Struct):
    type: object = None
    tenant: object = None
    endpoint: object = None


_NOISE_BYTES = 10
"""Of the random bytes of an id the first gives two bits, the others all of theirs."""
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_GROUP = re.compile(r"[!-~]{1,128}")
"""What a MessageGroupId may be (SQS API reference, "SendMessage")."""


def group_of(body: str) -> str | None:
    """The MessageGroupId of a message that is sent again: SQS does not tell it. None: no message of
    ours, or it names what cannot be one.
    """
    try:
        owner = msgspec.json.decode(body, type=_Owner)
    except (msgspec.DecodeError, RecursionError):
        return None
    group = owner.endpoint if owner.type == WEBHOOK_V1 else owner.tenant
    return group if isinstance(group, str) and _GROUP.fullmatch(group) else None


email_decoder = msgspec.json.Decoder(EmailMessage)
own_event_decoder = msgspec.json.Decoder(OwnEvent)
webhook_decoder = msgspec.json.Decoder(WebhookMessage)


def new_email_id() -> str:
    """A UUIDv7 (RFC 9562, section 5.7): sorts by time, 74 random bits."""
    return _uuid7(_moment(), os.urandom(_NOISE_BYTES).hex())


def new_email_ids(most: int) -> Iterator[str]:
    """Up to so many of them, all of this moment."""
    moment, noise = _moment(), os.urandom(_NOISE_BYTES * most).hex()
    step = 2 * _NOISE_BYTES
    return (_uuid7(moment, noise[at : at + step]) for at in range(0, len(noise), step))


def _moment() -> str:
    digits = f"{time.time_ns() // 1_000_000:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _uuid7(moment: str, noise: str) -> str:
    return f"{moment}-7{noise[2:5]}-{_VARIANT[noise[0]]}{noise[5:8]}-{noise[8:]}"


def keyed_email_id(tenant: str, idempotency_key: str) -> str:
    """A UUIDv8 (RFC 9562, section 5.8) of both: a repeat under the same key is the same mail, even
    if the first try crashed before it could say so.
    """
    digest = hashlib.sha256(f"{tenant}\x1f{idempotency_key}".encode()).digest()
    value = int.from_bytes(digest[:16], "big")
    value = value & ~(0xF << 76) | 8 << 76  # the version
    value = value & ~(0x3 << 62) | 0x2 << 62  # the variant
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def fingerprint(email: Email) -> str:
    """What an idempotency key stands for: SHA-256 (hex) of the e-mail as it was understood, so that
    the order of JSON's members does not matter, nor whether one is there that says the usual.
    """
    whole = {name: getattr(email, attribute) for attribute, name in EMAIL_FIELDS}
    return hashlib.sha256(msgspec.json.encode(whole, order="sorted", enc_hook=plain)).hexdigest()


def short_hash(*parts: str) -> str:
    """A stable identifier of these parts: 128 bits of SHA-256, hex."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def own_event(
    email_id: str,
    tenant: str,
    *,
    status: str,
    attempt: int,
    at: str,
    reason: str,
    record: RecordFields,
) -> OwnEvent:
    """Our event for an end that SES does not cause; the same end always has the same id."""
    identity = short_hash(email_id, status, str(attempt))
    return OwnEvent(
        id=identity,
        email_id=email_id,
        tenant=tenant,
        status=status,
        attempt=attempt,
        at=at,
        reason=reason,
        record=record,
    )
