"""A kept mail as a person reads it: whatever a client sent, it is shown and nothing raises."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infra.local.ses.events import API_NAMES
from infra.local.ses.mailbox import Mail
from infra.local.ses.reading import File, matches, read, source
from infra.local.ses.requests import Content, Raw, SendEmail

EXAMPLES = Path(__file__).parents[2] / "data" / "ses_events"
SIMPLE = {
    "FromEmailAddress": "=?utf-8?q?Acm=C3=A9?= <news@example.com>",
    "Destination": {
        "ToAddresses": ['"Mai, Ana" <ana@example.net>', "b@example.net"],
        "CcAddresses": ["c@example.net"],
        "BccAddresses": ["hidden@example.net"],
    },
    "ReplyToAddresses": ["help@example.com"],
    "Content": {
        "Simple": {
            "Subject": {"Data": "Grüße", "Charset": "UTF-8"},
            "Body": {"Text": {"Data": "Hello Ana"}, "Html": {"Data": "<p>Hello</p>"}},
            "Headers": [{"Name": "X-Email-Id", "Value": "e1"}],
            "Attachments": [
                {"RawContent": "YWJj", "FileName": "a.txt", "ContentType": "text/plain"},
                {"RawContent": "AAE=", "FileName": "b", "ContentId": "<i1>"},
            ],
        }
    },
    "EmailTags": [{"Name": "tenant", "Value": "blue"}],
}
MULTIPART = b"""\
From: =?iso-8859-1?q?J=FCrgen?= <j@example.com>
To: =?utf-8?b?QW5hIE3DvGxsZXI=?= <ana@example.net>, bob@example.net
Cc: friends: c@example.net;
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
 folded
X-SES-MESSAGE-TAGS: tenant=red, kind=test
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe
--inner
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PHA+SGk8L3A+
--inner--
--outer
Content-Type: application/pdf
Content-Disposition: attachment; filename*=utf-8''f%C3%BCr.pdf
Content-Transfer-Encoding: base64

JVBERg==
--outer
Content-Type: message/rfc822

Subject: forwarded

inside
--outer--
"""


def mail(request: SendEmail, *events: dict[str, Any], recipients: tuple[str, ...] = ()) -> Mail:
    """A kept mail of this request."""
    return Mail(
        message_id="0100-x",
        at_s=1_795_514_400.25,
        source="news@example.com",
        recipients=[*recipients],
        body=msgspec.json.encode(request),
        published=[msgspec.json.encode(event) for event in events],
    )


def simple(*events: dict[str, Any]) -> Mail:
    """The mail that SES composed."""
    return mail(msgspec.convert(SIMPLE, SendEmail), *events)


def raw(data: bytes, *recipients: str) -> Mail:
    """A mail that the client composed."""
    return mail(SendEmail(content=Content(raw=Raw(data))), recipients=recipients)


def published(event_type: str) -> dict[str, Any]:
    """AWS's example."""
    name = event_type.lower().replace(" ", "_")
    return json.loads((EXAMPLES / f"{name}.json").read_text())


def test_a_simple_mail_is_read() -> None:
    reading = read(simple())
    assert reading.message_id == "0100-x"
    assert reading.at == "2026-11-24T10:00:00.250Z"
    assert reading.sender == "Acmé <news@example.com>"
    assert reading.to == ["Mai, Ana <ana@example.net>", "b@example.net"]
    assert reading.cc == ["c@example.net"]
    assert reading.bcc == ["hidden@example.net"]
    assert (reading.subject, reading.text, reading.html) == ("Grüße", "Hello Ana", "<p>Hello</p>")
    assert reading.headers == [
        ("From", "Acmé <news@example.com>"),
        ("Reply-To", "help@example.com"),
        ("To", '"Mai, Ana" <ana@example.net>, b@example.net'),
        ("Cc", "c@example.net"),
        ("Subject", "Grüße"),
        ("X-Email-Id", "e1"),
    ]
    assert reading.attachments == [
        File("a.txt", "text/plain", b"abc"),
        File("b", "application/octet-stream", b"\0\1", "i1"),
    ]
    assert [one.size_bytes for one in reading.attachments] == [3, 2]
    assert reading.tags == [("tenant", "blue")]
    assert (reading.events, reading.status) == ([], "")


def test_an_empty_request_is_read_too() -> None:
    reading = read(mail(SendEmail()))
    assert (reading.sender, reading.subject, reading.text) == ("news@example.com", "", None)


