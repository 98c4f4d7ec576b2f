"""SendEmail's request: decoding and SES's refusals. Pure.

Codes and limits: SES API v2 reference, "SendEmail" and its data types; SES Developer Guide,
"Service quotas in Amazon SES".
"""

import re
from email.utils import getaddresses, parseaddr
from itertools import chain

import msgspec
from msgspec import Struct

MAX_RECIPIENTS = 50
MAX_HEADERS = 15
SIMULATOR_DOMAIN = "simulator.amazonses.com"

_HEADER_NAME = re.compile(r"\A[!-9;-@A-~]{1,126}\Z")
_HEADER_VALUE = re.compile(r"\A[ -~\t]{1,995}\Z")
_TAG = re.compile(r"\A[A-Za-z0-9_-]{1,256}\Z")
_FEEDBACK_TAG = re.compile(r"\Ases:feedback-id-[ab]\Z")
_DOMAIN = re.compile(r"\A(?=.{1,253}\Z)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+\Z")
_LOCAL = re.compile(r"\A[!#-'*+\-./0-9=?A-Z^_`a-z{|}~]{1,64}\Z")


class Text(Struct, rename="pascal"):
    """A part of the message."""

    data: str
    charset: str = "UTF-7"


class Body(Struct, rename="pascal"):
    """Text, HTML, or both."""

    text: Text | None = None
    html: Text | None = None


class Pair(Struct, rename="pascal"):
    """A header or a tag."""

    name: str
    value: str


class Simple(Struct, rename="pascal"):
    """A message that SES composes."""

    subject: Text
    body: Body
    headers: list[Pair] = []
    attachments: list[msgspec.Raw] = []


class Content(Struct, rename="pascal"):
    """Exactly one form."""

    simple: Simple | None = None
    raw: msgspec.Raw | None = None
    template: msgspec.Raw | None = None


class Destination(Struct, rename="pascal"):
    """Who gets it."""

    to_addresses: list[str] = []
    cc_addresses: list[str] = []
    bcc_addresses: list[str] = []


class SendEmail(Struct, rename="pascal"):
    """The request, as far as this simulator knows it."""

    content: Content
    from_email_address: str = ""
    destination: Destination = msgspec.field(default_factory=Destination)
    reply_to_addresses: list[str] = []
    configuration_set_name: str | None = None
    email_tags: list[Pair] = []

    def recipients(self) -> list[str]:
        """Bare addresses: to, cc, bcc."""
        to = self.destination
        everybody = [*to.to_addresses, *to.cc_addresses, *to.bcc_addresses]
        return [parseaddr(one)[1] for one in everybody]

    def sender(self) -> str:
        """The bare From address."""
        return parseaddr(self.from_email_address)[1]

    def tags(self) -> dict[str, str]:
        """The caller's tags."""
        return {tag.name: tag.value for tag in self.email_tags}

    def simulated(self) -> int:
        """How many recipients are the mailbox simulator's."""
        return sum(one.lower().endswith("@" + SIMULATOR_DOMAIN) for one in self.recipients())


class Refusal(Exception):
    """SES says no: HTTP status, error code, text."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


decoder = msgspec.json.Decoder(SendEmail)


def decode(body: bytes) -> SendEmail:
    """The request. Raises Refusal."""
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise _bad(f"Malformed request: {error}") from None


def validate(request: SendEmail) -> Simple:
    """What SES checks before it accepts; the message. Raises Refusal."""
    content = request.content
    if sum(one is not None for one in (content.simple, content.raw, content.template)) != 1:
        raise _bad("Exactly one of Simple, Raw and Template must be given.")
    if content.simple is None or content.simple.attachments:
        raise _bad("This simulator takes Simple content without attachments only.")
    _addresses(request)
    _message(content.simple)
    _tags(request.email_tags)
    return content.simple


def _addresses(request: SendEmail) -> None:
    recipients = request.recipients()
    if not recipients:
        raise _bad("Destination must hold at least one recipient.")
    if len(recipients) > MAX_RECIPIENTS:
        raise _bad(f"Recipient count exceeds {MAX_RECIPIENTS}.")
    _one_each(request)
    replies = [parseaddr(one)[1] for one in request.reply_to_addresses]
    for address in [request.sender(), *recipients, *replies]:
        local, at, domain = address.rpartition("@")
        if not at or not _DOMAIN.match(domain):
            raise _bad("Missing final '@domain'")
        if not _LOCAL.match(local) or local.startswith(".") or ".." in address:
            raise _bad("Local address contains control or whitespace")


def _one_each(request: SendEmail) -> None:
    """Each string is one address, in 7-bit ASCII: two in one would be counted as one recipient."""
    to = request.destination
    lists = (to.to_addresses, to.cc_addresses, to.bcc_addresses, request.reply_to_addresses)
    for text in [request.from_email_address, *chain.from_iterable(lists)]:
        if len(getaddresses([text])) != 1:
            raise _bad("Each address must be given by itself.")
        if not text.isascii():
            raise _bad("Addresses must be 7-bit ASCII; encode names by RFC 2047.")


def _message(simple: Simple) -> None:
    parts = {"Subject": simple.subject, "Text": simple.body.text, "Html": simple.body.html}
    for name, part in parts.items():
        if part is not None and part.charset == "UTF-7" and not part.data.isascii():
            raise _bad(f"{name} holds characters outside 7-bit ASCII; give its Charset.")
    if "\n" in simple.subject.data or "\r" in simple.subject.data:
        raise _bad("Subject must not contain line breaks.")
    if simple.body.text is None and simple.body.html is None:
        raise _bad("Body must hold Text or Html.")
    if len(simple.headers) > MAX_HEADERS:
        raise _bad(f"At most {MAX_HEADERS} headers.")
    for header in simple.headers:
        if not _HEADER_NAME.match(header.name) or not _HEADER_VALUE.match(header.value):
            raise _bad(f"Invalid header: {header.name[:40]!r}")
        if len(header.name) + len(header.value) > 996:
            raise _bad(f"Header too long: {header.name[:40]!r}")


def _tags(tags: list[Pair]) -> None:
    for tag in tags:
        named = _TAG.match(tag.name) or _FEEDBACK_TAG.match(tag.name)
        if not named or not _TAG.match(tag.value):
            raise _bad(f"Invalid tag: {tag.name[:40]!r}")


def _bad(text: str) -> Refusal:
    return Refusal(400, "BadRequestException", text)
