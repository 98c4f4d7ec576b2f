"""No e-mail that keeps the rules can make a header line of its own, whoever builds the bytes."""

from email.header import decode_header, make_header
from email.message import EmailMessage as Built
from email.mime.text import MIMEText
from email.policy import SMTP

from hypothesis import example, given
from hypothesis import strategies as st

from mailpipe.aws.ses_operations import SendEmail
from mailpipe.messages import Email, EmailMessage
from mailpipe.rules import check
from sender.compose import request_for

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
    if check(email) is not None:
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
