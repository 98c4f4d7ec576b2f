"""E-mails that break a rule, one rule each."""

import msgspec

from mailpipe.messages import Attachment

ATTACHED = Attachment(filename="a.pdf", content_type="application/pdf", content="aGVsbG8=")


def attached(field: str, constraint: str, **changes: object) -> tuple[dict[str, object], str, str]:
    """A mail whose second attachment breaks a rule."""
    broken = msgspec.structs.replace(ATTACHED, **changes)
    return {"attachments": [ATTACHED, broken]}, f"attachments[1].{field}", constraint


BROKEN: list[tuple[dict[str, object], str, str]] = [
    ({"to": []}, "to", "required"),
    ({"to": [f"a{i}@example.com" for i in range(51)]}, "to", "max_items"),
    ({"to": ["a@example.com"], "cc": ["a@example.com"]}, "cc[0]", "unique"),
    ({"bcc": ["nope"]}, "bcc[0]", "address_syntax"),
    ({"from_": "nope"}, "from", "address_syntax"),
    ({"from_": "a\r\nBcc: x@y.z <a@example.com>"}, "from", "control_characters"),
    ({"reply_to": ["@"]}, "replyTo[0]", "address_syntax"),
    ({"subject": "  "}, "subject", "required"),
    ({"subject": "x" * 999}, "subject", "max_length"),
    ({"subject": "a\u2028b"}, "subject", "control_characters"),
    ({"subject": "=?utf-8?q?x?="}, "subject", "encoded_word"),
    ({"body_text": None}, "bodyText", "required"),
    ({"body_html": "a\x00"}, "bodyHtml", "control_characters"),
    ({"headers": {"Bcc": "x"}}, "headers.Bcc", "reserved"),
    (
        {"headers": {"X-SES-CONFIGURATION-SET": "x"}},
        "headers.X-SES-CONFIGURATION-SET",
        "reserved",
    ),
    ({"headers": {"a b": "x"}}, "headers", "header_name"),
    ({"headers": {"": "x"}}, "headers", "header_name"),
    ({"headers": {"X-A": "a\nb"}}, "headers.X-A", "control_characters"),
    ({"headers": {"X-A": "=?utf-8?q?x?="}}, "headers.X-A", "encoded_word"),
    ({"headers": {"X-A": "ü"}}, "headers.X-A", "header_value"),
    ({"headers": {"X-A": "x" * 871}}, "headers.X-A", "header_value"),
    ({"headers": {f"X-{i}": "x" for i in range(15)}}, "headers", "max_items"),
    ({"tags": {"a b": "x"}}, "tags", "tag_syntax"),
    ({"tags": {"a": "x" * 257}}, "tags", "tag_syntax"),
    ({"tags": {"email_id": "x"}}, "tags.email_id", "reserved"),
    ({"tags": {str(i): "x" for i in range(21)}}, "tags", "max_items"),
    ({"metadata": {"a": "x" * 5000}}, "metadata", "max_bytes"),
    ({"template": {"name": "x"}}, "template", "not_supported"),
    ({"send_at": "2026-02-30T10:00:00Z"}, "sendAt", "time"),
    ({"send_at": "9999-12-31T23:59:59Z"}, "sendAt", "too_far"),
    ({"expires_at": "tomorrow"}, "expiresAt", "time"),
    ({"expires_at": "2020-11-24T10:00:00Z"}, "expiresAt", "too_early"),
    ({"expires_at": "2026-02-24T10:00:00Z"}, "expiresAt", "too_far"),
    ({"attachments": [ATTACHED] * 101}, "attachments", "max_items"),
    attached("filename", "required", filename=" "),
    attached("filename", "max_length", filename="x" * 256),
    attached("filename", "control_characters", filename="a\r\nBcc: v@y.z"),
    attached("filename", "control_characters", filename="a\x00.pdf"),
    attached("filename", "encoded_word", filename="=?utf-8?q?a?=.pdf"),
    attached("filename", "file_name", filename="../../etc/passwd"),
    attached("filename", "file_name", filename="C:\\a.pdf"),
    attached("filename", "file_name", filename="virus.exe."),
    attached("filename", "file_name", filename=" a.pdf"),
    attached("filename", "file_type", filename="virus.eXe", content_type="text/html"),
    attached("contentType", "content_type", content_type="pdf"),
    attached("contentType", "content_type", content_type="text/plain\r\nX: y"),
    attached("contentType", "content_type", content_type="a/" + "b" * 77),
    attached("contentType", "content_type", content_type="Multipart/mixed"),
    attached("contentType", "content_type", content_type="message/rfc822"),
    attached("content", "required", content=""),
    attached("content", "base64", content="https://169.254.169.254/"),
    attached("content", "base64", content="aGVsbG8"),
    attached("content", "base64", content="aGVs\nbG8="),
    attached("content", "base64", content="a=b="),
    attached("content", "base64", content="aGVsbG8_"),
    ({"to": ["x" * 501 + " <a@example.com>"]}, "to[0]", "max_length"),
]
