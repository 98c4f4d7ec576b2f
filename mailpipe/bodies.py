"""What is too large for a queue message travels by S3; the message carries a claim check.

Such a mail is put whole, as JSON, into the bucket of bodies. Its message keeps everything but texts
and attachments, and says where the rest lies. The sender takes nothing from there that is not the
tenant's own, and of the size and SHA-256 that the message names.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha256

import msgspec

from mailpipe import failpoints
from mailpipe.accepting import Arrival, Draft, queued
from mailpipe.attachments import LARGE_CHARS, MAX_MAIL_BYTES, is_large
from mailpipe.aws.client import Aws
from mailpipe.aws.queue import Outgoing
from mailpipe.aws.s3 import Bucket, TooLarge, open_bucket
from mailpipe.messages import BodyPointer, Email, EmailMessage, Stream, plain
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.resources import BODIES_PREFIX, BODY_PREFIXES, LANES, SCHEDULED_PREFIX
from mailpipe.room import Room
from mailpipe.rules import Violation
from mailpipe.texts import told

MAX_QUEUED_BYTES = LARGE_CHARS
"""Of a message on the queue: SQS bills it by 64 KB, and ten small ones share a call."""
MAX_BODY_BYTES = 2 * MAX_MAIL_BYTES
"""Of an object; JSON may need more bytes than the mail has."""
MAX_IN_HAND_BYTES = 64_000_000
TIMEOUT_S = 60.0
"""For a whole object: 40 MB in 60 s are 5 Mbit/s."""

_KEY = re.compile(rf"\A(?:{'|'.join(BODY_PREFIXES)})([A-Za-z0-9_-]+)(?:/[A-Za-z0-9_-]+)+\Z")
_SHA256 = re.compile(r"\A[0-9a-f]{64}\Z")
_decoder = msgspec.json.Decoder(Email)


Letter = tuple[EmailMessage, Outgoing]
"""An e-mail that keeps the rules, and what goes onto the queue for it."""


class BadPointer(Exception):
    """What the message points to is not what it may be: no repeat can help."""


class BodyMissing(Exception):
    """There is no such object, or no longer."""


def small(
    email: Email,
    stream: Stream,
    arrival: Arrival,
    *,
    email_id: str | None = None,
    idempotency_key: str | None = None,
) -> Letter | None:
    """`Bodies.accept` for a mail that fits into its message, which most do; None: it does not.

    Raises ValidationError.
    """
    if is_large(email):
        return None
    return _fitting(
        arrival.accepted(email, stream, email_id=email_id, idempotency_key=idempotency_key)
    )


def small_all(
    drafts: Sequence[Draft], arrival: Arrival, *, domains: list[str]
) -> list[Letter | Violation | None]:
    """The same of several of which none `is_large`, or the rules that they break."""
    return [
        one if isinstance(one, Violation) else _fitting(one)
        for one in arrival.accepted_all(drafts, domains=domains)
    ]


def _fitting(message: EmailMessage) -> Letter | None:
    outgoing = queued(message)
    return (message, outgoing) if len(outgoing.body) <= MAX_QUEUED_BYTES else None


class Bodies:
    """Puts large mail into `bucket` and gets it back. Without a bucket only small mail goes."""

    def __init__(
        self, bucket: Bucket | None, *, max_in_hand_bytes: int = MAX_IN_HAND_BYTES
    ) -> None:
        self._bucket = bucket
        self._room = Room(max_in_hand_bytes)

    async def accept(
        self,
        email: Email,
        *,
        tenant: str,
        stream: Stream,
        email_id: str | None = None,
        idempotency_key: str | None = None,
        recorded: bool = False,
    ) -> Letter:
        """From an e-mail of any size to what goes onto the queue; holds up no event loop.

        Raises ValidationError, and CallFailed when a large mail could not be stored.
        """
        accepted = partial(
            Arrival(tenant, recorded=recorded).accepted,
            *(email, stream),
            email_id=email_id,
            idempotency_key=idempotency_key,
        )
        if not is_large(email):
            message = accepted()
            return message, await self.outgoing(message)
        async with self._room.take(_size(email)):
            message = await asyncio.to_thread(accepted)
            return message, await self._put(message)

    async def outgoing(self, message: EmailMessage) -> Outgoing:
        """The message as it goes onto the queue, its body put into the bucket if it is large.

        Raises CallFailed.
        """
        if not is_large(message.email):
            outgoing = queued(message)
            if len(outgoing.body) <= MAX_QUEUED_BYTES:
                return outgoing
        async with self._room.take(_size(message.email)):
            return await self._put(message)

    async def _put(self, message: EmailMessage) -> Outgoing:
        bucket = self._needed()
        body, pointed = await asyncio.to_thread(_checked_in, message)
        assert pointed.body is not None  # noqa: S101 - it was just made
        await bucket.put(pointed.body.s3_key, body)
        failpoints.hit("ingest.body_stored")
        return queued(pointed)

    @asynccontextmanager
    async def opened(self, message: EmailMessage) -> AsyncIterator[EmailMessage]:
        """`whole`, its bytes counted as in hand as long as the block runs."""
        if message.body is None:
            yield message
            return
        async with self._room.take(message.body.size):
            yield await self.whole(message)

    async def whole(self, message: EmailMessage) -> EmailMessage:
        """The message with the body that it points to.

        Raises BodyMissing, BadPointer (nothing is read of what is too large), CallFailed.
        """
        pointer = message.body
        if pointer is None:
            return message
        _check(pointer, message.tenant)
        try:
            body = await self._needed().get(pointer.s3_key, max_bytes=pointer.size)
        except TooLarge as error:
            raise BadPointer(f"the object is larger than the message says: {error}") from None
        if body is None:
            raise BodyMissing(f"there is no {pointer.s3_key}")
        return await asyncio.to_thread(_checked_out, message, pointer, body)

    async def kept_longer(self, message: EmailMessage) -> EmailMessage | None:
        """The message with its body where those of scheduled mail lie; None: it has none elsewhere.

        Raises CallFailed. What is wrong with the body shows when the mail is due.
        """
        pointer = message.body
        if pointer is None or not pointer.s3_key.startswith(BODIES_PREFIX):
            return None
        key = f"{SCHEDULED_PREFIX}{message.tenant}/{message.email_id}/{pointer.sha256}"
        moved = msgspec.structs.replace(pointer, s3_key=key)
        try:
            _check(pointer, message.tenant)
            _check(moved, message.tenant)
            async with self._room.take(pointer.size):
                body = await self._needed().get(pointer.s3_key, max_bytes=pointer.size)
                if body is None:
                    return None
                await self._needed().put(key, body)
        except (BadPointer, TooLarge):
            return None
        return msgspec.structs.replace(message, body=moved)

    def _needed(self) -> Bucket:
        if self._bucket is None:
            text = "a mail of this size needs the bucket of bodies: set MAILPIPE_BODIES_BUCKET"
            raise CallFailed(Kind.CONFIGURATION, "NoBodiesBucket", text)
        return self._bucket


def open_bodies_bucket(opened: Aws, bucket: str) -> Bucket | None:
    """This bucket of the account; "" stands for none."""
    return open_bucket(opened, bucket, timeout_s=TIMEOUT_S) if bucket else None


def open_bodies(opened: Aws, bucket: str) -> Bodies:
    """The bodies in this bucket; "" stands for none."""
    return Bodies(open_bodies_bucket(opened, bucket))


def open_bodies_of_lanes(opened: Aws, bucket: str) -> dict[str, Bodies]:
    """For each lane its own room: bulk mail that waits for its slots must not hold up the other."""
    return {lane: open_bodies(opened, bucket) for lane in LANES}


def _size(email: Email) -> int:
    texts = len(email.body_text or "") + len(email.body_html or "")
    return texts + sum(len(one.content) for one in email.attachments)


def _checked_in(message: EmailMessage) -> tuple[bytes, EmailMessage]:
    """The object, and the message that points to it."""
    prefix = BODIES_PREFIX if message.email.send_at is None else SCHEDULED_PREFIX
    body = msgspec.json.encode(message.email, enc_hook=plain)
    digest = sha256(body).hexdigest()
    # With the digest in its name no other mail under the same id ever overwrites it.
    pointer = BodyPointer(
        s3_key=f"{prefix}{message.tenant}/{message.email_id}/{digest}",
        size=len(body),
        sha256=digest,
    )
    return body, msgspec.structs.replace(message, email=_envelope(message.email), body=pointer)


def _envelope(email: Email) -> Email:
    """What stays in the message."""
    return msgspec.structs.replace(email, body_text=None, body_html=None, attachments=[])


def _check(pointer: BodyPointer, tenant: str) -> None:
    key = _KEY.match(pointer.s3_key)
    if key is None or key[1] != tenant or len(pointer.s3_key) > 1024:
        raise BadPointer(
            f"the key is not {BODIES_PREFIX}{tenant}/… (or {SCHEDULED_PREFIX}…), A-Z a-z 0-9 _ - /"
        )
    if not 0 < pointer.size <= MAX_BODY_BYTES:
        raise BadPointer(f"{pointer.size} bytes; an object has 1 to {MAX_BODY_BYTES}")
    if not _SHA256.match(pointer.sha256):
        raise BadPointer("sha256 is not 64 hexadecimal digits")


def _checked_out(message: EmailMessage, pointer: BodyPointer, body: bytes) -> EmailMessage:
    if len(body) != pointer.size or sha256(body).hexdigest() != pointer.sha256:
        raise BadPointer("size or SHA-256 of the object are not those of the message")
    try:
        email = _decoder.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadPointer(f"the object is no e-mail: {told(error)}") from None
    if _envelope(email) != message.email:
        raise BadPointer("the e-mail in the object is another than the message's")
    return msgspec.structs.replace(message, email=email)
