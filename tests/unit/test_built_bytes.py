"""No e-mail that keeps the rules can make a header line of its own, whoever builds the bytes."""

from email.header import decode_header, make_header
from email.message import EmailMessage as Built
from email.mime.text import MIMEText
from email.parser import BytesHeaderParser
from email.policy import SMTP, compat32
from email.utils import getaddresses

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailpipe.addresses import Address, BadAddress, parse
from mailpipe.aws.ses_operations import SendEmail
from mailpipe.messages import Attachment, Email, EmailMessage
from mailpipe.rules import check
from sender.compose import request_for
from sender.mime import folded

LINE_BREAKS = "\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
"""What str.splitlines breaks at."""
GOOD = st.lists(
    st.sampled_from(
        ["a", "Hi", "é", "日本", "🌷", " ", ",", ";", '"', "\\", "(", "@", "=", "?", "​"]
    ),
    min_size=1,
    max_size=6,
).map("".join)
BAD = st.sampled_from(
    [
        *("=?", "?=", "=?utf-8?q?Hi=0D=0ABcc:_v@y.z?=", "=?utf-8?b?DQpCY2M6IHhAeS56?=", "=", "?"),
        *("\r\nBcc: v@y.z", "\nBcc: v@y.z", "\x85Bcc: v@y.z", "\u2028Bcc: v@y.z", "Bcc: v@y.z"),
        *(
            "x" * 80,
            "é" * 80,
            "\t",
            "\x00",
            "\x7f",
            "\u202e",
            "\ud800",
            "\ufeff",
            "\u200b",
            *LINE_BREAKS,
        ),
    ]
)
PLAIN = st.sampled_from(["Hi", "Order 5", "a=b?c", "<https://x.example/?a=b>", "x" * 870])
TEXTS = GOOD | st.text(max_size=30) | st.tuples(GOOD, BAD, GOOD).map("".join)
VALUES = PLAIN | PLAIN | TEXTS
NAMES = st.sampled_from(["X-A", "List-Unsubscribe", "Precedence", "X-A:", "Bcc", "X-A\r\nBcc"])


def simply(headers: list[tuple[str, str]]) -> bytes:
    """A generator without any care: it decodes what is encoded and writes it as it is."""
    lines = [f"{name}: {make_header(decode_header(value))}" for name, value in headers]
    return "\n".join([*lines, "", "x"]).encode()


def built(request: SendEmail) -> list[bytes]:
    """The mail as several generators write it."""
    simple = request.content.simple
    assert simple is not None
    headers = [
        ("From", request.from_email_address or ""),
        ("To", ", ".join(request.destination.to_addresses)),
        ("Subject", simple.subject.data),
        *((one.name, one.value) for one in simple.headers),
    ]
    modern, strict, legacy = Built(), Built(policy=SMTP), MIMEText("x")
    for made in (modern, strict):
        made.set_content("x")
    for message in (modern, strict, legacy):
        for name, value in headers:
            message[name] = value
    return [simply(headers), *(message.as_bytes() for message in (modern, strict, legacy))]


def header_names(message: bytes) -> set[str]:
    """Of every line that begins a header, whatever a reader takes for a line."""
    head = message.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode()
    return {
        line.partition(":")[0] for line in head.splitlines() if not line.startswith((" ", "\t"))
    }


EXPECTED = {"From", "To", "Subject", "X-Email-Id", "MIME-Version", "Content-Type"} | {
    "Content-Transfer-Encoding"
}


