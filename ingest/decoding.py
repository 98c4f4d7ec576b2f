"""From a request's bytes to an e-mail, or to the first rule that it breaks. Pure."""

from collections.abc import Iterator, Sequence
from itertools import chain

import msgspec
from msgspec.structs import astuple

from ingest import strict_json
from mailpipe.messages import Attachment, Email, Stream
from mailpipe.rules import Violation

TRANSACTIONAL: Stream = "transactional"


class SentAttachment(Attachment, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """An attachment in a request."""


class SendEmailRequest(Email, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /send-email`: an e-mail and its lane."""

    attachments: list[SentAttachment] = []  # type: ignore[assignment]  # list is invariant
    stream: Stream = TRANSACTIONAL

    def is_usual(self) -> bool:
        """Whether what is only of a request has its default here: then it is never written, and the
        request can stand for its e-mail. (`is`: so msgspec's `omit_defaults` compares.)
        """
        return self.stream is TRANSACTIONAL

    def email(self) -> Email:
        """What is only of the request is not written with it; what it holds is not copied."""
        if self.is_usual():
            return self
        return Email(
            to=self.to,
            from_=self.from_,
            subject=self.subject,
            body_text=self.body_text,
            body_html=self.body_html,
            cc=self.cc,
            bcc=self.bcc,
            reply_to=self.reply_to,
            attachments=self.attachments,  # type: ignore[arg-type]  # list is invariant
            headers=self.headers,
            metadata=self.metadata,
            tags=self.tags,
            template=self.template,
            send_at=self.send_at,
            expires_at=self.expires_at,
            in_doubt=self.in_doubt,
        )


_decoder = msgspec.json.Decoder(SendEmailRequest)
_names = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NEVER_EMPTY = len([*filter(None, astuple(SendEmailRequest(to=[], from_="", subject="")))])


def quick(body: bytes) -> SendEmailRequest | None:
    """What the body of a request says, if it is plain that nothing is wrong with it."""
    return strict_json.at_once(_decoder, _least_keys, body)


def decode(body: bytes) -> SendEmailRequest | Violation:
    """The same of any body, in twice the time."""
    return strict_json.read(_decoder, body)


def _least_keys(body: bytes, request: SendEmailRequest) -> Iterator[int]:
    inside = keys_inside([request])
    yield inside + keys_of([request])
    yield inside + len(_names.decode(body))


def keys_of(requests: Sequence[SendEmailRequest]) -> int:
    """How many keys these have themselves, at least: what is not empty was given, less the fields
    whose defaults are not empty (`stream`, `inDoubt`).
    """
    values = chain.from_iterable(map(astuple, requests))
    return len([*filter(None, values)]) - _NEVER_EMPTY * len(requests)


def keys_inside(requests: Sequence[SendEmailRequest]) -> int:
    """How many different keys the objects inside of these have; those of templates not counted."""
    count = 0
    for one in requests:
        count += len(one.headers) + len(one.metadata) + len(one.tags)
        if one.attachments:
            count += len(SentAttachment.__struct_fields__) * len(one.attachments)
    return count