def test_a_raw_mail_is_read_with_encoded_words_and_parts() -> None:
    reading = read(raw(MULTIPART, "ana@example.net", "BOB@example.net", "secret@example.net"))
    assert reading.sender == "Jürgen <j@example.com>"
    assert reading.to == ["Ana Müller <ana@example.net>", "bob@example.net"]
    assert reading.cc == ["c@example.net"]
    assert reading.bcc == ["secret@example.net"]
    assert reading.subject == "Grüße folded"
    assert (reading.text, reading.html) == ("Grüße", "<p>Hi</p>")
    assert reading.headers[0] == ("From", "Jürgen <j@example.com>")
    assert reading.tags == [("tenant", "red"), ("kind", "test")]
    pdf, forwarded = reading.attachments
    assert pdf == File("für.pdf", "application/pdf", b"%PDF")
    assert forwarded.content_type == "message/rfc822"
    assert forwarded.content == b"Subject: forwarded\n\ninside"


def test_the_requests_sender_and_tags_come_before_the_messages() -> None:
    request = SendEmail(content=Content(raw=Raw(MULTIPART)))
    request.from_email_address = "Other <o@example.com>"
    request.email_tags = simple().request.email_tags
    one = mail(request)
    assert read(one).sender == "Other <o@example.com>"
    assert read(one).tags == [("tenant", "blue")]


@pytest.mark.parametrize(
    ("head", "body", "text"),
    [
        (b"Content-Type: text/plain; charset=iso-8859-1", b"Gr\xfc\xdfe", "Grüße"),
        (b"Content-Type: text/plain", "Grüße".encode(), "Grüße"),
        (b"Content-Type: text/plain; charset=klingon", "Grüße".encode(), "Grüße"),
        (b"Content-Type: text/plain; charset=klingon", b"Gr\xfc\xdfe", "Grüße"),
        (b"Content-Type: text/plain; charset=undefined", b"a", "a"),
        (b"Content-Type: text/plain; charset=us-ascii", b"a\xff", "a\N{REPLACEMENT CHARACTER}"),
        (b"Content-Type: text/plain; charset=base64", b"YQ==", "YQ=="),
        (b"Content-Type: multipart/mixed", b"no boundary", "no boundary"),
        (b"Content-Type: multipart/mixed; boundary=x", b"never came", "never came"),
        (b"Content-Transfer-Encoding: base64", b"%%%", "%%%"),
        (b"Content-Type: ;;;=", b"what", "what"),
        (b"no colon here", b"rest", "no colon here\nrest"),
    ],
)
def test_broken_mime_shows_what_there_is(head: bytes, body: bytes, text: str) -> None:
    shown = read(raw(head + b"\n\n" + body)).text or ""
    assert shown.replace("\n\n", "\n") == text


def test_broken_headers_are_shown_as_they_came() -> None:
    reading = read(raw(b"From: <<>>;;\nTo: nobody at all\nSubject: \xff=?utf-8?q?=FF?=\n\nx"))
    assert reading.sender == "<<>>;;"
    assert reading.to == ["nobody at all"]
    assert "\N{REPLACEMENT CHARACTER}" in reading.subject
    assert [name for name, _ in reading.headers] == ["From", "To", "Subject"]


def test_a_mail_to_undisclosed_recipients_names_them_by_the_envelope() -> None:
    reading = read(raw(b"From: a@b.c\nTo: undisclosed-recipients:;\n\nx", "ana@example.net"))
    assert (reading.to, reading.bcc) == ([], ["ana@example.net"])


PARTS = [b"Content-Type: ", b"multipart/mixed; boundary=a", b"\n", b"\n\n", b"--a\n", b"--a--"]
PARTS += [b"text/html; charset=", b"utf-7", b"idna", b"unicode_escape", b"+2AA-", b"\\x", b"\\q"]
PARTS += [b"Subject: ", b"To: ", b"=?utf-8?b?", b"?=", b"<@>", b'"', b"\xff", b"\0", b";", b"=?"]
PARTS += [b"Content-Transfer-Encoding: ", b"base64", b"x-uuencode", b"begin 644 a\n", b"(", b":"]
PARTS += [b"Content-Disposition: attachment; filename*0*=", b"message/rfc822", b"\r", b"[", b"@"]


