"""The corpus of both doors against the rules alone: no network, so every case, every time."""

import json
import re
from typing import Any, get_args

import msgspec
import pytest

from loadtest.doors import Case, read, to_bytes
from mailpipe.constraints import CONSTRAINTS, Constraint
from mailpipe.messages import Attachment, Email
from mailpipe.rules import Violation, check
from mailpipe.shapes import check_types
from mailpipe.timing import now_ms
from tests.unit.reading_bodies import decode

CASES = read()
TOO_LARGE = "45"
"""This row has 40 MB; here it would only cost time."""
ROWS = {*range(1, 48), *range(50, 75)}
NOT_LOCALLY = {"forbidden_target", "url_port"}
"""The local cloud takes any host and port; tests/unit/test_targets.py provokes them."""
SNAKE = dict(zip(Email.__struct_encode_fields__, Email.__struct_fields__, strict=True))


def named(case: Case) -> str:
    """For pytest's report."""
    return f"{case.row} {case.name}"


def said(found: object) -> str:
    """The verdict as the corpus writes it."""
    if isinstance(found, Violation):
        return f"{found.field} {found.constraint}"
    return "accepted"


def by_rest(body: bytes) -> str:
    """What REST makes of a body."""
    request = decode(body)
    return said(
        request if isinstance(request, Violation) else check(request.email(), accepted_ms=now_ms())
    )


def by_sdk(mail: dict[str, Any]) -> str:
    """What the SDK makes of it."""
    fields = {SNAKE[name]: value for name, value in mail.items()}
    fields["attachments"] = [
        Attachment(
            filename=one["filename"], content_type=one["contentType"], content=one["content"]
        )
        for one in mail.get("attachments", [])
    ]
    email = Email(**fields)
    return said(check_types(email) or check(email, accepted_ms=now_ms()))


def by_sender(mail: dict[str, Any]) -> str:
    """What the sender makes of it, from the queue."""
    try:
        email = msgspec.json.decode(json.dumps(mail), type=Email)
    except ValueError:
        return "dead unparseable"
    return said(check(email, accepted_ms=now_ms()))


def only_an_email(case: Case) -> bool:
    """Whether the verdict depends on nothing but the e-mail."""
    alone = case.email_id is None and case.rest is None and case.queue is None
    return case.email is not None and alone and case.row != TOO_LARGE


@pytest.mark.parametrize("case", [one for one in CASES if only_an_email(one)], ids=named)
def test_all_doors_judge_an_email_as_the_corpus_says(case: Case) -> None:
    mail = case.mail()
    doors = {
        "rest": lambda: by_rest(json.dumps(mail).encode()),
        "sdk": lambda: by_sdk(mail),
        "queue": lambda: by_sender(mail),
    }
    for door in case.asked():
        expected = re.sub("suppressed|scheduled", "accepted", case.expected(door))
        if not expected[0].isdigit():
            assert doors[door]() == expected, door


def only_a_body(case: Case) -> bool:
    """Whether the verdict depends on nothing but the body of `POST /send-email`."""
    asked = case.rest
    if asked is None or asked.headers or asked.path != "/send-email":
        return False
    return asked.body is not msgspec.UNSET


@pytest.mark.parametrize("case", [one for one in CASES if only_a_body(one)], ids=named)
def test_a_body_is_judged_as_the_corpus_says(case: Case) -> None:
    assert case.rest is not None
    if not str(case.expects)[0].isdigit():
        assert by_rest(to_bytes(case.rest.body)) == case.expects


def test_names_are_unique_and_every_row_is_covered() -> None:
    names = [(one.row, one.name) for one in CASES]
    assert len(set(names)) == len(names) >= 150
    assert {int(row) for row, _ in names} >= ROWS


def test_every_constraint_is_explained_and_can_be_provoked() -> None:
    assert set(get_args(Constraint)) == set(CONSTRAINTS)
    provoked = {case.expected(door).rpartition(" ")[2] for case in CASES for door in case.asked()}
    assert set(CONSTRAINTS) - NOT_LOCALLY <= provoked
