"""What the simulator refuses before it looks at the account, in SES's words where known."""

import base64
import contextlib
import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.ses import addresses
from infra.local.ses.attachments import EICAR
from infra.local.ses.refusals import Refusal
from infra.local.ses.sending import decode, described, joined, validate

GOOD: dict[str, Any] = {
    "FromEmailAddress": "Acme <news@mail.example.com>",
    "Destination": {"ToAddresses": ['"Ana, M." <ana@example.net>'], "BccAddresses": ["b@x.org"]},
    "ReplyToAddresses": ["help@example.com"],
    "Content": {
        "Simple": {
            "Subject": {"Data": "Grüße", "Charset": "UTF-8"},
            "Body": {"Html": {"Data": "<p>hi</p>"}},
            "Headers": [{"Name": "X-Email-Id", "Value": "e1"}],
        }
    },
    "EmailTags": [{"Name": "email_id", "Value": "e1"}],
    "ConfigurationSetName": "cs",
}
SUBJECT = "Content.Simple.Subject"
HEADERS = "Content.Simple.Headers"
FILES = "Content.Simple.Attachments"
FILE = {"RawContent": "YWJj", "FileName": "a.txt"}
TO = "Destination.ToAddresses"


def changed(path: str, value: Any) -> bytes:
    """The good request with one member set."""
    request = copy.deepcopy(GOOD)
    *parents, last = path.split(".")
    inner = request
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return json.dumps(request).encode()


