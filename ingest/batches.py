"""The body of `POST /send-emails`. Its entries are read one by one, so that a bad one does not fail
its neighbours. Pure.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from ingest import strict_json
from ingest.decoding import SendEmailRequest
from mailpipe.messages import Stream
from mailpipe.rules import Violation

KEY = "Idempotency-Key"
MAX_ENTRIES = 500


class BatchEntry(SendEmailRequest, kw_only=True):
    """One e-mail of a batch."""

    stream: Stream = "bulk"
    idempotency_key: Annotated[
        str | None, Meta(description="As the header Idempotency-Key of a single e-mail")
    ] = None


class SendEmailsRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Up to 500 e-mails; what is wrong with one keeps no other from being sent."""

    emails: Annotated[list[BatchEntry], Meta(min_length=1, max_length=MAX_ENTRIES)]


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    emails: list[msgspec.Raw]


_batches = msgspec.json.Decoder(_Batch)
_entries = msgspec.json.Decoder(BatchEntry)


def split(body: bytes) -> list[msgspec.Raw] | Violation:
    """The entries, not looked into yet."""
    batch = strict_json.read(_batches, body)
    if isinstance(batch, Violation):
        return batch
    if not batch.emails:
        return Violation("emails", "min_items", "emails holds no e-mail; give at least one.")
    return batch.emails


def entry(raw: msgspec.Raw) -> BatchEntry | Violation:
    """One entry; a violation's field is the entry's own."""
    return strict_json.part(_entries, raw)


def placed(violation: Violation, index: int) -> Violation:
    """The same, with its place in the batch: `to[0]` of entry 3 is `emails[3].to[0]`."""
    field = "idempotencyKey" if violation.field == KEY else violation.field
    whole = field in ("body", "")
    return violation._replace(field=f"emails[{index}]" if whole else f"emails[{index}].{field}")
