"""A whole mail as bytes (MIME), where SES does not compose it. Pure.

RFC 5322 and 2045-2049, file names by RFC 2231. The lines with addresses are ours: Python's
generator decodes a name and writes it again without quotes, so that a comma in it begins another
mailbox (CVE-2025-1795). All is read again before it goes out: no value of a producer may have
become a header or a mailbox of its own.
"""

from base64 import b64decode
from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from re import split
from typing import NamedTuple

from mailpipe.addresses import Address
from mailpipe.messages import Attachment, Email

MAX_LINE_CHARS = 998  # RFC 5322, section 2.1.1
USUAL_LINE_CHARS = 78
_OF_MIME = ["mime-version", "content-type"]


class _Unfolded(policy.EmailPolicy):
    """Leaves a line alone that may stand as it is: folded, a long URL becomes an encoded word."""

    def fold_binary(self, name: str, value: str) -> bytes:
        line = f"{name}: {value}"
        if line.isascii() and len(line) <= MAX_LINE_CHARS:
            return f"{line}{self.linesep}".encode()
        return super().fold_binary(name, value)


_POLICY = _Unfolded(linesep="\r\n", cte_type="7bit")


class Mail(NamedTuple):
    """What the mail says. Nobody sees bcc."""

    from_: Address
    to: list[Address]
    cc: list[Address]
    reply_to: list[Address]
    email: Email
    headers: dict[str, str]

    def addressed(self) -> dict[str, list[Address]]:
        """The headers with addresses that it has."""
        fields = {"From": [self.from_], "To": self.to, "Cc": self.cc, "Reply-To": self.reply_to}
        return {name: addresses for name, addresses in fields.items() if addresses}


class Forged(Exception):
    """The built mail has other headers or addresses than it was given."""


def composed(mail: Mail) -> bytes:
    """The mail. Raises Forged."""
    built = EmailMessage(_POLICY)
    fields = {"Subject": mail.email.subject, **mail.headers}
    for name, value in fields.items():
        if value:
            built[name] = value
    _add_texts(built, mail.email)
    for one in mail.email.attachments:
        _attach(built, one)
    addressed = mail.addressed()
    lines = [folded(name, addresses) for name, addresses in addressed.items()]
    try:
        data = b"".join([*lines, built.as_bytes()])
    except MessageError as error:  # newer Pythons look at what they have written, too
        raise Forged(f"a header is more than one: {type(error).__name__}") from None
    _check(data, [name for name, value in fields.items() if value], addressed)
    return data


def folded(name: str, addresses: list[Address]) -> bytes:
    """A header with addresses, its lines broken at spaces (RFC 5322, section 2.2.3)."""
    lines = [f"{name}:"]
    # Of several spaces all but the last stay at the end: no line is of spaces only.
    for word in split(" (?=[^ ])", ", ".join(one.header for one in addresses)):
        if lines[-1] != f"{name}:" and len(lines[-1]) + 1 + len(word) > USUAL_LINE_CHARS:
            lines.append("")
        lines[-1] += f" {word}"
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def _add_texts(built: EmailMessage, email: Email) -> None:
    if email.body_text:
        built.set_content(email.body_text, cte="quoted-printable")
        if email.body_html:
            built.add_alternative(email.body_html, subtype="html", cte="quoted-printable")
    else:
        built.set_content(email.body_html, subtype="html", cte="quoted-printable")


def _attach(built: EmailMessage, one: Attachment) -> None:
    kind, *parameters = (part.strip() for part in one.content_type.split(";"))
    maintype, _, subtype = kind.partition("/")
    built.add_attachment(
        b64decode(one.content),
        maintype=maintype,
        subtype=subtype,
        filename=one.filename,
        params=dict(part.split("=", 1) for part in parameters),
    )


def _check(data: bytes, names: list[str], addressed: dict[str, list[Address]]) -> None:
    read = BytesHeaderParser(policy=policy.compat32).parsebytes(data)
    found = sorted(name.lower() for name in read)
    expected = sorted([*map(str.lower, [*names, *addressed]), *_OF_MIME])
    if found != expected or b"\r\n" not in data:
        raise Forged(f"headers {found}, expected {expected}")
    for name, addresses in addressed.items():
        specs = [spec for _, spec in getaddresses([read[name]])]
        if specs != [one.spec for one in addresses]:
            raise Forged(f"{name} has other addresses than it was given")
