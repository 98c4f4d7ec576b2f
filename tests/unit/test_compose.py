"""What SES is asked to send: its own form where that suffices, bytes of ours where it does not."""

from email import policy
from email.message import EmailMessage as Parsed
from email.parser import BytesParser

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.ses import raw, sending
from mailpipe.addresses import parse
from mailpipe.aws.ses_operations import SendEmail
from mailpipe.messages import Attachment, Email, EmailMessage
from mailpipe.rules import check
from sender.compose import request_for
from sender.mime import Forged, Mail, composed

PDF = Attachment(filename="a.pdf", content_type="application/pdf", content="aGVsbG8=")
UMLAUT = Attachment(
    filename="Größe.csv", content_type="text/csv; charset=utf-8", content="YTtiCg=="
)

HEADERS = [
    *("Content-Type", "From", "MIME-Version", "Reply-To", "Subject", "To", "X-A", "X-Email-Id"),
]
"""In order."""


def message(**changes: object) -> EmailMessage:
    """A message, its e-mail changed."""
    email = Email(
        to=["Ana <a@example.net>", "z@example.net"],
        from_="Müller, A. <b@example.com>",
        subject="Grüße",
        body_text="Hällo",
        body_html="<p>Hällo</p>",
        bcc=["secret@example.net"],
        reply_to=["r@example.com"],
        headers={"X-A": "1"},
        tags={"t": "1"},
    )
    return EmailMessage(
        email_id="e1",
        tenant="acme",
        stream="bulk",
        queued_at="2026-11-24T10:00:00.000Z",
        email=msgspec.structs.replace(email, **changes),
    )


def request(**changes: object) -> SendEmail:
    """Its request, the second recipient suppressed."""
    return request_for(message(**changes), attempt=2, without={1})


def test_ses_composes_attachments_with_plain_names() -> None:
    made = request(attachments=[PDF])
    assert made.content.raw is None
    assert made.content.simple is not None
    (attached,) = made.content.simple.attachments
    assert (attached.file_name, attached.content_type) == ("a.pdf", "application/pdf")
    assert attached.raw_content == b"hello"
    judged = sending.validate(sending.decode(msgspec.json.encode(made)))
    assert judged.recipients == ["a@example.net", "secret@example.net"]


def parsed(made: SendEmail) -> Parsed:
    """The mail that we composed."""
    assert made.content.simple is None
    assert made.content.raw is not None
    read = BytesParser(policy=policy.default).parsebytes(made.content.raw.data)
    assert isinstance(read, Parsed)
    return read


def test_a_name_outside_ascii_is_composed_here() -> None:
    made = request(attachments=[PDF, UMLAUT])
    read = parsed(made)
    assert (read["subject"], read["X-A"], read["X-Email-Id"]) == ("Grüße", "1", "e1")
    assert (read["from"], read["to"]) == ('"Müller, A." <b@example.com>', "Ana <a@example.net>")
    assert read["reply-to"] == "r@example.com"
    assert read["bcc"] is None
    assert b"secret" not in read.as_bytes()
    text, html = read.get_body(("plain",)), read.get_body(("html",))
    assert text is not None
    assert html is not None
    assert (text.get_content(), html.get_content()) == ("Hällo\r\n", "<p>Hällo</p>\r\n")
    files = list(read.iter_attachments())
    assert [one.get_filename() for one in files] == ["a.pdf", "Größe.csv"]
    assert [one.get_content_type() for one in files] == ["application/pdf", "text/csv"]
    assert [one.get_payload(decode=True) for one in files] == [b"hello", b"a;b\n"]
    judged = sending.validate(sending.decode(msgspec.json.encode(made)))
    assert judged.recipients == ["a@example.net", "secret@example.net"]
    assert judged.tags == {
        "t": "1",
        "email_id": "e1",
        "attempt": "2",
        "tenant": "acme",
        "stream": "bulk",
    }


def test_long_lines_and_long_headers_keep_to_the_rfcs() -> None:
    url = "<https://example.com/" + "u" * 800 + ">"
    many = [f"recipient-{number}@example.net" for number in range(49)]
    made = request(
        to=many,
        headers={"List-Unsubscribe": url},
        body_html="<p>" + "x" * 5_000,
        attachments=[UMLAUT],
    )
    read = parsed(made)
    assert read["list-unsubscribe"] == url
    assert str(read["to"]).count("@") == 48
    assert made.content.raw is not None
    lines = made.content.raw.data.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\n" in line or b"\r" in line for line in lines)


@settings(max_examples=60, deadline=None)
@given(
    subject=st.text(min_size=1, max_size=80),
    name=st.text(min_size=1, max_size=40),
    file_name=st.text(min_size=1, max_size=60),
    value=st.text(st.characters(max_codepoint=0x7F), min_size=1, max_size=80),
)
def test_no_text_that_keeps_the_rules_makes_a_header_of_its_own(
    subject: str, name: str, file_name: str, value: str
) -> None:
    attached = msgspec.structs.replace(PDF, filename=f"ü{file_name}")
    one = message(
        subject=subject,
        from_=f"{name} <b@example.com>",
        headers={"X-A": value},
        attachments=[attached],
    )
    if check(one.email, accepted_ms=0) is None:
        made = request_for(one, attempt=1, without=set())
        assert made.content.raw is not None
        found = [name for name, _ in raw.read(made.content.raw.data).headers]
        assert sorted(found) == HEADERS


@pytest.mark.parametrize("value", ["a\r\nBcc: v@y.z", "=?utf-8?q?Hi=0D=0ABcc:_v@y.z?="])
def test_a_header_that_slipped_through_the_rules_does_not_go_out(value: str) -> None:
    email = msgspec.structs.replace(message().email, subject=value)
    mail = Mail(parse("b@example.com"), [parse("a@example.net")], [], [], email, headers={})
    try:
        data = composed(mail)
    except (Forged, ValueError):
        return
    assert b"\r\nBcc" not in data
