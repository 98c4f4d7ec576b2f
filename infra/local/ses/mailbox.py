"""The newest accepted mails, as they came in, with what was published about each.

Only kept here; how they look to a person is made when somebody looks (`inbox`).
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from infra.local.ses.requests import SendEmail, decoder

KEPT_MAILS = 1000
KEPT_BYTES = 256 * 1024 * 1024


class Mail(Struct, kw_only=True):
    """A mail that SES took. `source` and `recipients` are bare addresses, `at_s` wall seconds,
    `body` the request and `published` the events, oldest first, as bytes: a thousand decoded mails
    would cost every send more to throw away than to keep.
    """

    message_id: str
    at_s: float
    source: str
    recipients: list[str]
    body: bytes
    published: list[bytes] = []

    @property
    def request(self) -> SendEmail:
        """The request, member by member."""
        return decoder.decode(self.body)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The whole JSON of each event."""
        return [msgspec.json.decode(one) for one in self.published]


class Mailbox:
    """Newest mails; the oldest goes when there are too many."""

    def __init__(self, *, mails: int = KEPT_MAILS, max_bytes: int = KEPT_BYTES) -> None:
        self._mails, self._max_mails, self._max_bytes = OrderedDict[str, Mail](), mails, max_bytes
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._mails)

    def keep(self, mail: Mail) -> None:
        """Keep one."""
        self._mails[mail.message_id] = mail
        self._bytes += len(mail.body)
        while len(self._mails) > self._max_mails or self._bytes > self._max_bytes:
            self.delete(next(iter(self._mails)))

    def get(self, message_id: str) -> Mail | None:
        """One of them."""
        return self._mails.get(message_id)

    def newest(self) -> Iterator[Mail]:
        """All of them, newest first."""
        return reversed(self._mails.values())

    def delete(self, message_id: str) -> bool:
        """Forget one; whether it was there."""
        mail = self._mails.pop(message_id, None)
        if mail is not None:
            self._bytes -= len(mail.body)
        return mail is not None

    def clear(self) -> None:
        """Forget all."""
        self._mails.clear()
        self._bytes = 0
