"""Bodies of requests, read as `ingest.guard.Guard.read` does it: the quick way first."""

from collections.abc import Sequence

from ingest import batches, decoding
from ingest.decoding import SendEmailRequest
from mailpipe.rules import Violation


def decode(body: bytes) -> SendEmailRequest | Violation:
    """The body of a request for one e-mail."""
    return decoding.quick(body) or decoding.decode(body)


def split(body: bytes) -> Sequence[batches.Entry] | Violation:
    """The body of a request for a batch."""
    return batches.quick(body) or batches.split(body)
