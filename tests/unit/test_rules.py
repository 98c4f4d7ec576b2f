"""One set of rules for both doors."""

import msgspec
import pytest

from mailpipe.messages import Email
from mailpipe.rules import check, check_ids
from tests.broken_emails import BROKEN


def email(**changes: object) -> Email:
    """A good e-mail, changed."""
    good = Email(to=["a@example.com"], from_="b@example.com", subject="Hi", body_text="Hello")
    return msgspec.structs.replace(good, **changes)


def test_a_good_email_passes() -> None:
    assert check(email()) is None
    assert check(email(headers={"X-A": "1"}, tags={"a": "b-1"}, metadata={"a": None})) is None


@pytest.mark.parametrize(("changes", "field", "constraint"), BROKEN)
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