def test_a_good_request_passes_with_bare_addresses() -> None:
    message = validate(decode(json.dumps(GOOD).encode()))
    assert message.sender == "news@mail.example.com"
    assert message.recipients == ["ana@example.net", "b@x.org"]
    assert message.tags == {"email_id": "e1"}
    assert message.headers == [
        ("From", "Acme <news@mail.example.com>"),
        ("To", '"Ana, M." <ana@example.net>'),
        ("Reply-To", "help@example.com"),
        ("Subject", "Grüße"),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/html; charset=us-ascii"),
        ("X-Email-Id", "e1"),
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (TO, [f"a{number}@example.com" for number in range(49)]),
        (TO, ["ana@xn--bcher-kva.example", '"a b"@example.com', "o'neil+x@example.com"]),
        (TO, ["=?UTF-8?B?SsO8cmdlbg==?= <j@example.com>"]),
        (HEADERS, [{"Name": f"X-{number}", "Value": "v"} for number in range(15)]),
        (HEADERS, [{"Name": "X", "Value": "v" * 995}]),
        ("EmailTags", [{"Name": "n" * 256, "Value": "v" * 256}]),
        ("EmailTags", [{"Name": "ses:feedback-id-a", "Value": "campaign"}]),
        ("ReplyToAddresses", None),
        (FILES, [{**FILE, "ContentDisposition": "INLINE", "ContentId": "logo"}]),
        (FILES, [FILE] * 500),
    ],
)
def test_what_is_just_allowed_passes(path: str, value: Any) -> None:
    validate(decode(changed(path, value)))


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("FromEmailAddress", None, "Missing required header 'From'."),
        ("FromEmailAddress", "news", "Missing final '@domain'"),
        ("FromEmailAddress", "Jürgen <j@example.com>", "Illegal address"),
        ("Destination", {"ToAddresses": []}, "no recipient"),
        (TO, [f"a{number}@example.com" for number in range(50)], "Recipient count exceeds 50."),
        (TO, ["jürgen@example.com"], "Local address contains control or whitespace"),
        (TO, ["a b@example.com"], "Local address contains control or whitespace"),
        (TO, [".a@example.com"], "Local address starts with dot"),
        (TO, ["a..b@example.com"], "Local address contains dot-dot"),
        (TO, ["a@b.org, c@d.org"], "Local address contains"),
        (TO, ["a" * 65 + "@example.com"], "Local address is longer than 64"),
        (TO, ["a@bücher.example"], "Domain contains illegal character"),
        (TO, ["a@exa mple.com"], "Domain contains control or whitespace"),
        (TO, ["a@example..com"], "Domain contains dot-dot"),
        (TO, ["a@"], "Missing domain"),
        ("ReplyToAddresses", ["nobody"], "Missing final '@domain'"),
        ("Content", None, "Value null at 'content'"),
        ("Content", {}, "exactly one"),
        ("Content", {"Raw": {"Data": ""}}, "Value null at 'content.raw.data'"),
        ("Content", {"Raw": {"Data": "%%%"}}, "Invalid base64 encoded string"),
        ("Content", {"Template": {}}, "does not do Template content yet"),
        (FILES, [{}], "Value null at 'content.simple.attachments.1.member.rawContent'"),
        (FILES, [{"RawContent": ""}], "attachments.1.member.fileName"),
        (FILES, [{**FILE, "FileName": "a\r\nb"}], "Invalid attachment file name"),
        (FILES, [{**FILE, "FileName": "x" * 256}], "Invalid attachment file name"),
        (FILES, [{**FILE, "FileName": "run.exe"}], "not supported"),
        (FILES, [{**FILE, "ContentDisposition": "BOTH"}], "Invalid ContentDisposition"),
        (FILES, [{**FILE, "ContentTransferEncoding": "8BIT"}], "ContentTransferEncoding"),
        (FILES, [{**FILE, "ContentType": "x" * 79}], "ContentType must have 1 to 78"),
        (FILES, [{**FILE, "ContentId": ""}], "ContentId must have 1 to 78"),
        (FILES, [{**FILE, "ContentDescription": "x" * 1001}], "ContentDescription must have"),
        (FILES, [FILE] * 501, "more than 500 parts"),
        ("TenantName", "t", "does not do TenantName"),
        ("EmailTag", [], "unknown field `EmailTag`"),
        (SUBJECT, None, "Value null at 'content.simple.subject'"),
        (SUBJECT, {}, "Value null at 'content.simple.subject.data'"),
        (SUBJECT, {"Data": "Grüße"}, "outside 7-bit ASCII"),
        (SUBJECT, {"Data": "x", "Charset": "klingon"}, "Unsupported charset: 'klingon'"),
        (SUBJECT, {"Data": "ü", "Charset": "undefined"}, "Unsupported charset"),
        (SUBJECT, {"Data": "ü", "Charset": "a\0b"}, "Unsupported charset"),
        (SUBJECT, {"Data": "żółw", "Charset": "ISO-8859-1"}, "outside ISO-8859-1"),
        (SUBJECT, {"Data": "a\r\nBcc: x@y.org"}, "line break"),
        (SUBJECT, 5, "Expected `object | null`, got `int`"),
        ("Content.Simple.Body", None, "Value null at 'content.simple.body'"),
        ("Content.Simple.Body", {}, "Text or Html"),
        (HEADERS, [{"Name": f"X-{number}", "Value": "v"} for number in range(16)], "exceeds 15"),
        (HEADERS, [{"Name": "X A", "Value": "v"}], "Invalid header name"),
        (HEADERS, [{"Name": "X:A", "Value": "v"}], "Invalid header name"),
        (HEADERS, [{"Name": "X" * 127, "Value": "v"}], "Invalid header name"),
        (HEADERS, [{"Name": "X", "Value": "v" * 996}], "Invalid value of header X"),
        (HEADERS, [{"Name": "X-A", "Value": "ü"}], "Invalid value of header X-A"),
        (HEADERS, [{"Name": "X-A", "Value": "a\nb"}], "Invalid value of header X-A"),
        (HEADERS, [{"Name": "XY", "Value": "v" * 995}], "longer than 996"),
        (HEADERS, [{"Name": "subject", "Value": "v"}], "must not be given"),
        (HEADERS, [{"Name": "Content-Type", "Value": "v"}], "must not be given"),
        (HEADERS, [{"Name": "List-Unsubscribe", "Value": "v"}] * 2, "Duplicate header"),
        ("EmailTags", [{"Name": "a.b", "Value": "v"}], "Invalid tag name"),
        ("EmailTags", [{"Name": "n" * 257, "Value": "v"}], "Invalid tag name"),
        ("EmailTags", [{"Name": "n", "Value": "a@b"}], "Invalid tag value"),
        ("EmailTags", [{"Name": "n"}], "Invalid tag value"),
        ("EmailTags", [{"Name": "n", "Value": "v"}] * 2, "Duplicate tag"),
    ],
)
def test_a_bad_request_is_refused(path: str, value: Any, text: str) -> None:
    with pytest.raises(Refusal) as refused:
        validate(decode(changed(path, value)))
    assert (refused.value.status, refused.value.code) == (400, "BadRequestException")
    assert text in refused.value.text


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"FromEmailAddress":"\xff"}', b"null"])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal, match="could not be read"):
        decode(body)


def test_a_bad_request_is_still_described() -> None:
    request = decode(changed(TO, ["Ana <ana@example.net>", "nobody"]))
    assert described(request) == {
        "from": "Acme <news@mail.example.com>",
        "recipients": ["ana@example.net", "nobody", "b@x.org"],
        "tags": {"email_id": "e1"},
        "headers": {"X-Email-Id": "e1"},
    }


@given(st.text('a.@"\\ é-é[]<>,' + "b" * 3, max_size=12))
def test_the_quick_look_at_an_address_agrees_with_the_close_one(text: str) -> None:
    quick = addresses._USUAL.fullmatch(text) is not None
    local, at, domain = text.rpartition("@")
    fault = addresses._local_fault(local) or addresses._domain_fault(domain)
    if quick:
        assert at
        assert fault is None
    elif at and local and domain and not local.startswith('"'):
        assert fault is not None


