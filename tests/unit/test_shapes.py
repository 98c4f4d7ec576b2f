"""Python producers are held to the types of the contract."""

import pytest

from mailpipe.messages import Email
from mailpipe.shapes import check_types, shown
from tests.unit.test_rules import email


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
        ({"in_doubt": "maybe"}, "inDoubt", "enum"),
        (
            {"attachments": [{"filename": "a", "contentType": "b/c", "content": ""}]},
            "attachments[0]",
            "type",
        ),
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
    full = email(to=("a@example.com",), headers={"X-A": "1"}, metadata={"a": 1, "b": None})
    assert check_types(full) is None


def test_every_field_is_looked_at() -> None:
    for field in Email.__struct_fields__:
        assert check_types(email(**{field: object()})) is not None


def test_what_a_caller_wrote_is_shown_short_and_printable() -> None:
    assert shown("a\nb\u202e\ud800") == r"a\nb\u202e\ud800"
    assert len(shown("x" * 10_000)) < 200
