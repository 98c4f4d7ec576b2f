"""Python producers are held to the types of the contract."""

import pytest
from msgspec.structs import replace

from mailpipe.accepting import Arrival
from mailpipe.messages import Attachment, Email, email_decoder, encode
from mailpipe.shapes import check_types, shown
from tests.unit.test_rules import email

PDF = Attachment(filename="a.pdf", content_type="application/pdf", content="eA==")


@pytest.mark.parametrize(
    ("changes", "field", "constraint"),
    [
        ({"to": 5}, "to", "type"),
        ({"to": "a@example.com"}, "to", "type"),
        ({"to": [None]}, "to[0]", "type"),
        ({"cc": None}, "cc", "type"),
        ({"subject": None}, "subject", "type"),
        ({"subject": b"Hi"}, "subject", "type"),
        ({"body_html": 5}, "bodyHtml", "type"),
        ({"headers": {"X-A": 1}}, "headers[...]", "type"),
        ({"tags": {1: "a"}}, "tags", "type"),
        ({"metadata": {"a": {}}}, "metadata[...]", "type"),
        ({"metadata": [1]}, "metadata", "type"),
        ({"attachments": {}}, "attachments", "type"),
        ({"attachments": [{"filename": "a"}]}, "attachments[0]", "type"),
        ({"attachments": [PDF, b"x"]}, "attachments[1]", "type"),
        ({"attachments": [replace(PDF, content=b"x")]}, "attachments[0].content", "type"),
        ({"in_doubt": "maybe"}, "inDoubt", "enum"),
    ],
)
def test_a_value_of_another_type_is_named(
    changes: dict[str, object], field: str, constraint: str
) -> None:
    violation = check_types(email(**changes))
    assert violation is not None
    assert (violation.field, violation.constraint) == (field, constraint)


def test_what_has_the_types_passes() -> None:
    assert check_types(email()) is None
    assert check_types(email(attachments=[PDF])) is None
    full = email(to=("a@example.com",), headers={"X-A": "1"}, metadata={"a": 1, "b": None})
    assert check_types(full) is None


def test_every_field_is_looked_at() -> None:
    for field in Email.__struct_fields__:
        assert check_types(email(**{field: object()})) is not None


def test_what_a_caller_wrote_is_shown_short_and_printable() -> None:
    assert shown("a\nb\u202e\ud800") == r"a\nb\u202e\ud800"
    assert len(shown("x" * 10_000)) < 200


class SafeString(str):
    """As Django's templates give it."""

    __slots__ = ()


def test_a_subclass_of_str_is_a_text_all_over() -> None:
    """The SDK's users hand over what their template engine has made."""
    safe = email(
        to=[SafeString("a@example.com")],
        subject=SafeString("Hi"),
        body_html=SafeString("<p>é</p>"),
        headers={SafeString("X-A"): SafeString("1")},
        metadata={SafeString("k"): SafeString("v")},
    )
    ordinary = email(body_html="<p>é</p>", headers={"X-A": "1"}, metadata={"k": "v"})
    assert check_types(safe) is None
    sent = [
        Arrival("t").accepted(one, "bulk", email_id="e", idempotency_key="k")
        for one in (safe, ordinary)
    ]
    assert sent[0].fingerprint == sent[1].fingerprint
    assert email_decoder.decode(encode(sent[0])).email == ordinary
