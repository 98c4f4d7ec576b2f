"""One set of rules for both doors."""

import msgspec
import pytest

from mailpipe.messages import Attachment, Email
from mailpipe.rules import MAX_MESSAGE_BYTES, check, check_ids, check_size


def email(**changes: object) -> Email:
    """A good e-mail, changed."""
    good = Email(to=["a@example.com"], from_="b@example.com", subject="Hi", body_text="Hello")
    return msgspec.structs.replace(good, **changes)


def test_a_good_email_passes() -> None:
    assert check(email()) is None
    assert check(email(headers={"X-A": "1"}, tags={"a": "b-1"}, metadata={"a": None})) is None


@pytest.mark.parametrize(
    ("changes", "field", "constraint"),
    [
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
        ({"send_at": "2026-11-24T10:00:00Z"}, "sendAt", "not_supported"),
        ({"expires_at": "2026-11-24T10:00:00Z"}, "expiresAt", "not_supported"),
        ({"in_doubt": "unknown"}, "inDoubt", "not_supported"),
        (
            {"attachments": [Attachment(filename="a", content_type="b", content="")]},
            "attachments",
            "not_supported",
        ),
    ],
)
def test_a_broken_rule_names_field_and_constraint(
    changes: dict[str, object], field: str, constraint: str
) -> None:
    violation = check(email(**changes))
    assert violation is not None
    assert (violation.field, violation.constraint) == (field, constraint)
    assert violation.message


def test_ids_must_be_keys_and_tags() -> None:
    assert check_ids("default", None) is None
    assert check_ids("default", "01930000-0000") is None
    assert check_ids("a b", None) is not None
    assert check_ids("default", "x" * 65) is not None


def test_a_message_too_large_for_the_queue_is_refused() -> None:
    assert check_size("x" * MAX_MESSAGE_BYTES) is None
    violation = check_size("x" * (MAX_MESSAGE_BYTES + 1))
    assert violation is not None
    assert violation.constraint == "max_bytes"
