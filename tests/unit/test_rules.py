"""One set of rules for both doors."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpipe import rules
from mailpipe.messages import Attachment, Email
from mailpipe.rules import Violation, check_from, check_ids
from tests.unit.broken_emails import BROKEN

LONG = 5_000_000
TYPE = "a/b" + "; a=b" * 1_000_000
PLACE = "attachments[0].contentType"
ACCEPTED_MS = 1_767_225_600_000
"""2026 has just begun."""


def email(**changes: object) -> Email:
    """A good e-mail, changed."""
    good = Email(to=["a@example.com"], from_="b@example.com", subject="Hi", body_text="Hello")
    return msgspec.structs.replace(good, **changes)


def check(mail: Email) -> Violation | None:
    """Of a mail that was accepted just then."""
    return rules.check(mail, accepted_ms=ACCEPTED_MS)


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


@pytest.mark.parametrize("metadata", [{str(n): "\0" for n in range(820)}, {"a": "\0" * 4097}])
def test_metadata_that_is_too_large_is_refused_before_it_is_looked_at(
    metadata: dict[str, str],
) -> None:
    violation = check(email(metadata=metadata))
    assert violation is not None
    assert (violation.field, violation.constraint) == ("metadata", "max_bytes")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"headers": {"X-A": "x" * LONG}}, "headers.X-A"),
        ({"headers": {"x" * LONG: "a"}}, "headers"),
        ({"tags": {"x" * LONG: "a"}}, "tags"),
        ({"tags": {"a": "x" * LONG}}, "tags"),
        ({"metadata": {"a": "x" * LONG}}, "metadata"),
        ({"attachments": [Attachment(filename="a", content_type=TYPE, content="QUJD")]}, PLACE),
    ],
)
def test_a_text_as_long_as_a_request_is_refused(changes: dict[str, object], field: str) -> None:
    violation = check(email(**changes))
    assert violation is not None
    assert violation.field == field


def test_a_header_that_is_too_long_is_not_searched() -> None:
    violation = check(email(headers={"X-A": "\n" * 871}))
    assert violation is not None
    assert violation.constraint == "header_value"


def test_metadata_of_one_byte_too_many_is_refused_however_it_is_counted() -> None:
    violation = check(email(metadata={"\x01" * 678: -2.2250738585072014e-308}))
    assert violation is not None
    assert violation.constraint == "max_bytes"


def test_metadata_of_just_the_size_passes() -> None:
    assert check(email(metadata={"a": "x" * (4096 - len('{"a":""}'))})) is None
    assert check(email(metadata={"": 0, **{f"{n:x}": 0 for n in range(480)}})) is None


DOMAINS = ["Shop.example", "XN--BCHER-KVA.example"]
CHANGES: list[dict[str, object]] = [{}, {"from_": "a@shop.example"}, *(one for one, _, _ in BROKEN)]


@given(st.lists(st.tuples(st.sampled_from(CHANGES), st.sampled_from(CHANGES)), max_size=6))
def test_many_are_judged_as_each_by_itself(
    changes: list[tuple[dict[str, object], dict[str, object]]],
) -> None:
    mails = [email(**one | other) for one, other in changes]
    alone = [check_from(one, DOMAINS) or check(one) for one in mails]
    assert rules.check_all(mails, accepted_ms=ACCEPTED_MS, domains=DOMAINS) == alone


@pytest.mark.parametrize(
    "sender",
    [
        *("a@shop.example", "Shop <a@SHOP.example>", "a@bücher.example", "a@BÜCHER.example"),
        "a@xn--bcher-kva.example",
    ],
)
def test_a_tenant_sends_from_its_domains_in_any_form(sender: str) -> None:
    assert check_from(email(from_=sender), DOMAINS) is None


@pytest.mark.parametrize(
    ("sender", "constraint"),
    [
        *((f"a@{domain}", "from_domain") for domain in ("example.com", "mail.shop.example")),
        *((f"a@{domain}", "from_domain") for domain in ("evilshop.example", "shop.example.com")),
        ("shop.example <a@evil.com>", "from_domain"),
        ('"a@shop.example" <a@evil.com>', "from_domain"),
        ("a@sh\u043ep.example", "mixed_scripts"),
        ("nope", "address_syntax"),
    ],
)
def test_from_any_other_domain_nothing_is_sent(sender: str, constraint: str) -> None:
    violation = check_from(email(from_=sender), DOMAINS)
    assert violation is not None
    assert (violation.field, violation.constraint) == ("from", constraint)


def test_no_list_of_domains_is_any_domain_and_a_wrong_list_is_none() -> None:
    assert check_from(email(), []) is None
    assert check_from(email(), ["no domain"]) is not None


def test_ids_must_be_keys_and_tags() -> None:
    assert check_ids("default", None) is None
    assert check_ids("default", "01930000-0000") is None
    assert check_ids("a b", None) is not None
    assert check_ids("default", "x" * 65) is not None
