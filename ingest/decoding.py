"""From a request's bytes to an e-mail, or to the first rule that it breaks. Pure."""

import msgspec

from ingest import strict_json
from mailpipe.messages import Attachment, Email, Stream
from mailpipe.rules import Violation


class SentAttachment(Attachment, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """An attachment in a request."""


class SendEmailRequest(Email, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /send-email`: an e-mail and its lane."""

    attachments: list[SentAttachment] = []  # type: ignore[assignment]  # list is invariant
    stream: Stream = "transactional"

    def email(self) -> Email:
        """Without what is only of the request."""
        return msgspec.convert(self, Email, from_attributes=True)


_decoder = msgspec.json.Decoder(SendEmailRequest)


def decode(body: bytes) -> SendEmailRequest | Violation:
    """Read the body of a request."""
    return strict_json.read(_decoder, body)