def raw(text: str, **more: Any) -> bytes:
    """A request with a message that its caller composed."""
    data = base64.b64encode(text.replace("\n", "\r\n").encode()).decode()
    return json.dumps({"Content": {"Raw": {"Data": data}}, **more}).encode()


RAW = """From: Acme <news@example.com>
To: Ana <ana@example.net>, ben@example.net
Cc: c@example.net
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
X-SES-CONFIGURATION-SET: cs
X-SES-MESSAGE-TAGS: a=1, b=2

hello
"""


def test_a_raw_message_names_its_recipients_set_and_tags_in_its_headers() -> None:
    message = validate(decode(raw(RAW)))
    assert message.sender == "news@example.com"
    assert message.recipients == ["ana@example.net", "ben@example.net", "c@example.net"]
    assert (message.configuration_set, message.tags) == ("cs", {"a": "1", "b": "2"})
    assert message.common["subject"] == "Grüße"
    assert not [name for name, _ in message.headers if name.lower().startswith("x-ses-")]


def test_the_requests_own_members_replace_a_raw_messages_headers() -> None:
    message = validate(
        decode(
            raw(
                RAW,
                Destination={"ToAddresses": ["z@example.net"]},
                FromEmailAddress="other@example.com",
                ConfigurationSetName="mine",
                EmailTags=[{"Name": "c", "Value": "3"}],
            )
        )
    )
    assert (message.sender, message.recipients) == ("other@example.com", ["z@example.net"])
    assert (message.configuration_set, message.tags) == ("mine", {"c": "3"})


def test_an_encoded_senders_name_stays_encoded() -> None:
    text = RAW.replace("From: Acme", "From: =?UTF-8?Q?J=C3=BCrgen?=")
    message = validate(decode(raw(text)))
    assert message.source == "=?UTF-8?Q?J=C3=BCrgen?= <news@example.com>"
    assert message.common["from"] == ["Jürgen <news@example.com>"]


def test_deep_nesting_is_refused_and_breaks_nothing() -> None:
    with pytest.raises(Refusal, match="could not be read"):
        decode(b'{"TenantName":' + b"[" * 200_000)
    for text in (f"To: {'(' * 900}a@example.net\n\nx", f"From: {'<' * 900}\n\nx"):
        with pytest.raises(Refusal):
            validate(decode(raw(text)))
    many = "Content-Type: multipart/mixed; boundary=a\n\n" + "--a\n\n" * 30_000
    with pytest.raises(Refusal, match="more than 500 parts"):
        validate(decode(raw(many)))


def test_a_repeated_header_is_described_with_all_its_values() -> None:
    assert joined([("X-A", "1"), ("X-B", "b"), ("X-A", "2")]) == {"X-A": "1, 2", "X-B": "b"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello\n", "no header"),
        (RAW.replace("From: ", "X-From: "), "Missing required header 'From'"),
        (RAW.replace("Cc: c@example.net", "To: d@example.net"), "Duplicate header 'To'"),
        (RAW + "x" * 1001, "longer than 1000"),
        (RAW.replace("a=1", "a=x@y"), "Invalid tag value"),
        ("From: a@example.com\n\nhello", "no recipient"),
        (
            RAW.replace("\n\nhello", "\nContent-Disposition: attachment; filename=a.exe\n\nhello"),
            "not supported",
        ),
    ],
)
def test_a_bad_raw_message_is_refused(text: str, said: str) -> None:
    with pytest.raises(Refusal) as refused:
        validate(decode(raw(text)))
    assert refused.value.code == "BadRequestException"
    assert said in refused.value.text


@given(st.binary(max_size=300))
def test_no_raw_message_breaks_it(data: bytes) -> None:
    request = {"Content": {"Raw": {"Data": base64.b64encode(data).decode()}}}
    with contextlib.suppress(Refusal):
        assert validate(decode(json.dumps(request).encode())).recipients


def test_a_message_over_40_mb_in_base64_is_refused() -> None:
    file = {"RawContent": base64.b64encode(b"x" * 31_500_000).decode(), "FileName": "a.bin"}
    with pytest.raises(Refusal, match="more than"):
        validate(decode(changed(FILES, [file])))


def test_the_test_virus_is_seen_in_an_attachment_and_in_a_raw_message() -> None:
    file = {"RawContent": base64.b64encode(b"X5O!" + EICAR).decode(), "FileName": "sample.txt"}
    assert validate(decode(changed(FILES, [file]))).infected
    assert validate(decode(raw(RAW + EICAR.decode()))).infected
    assert not validate(decode(raw(RAW))).infected
