"""The body of `POST /send-emails`. Its entries are read all at once; if anything is wrong with one,
each by itself, so that a bad one does not fail its neighbours. Pure.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from ingest import strict_json
from ingest.decoding import SendEmailRequest, keys_inside, keys_of
from mailpipe.attachments import LARGE_CHARS
from mailpipe.messages import Stream
from mailpipe.rules import Violation

KEY = "Idempotency-Key"
MAX_ENTRIES = 500
BULK: Stream = "bulk"


class BatchEntry(SendEmailRequest, kw_only=True):
    """One e-mail of a batch."""

    stream: Stream = BULK
    idempotency_key: Annotated[
        str | None, Meta(description="As the header Idempotency-Key of a single e-mail")
    ] = None

    def is_usual(self) -> bool:
        """See SendEmailRequest."""
        return self.stream is BULK and self.idempotency_key is None


class SendEmailsRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Up to 500 e-mails; what is wrong with one keeps no other from being sent."""

    emails: Annotated[list[BatchEntry], Meta(min_length=1, max_length=MAX_ENTRIES)]


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    emails: list[msgspec.Raw]


class _Names(msgspec.Struct):
    """Under which names each entry gives something."""

    emails: list[dict[str, msgspec.Raw]]


Entry = BatchEntry | msgspec.Raw
"""Read, or not looked into yet."""

_whole = msgspec.json.Decoder(SendEmailsRequest)
_names = msgspec.json.Decoder(_Names)
_batches = msgspec.json.Decoder(_Batch)
_entries = msgspec.json.Decoder(BatchEntry)


def quick(body: bytes) -> Sequence[Entry] | None:
    """The entries, read, if it is plain that nothing is wrong with any."""
    whole = strict_json.at_once(_whole, _least_keys, body)
    return None if whole is None else whole.emails


def split(body: bytes) -> Sequence[Entry] | Violation:
    """The entries of any body, not looked into yet."""
    batch = strict_json.read(_batches, body)
    if isinstance(batch, Violation):
        return batch
    if not batch.emails:
        return Violation("emails", "min_items", "emails holds no e-mail; give at least one.")
    return batch.emails


def _least_keys(body: bytes, batch: SendEmailsRequest) -> Iterator[int]:
    inside = len(SendEmailsRequest.__struct_fields__) + keys_inside(batch.emails)
    yield inside + keys_of(batch.emails)
    yield inside + sum(map(len, _names.decode(body).emails))


def is_large(given: msgspec.Raw) -> bool:
    """Whether to read it takes too long for an event loop."""
    return len(memoryview(given)) > LARGE_CHARS


def entry(given: Entry) -> BatchEntry | Violation:
    """One entry, read; a violation's field is the entry's own."""
    if isinstance(given, BatchEntry):
        return given
    return strict_json.part(_entries, given)


def placed(violation: Violation, index: int) -> Violation:
    """The same, with its place in the batch: `to[0]` of entry 3 is `emails[3].to[0]`."""
    field = "idempotencyKey" if violation.field == KEY else violation.field
    whole = field in ("body", "")
    return violation._replace(field=f"emails[{index}]" if whole else f"emails[{index}].{field}")