@given(GOOD, TEXTS, VALUES, NAMES, VALUES)
@example("x", "x", "Hi", "X-A", "=?utf-8?q?Hi=0D=0ABcc:_v@y.z?=")
@example("x", "x", "=?utf-8?q?Hi=0D=0ABcc:_v@y.z?=", "X-A", "x")
@example("Jörg, é", '"a" <b>', "Grüße 🌷 " * 50, "X-A", "x" * 870)
def test_what_passes_the_rules_makes_no_other_header_line(
    sender: str, recipient: str, subject: str, name: str, value: str
) -> None:
    email = Email(
        to=[f"{recipient} <a@example.com>"],
        from_=f"{sender} <b@example.com>",
        subject=subject,
        body_text=f"{subject}\r\nBcc: x@y.z",
        headers={name: value},
        tags={"a": "b"},
    )
    if check(email, accepted_ms=0) is not None:
        return
    message = EmailMessage(
        email_id="e", tenant="t", stream="bulk", queued_at="2026-11-24T10:00:00Z", email=email
    )
    for made in built(request_for(message, attempt=1, without=set())):
        assert header_names(made) <= EXPECTED | {name}
        assert not set(LINE_BREAKS) - {"\n", "\r"} & set(made.partition(b"\n\n")[0].decode())


def test_the_judge_sees_a_line_that_is_too_many() -> None:
    assert "Bcc" in header_names(b"Subject: Hi\r\nBcc: v@y.z\r\n\r\nx")
    assert "Bcc" in header_names("Subject: Hi\x85Bcc: v@y.z\n\nx".encode())


UMLAUT = Attachment(filename="ü.pdf", content_type="application/pdf", content="aGVsbG8=")
"""SES composes no such name: it makes `composed` build the bytes."""
MAILBOXES = ["é, evil@x.com", "é; x@y.z, b@c.de", "<x@y.z>, é", 'a "b@c.de", é', "a\\", "a\\, é"]


def mailboxes(value: str) -> list[tuple[str, str]]:
    """Names, without their spaces, and addresses of a header's value."""
    return [
        ("".join(str(make_header(decode_header(name))).split()), spec)
        for name, spec in getaddresses([value])
    ]


def wanted(address: Address) -> tuple[str, str]:
    """The same of an address."""
    return "".join(address.name.split()), address.spec


@given(TEXTS | st.sampled_from(MAILBOXES), TEXTS | st.text(max_size=400), st.booleans())
@example("é, evil@x.com", "é; x@y.z, b@c.de", False)
@example("Doe, Jane", '"' * 400, True)
@example('"Doe,    Jane    "', "a " * 200, False)
def test_a_name_never_becomes_a_mailbox(first: str, second: str, quoted: bool) -> None:
    names = [first, second]
    if quoted:
        escaped = (name.replace("\\", "\\\\").replace('"', '\\"') for name in names)
        names = [f'"{name}"' for name in escaped]
    texts = [f"{name} <{n}@b.example>" for n, name in enumerate(names)]
    email = Email(
        to=texts,
        cc=texts[:1],
        from_=texts[1],
        reply_to=texts,
        subject="Hi",
        body_text="x",
        attachments=[UMLAUT],
    )
    if check(email, accepted_ms=0) is not None:
        return
    message = EmailMessage(
        email_id="e", tenant="t", stream="bulk", queued_at="2026-11-24T10:00:00Z", email=email
    )
    made = request_for(message, attempt=1, without=set()).content.raw
    assert made is not None
    read = BytesHeaderParser(policy=compat32).parsebytes(made.data)
    modern = BytesHeaderParser(policy=SMTP).parsebytes(made.data)
    given_ = {"From": email.from_, "To": texts, "Cc": email.cc, "Reply-To": texts}
    for header, value in given_.items():
        asked = [parse(text) for text in ([value] if isinstance(value, str) else value)]
        assert mailboxes(read[header]) == [wanted(one) for one in asked]
        assert [one.addr_spec for one in modern[header].addresses] == [one.spec for one in asked]
    lines = made.data.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert max(map(len, lines)) <= 100
    assert all(line.strip() for line in lines)


def test_a_name_that_unquoted_is_an_encoded_word_is_refused() -> None:
    with pytest.raises(BadAddress):
        parse('"=\\?utf-8?q?evil=40x.com=2C?=" <a@b.example>')


def test_a_line_with_addresses_is_folded_at_78_characters() -> None:
    lines = folded("To", [parse(f"Name {n} <recipient-{n}@b.example>") for n in range(20)])
    assert max(map(len, lines.split(b"\r\n"))) <= 78
    assert lines.startswith(b"To: Name 0 <recipient-0@b.example>, Name 1")
