"""How a mail gets to SES: the path of all mail, and one of its own for large mail.

What is megabytes long takes long to encode, to sign and to upload. It goes over connections of its
own, is made ready in threads, few at a time, and has more time: small mail never waits behind it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from mailpipe.aws.client import Client
from mailpipe.aws.queue import Received
from mailpipe.messages import EmailMessage

LARGE_BYTES = 256 * 1024


class Path(Struct, frozen=True):
    """A client, and what a mail needs on this path beyond the usual: `more_s` for its upload (its
    claim lives so much longer too), `more_slots` beside those for its recipients.

    SES counts a mail when it is there, which for an upload is later than its instant: with
    `more_slots` it takes room beside its own, which need not be in the second in which it counts.
    """

    client: Client
    more_s: float = 0.0
    more_slots: int = 0


class Paths:
    """`at_once`: large mails at a time."""

    def __init__(
        self, usual: Client, large: Client, *, at_once: int, upload_bytes_per_s: float
    ) -> None:
        self._usual = Path(usual)
        self._large = large
        self._free = at_once
        self._upload_bytes_per_s = upload_bytes_per_s

    def usual(self, received: Received, message: EmailMessage) -> Path | None:
        """The path of a mail that is not large."""
        return self._usual if _size(received, message) <= LARGE_BYTES else None

    @contextmanager
    def of(self, received: Received, message: EmailMessage) -> Iterator[Path | None]:
        """The path of this mail while the block runs; None: enough large mail is in hand."""
        size = _size(received, message)
        if size <= LARGE_BYTES:
            yield self._usual
        elif not self._free:
            yield None
        else:
            self._free -= 1
            try:
                yield Path(self._large, size / self._upload_bytes_per_s, more_slots=1)
            finally:
                self._free += 1


def _size(received: Received, message: EmailMessage) -> int:
    return len(received.body) if message.body is None else message.body.size
