"""A whole mail as bytes (MIME), where SES does not compose it. Pure.

RFC 5322 and 2045-2049, file names by RFC 2231. What the generator made is read again before it goes
out: no value of a producer may have become a header of its own.
"""

from base64 import b64decode
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from typing import NamedTuple

from mailpipe.messages import Attachment, Email

MAX_LINE_CHARS = 998  # RFC 5322, section 2.1.1
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
    """What the mail says; addresses as they stand in a header. Nobody sees bcc."""

    from_: str
    to: list[str]
    cc: list[str]
    reply_to: list[str]
    email: Email
    headers: dict[str, str]


class Forged(Exception):
    """The built mail has other headers than it was given."""


def composed(mail: Mail) -> bytes:
    """The mail. Raises Forged."""
    fields = {"From": mail.from_, "To": ", ".join(mail.to), "Cc": ", ".join(mail.cc)}
    fields |= {"Reply-To": ", ".join(mail.reply_to), "Subject": mail.email.subject, **mail.headers}
    built = EmailMessage(_POLICY)
    for name, value in fields.items():
        if value:
            built[name] = value
    _add_texts(built, mail.email)
    for one in mail.email.attachments:
        _attach(built, one)
    data = built.as_bytes()
    _check(data, [name for name, value in fields.items() if value])
    return data


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


def _check(data: bytes, names: list[str]) -> None:
    found = [name.lower() for name in BytesHeaderParser(policy=policy.compat32).parsebytes(data)]
    expected = sorted([*map(str.lower, names), *_OF_MIME])
    if sorted(found) != expected or b"\r\n" not in data:
        raise Forged(f"headers {sorted(found)}, expected {expected}")