@settings(deadline=None)
@given(st.binary(max_size=300) | st.lists(st.sampled_from(PARTS)).map(b"".join))
@example(b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n" * 3)
@example(b"Content-Type: text/plain; charset=unicode_escape\n\n\\q \\ud800")
@example(b"Content-Type: text/plain; charset=utf-7\n\n+2AA-")
@example(b"Content-Type: text/plain; charset*=x'\xff'a\nContent-Disposition: \xff\n\nx")
def test_whatever_came_can_be_shown_and_sent(data: bytes) -> None:
    one = raw(data)
    reading = read(one)
    matches(reading, "x")
    shown = [reading.sender, reading.subject, reading.text or "", reading.html or "", source(one)]
    shown += [*reading.to, *reading.cc, *reading.bcc]
    shown += [text for pair in [*reading.headers, *reading.tags] for text in pair]
    shown += [text for one in reading.attachments for text in (one.name, one.content_type)]
    for text in shown:
        text.encode()  # a lone surrogate would raise


def test_parts_too_deep_for_the_parser_are_shown_as_the_source() -> None:
    level = b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n"
    data = b"".join(level % (depth, depth) for depth in range(1000))
    assert read(raw(data)).text == data.decode()


SAID = {
    "Send": "",
    "Delivery": "250 2.0.0 OK 1763633732 x5-20020a mx.example.net",
    "Bounce": "Permanent/General: smtp; 550 5.1.1 user unknown",
    "Complaint": "abuse: ExampleMailFBL/1.0",
    "Reject": "Bad content",
    "Open": "192.0.2.44 · Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) "
    "AppleWebKit/605.1.15 · bot: Unlikely",
    "Click": "https://shop.example.com/o/4711?utm=mail · 192.0.2.44 · Mozilla/5.0 (iPhone; CPU "
    "iPhone OS 19_1 like Mac OS X) · bot: Likely",
    "Rendering Failure": "order-shipped-v3: Attribute 'orderId' is not present in the rendering "
    "data.",
    "DeliveryDelay": "TransientCommunicationFailure: smtp; 421 4.4.1 Unable to connect to remote "
    "host",
    "Subscription": "customers: UnsubscribeHeader · unsubscribed from all · weekly OptOut",
}


@pytest.mark.parametrize("event_type", API_NAMES)
def test_each_event_says_itself_in_a_line(event_type: str) -> None:
    reading = read(simple(published(event_type)))
    [one] = reading.events
    assert one.kind == reading.status == event_type
    assert one.at.startswith("2026-11-20T1")
    assert one.recipients == ["ana@example.net"]
    assert one.summary == SAID[event_type]


def test_an_older_notification_and_a_strange_event_are_events_too() -> None:
    older = published("Bounce")
    older["notificationType"] = older.pop("eventType")
    bounced, new, nothing = read(simple(older, {"eventType": "New", "New": [1]}, {})).events
    assert (bounced.kind, bounced.summary) == ("Bounce", SAID["Bounce"])
    assert (new.kind, new.at, new.recipients, new.summary) == ("New", "", [], "")
    assert nothing.kind == "Unknown"


def test_the_status_is_the_event_that_says_most() -> None:
    order = ["Send", "DeliveryDelay", "Delivery", "Open", "Click", "Bounce", "Complaint"]
    events = [published(one) for one in order]
    assert read(simple(*events)).status == "Complaint"
    assert read(simple(*reversed(events[:3]))).status == "Delivery"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", True),
        ("ACMÉ grüsse", True),
        ("news@example.com", True),
        ("mai hidden@ c@example", True),
        ("hello  <p>", True),
        ("0100-X", True),
        ("blue", True),
        ("tenant", False),
        ("ana bobby", False),
    ],
)
def test_every_word_must_occur_somewhere(query: str, found: bool) -> None:
    assert matches(read(simple()), query) is found


def test_the_source_of_a_raw_mail_is_what_came() -> None:
    assert source(raw(MULTIPART)) == MULTIPART.decode()
    assert source(raw(b"Subject: \xfc\n\n")) == "Subject: ü\n\n"


def test_the_source_of_a_simple_mail_has_headers_and_parts() -> None:
    text = source(simple())
    assert text.startswith("From: Acmé <news@example.com>\nReply-To: help@example.com\n")
    assert "\n\n--- text/plain ---\nHello Ana\n\n--- text/html ---\n<p>Hello</p>\n\n" in text
    assert text.endswith("--- application/octet-stream, b, base64 ---\nAAE=\n")
