"""The closed lists of errors, and the page that explains them."""

import re
from pathlib import Path
from typing import get_args

import pytest

from ingest.errors import ERRORS, Code, code_of
from ingest.errors_page import page
from mailpipe.constraints import CONSTRAINTS, Constraint

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_lists_say() -> None:
    written = (ROOT / "docs" / "errors.md").read_text()
    assert written == page(), "python -m ingest.errors_page > docs/errors.md"


def test_every_code_and_constraint_is_explained() -> None:
    assert set(ERRORS) == set(get_args(Code))
    assert set(CONSTRAINTS) == set(get_args(Constraint))
    assert all(error.cause and error.fix for error in ERRORS.values())
    assert all(rule.cause and rule.fix for rule in CONSTRAINTS.values())


def test_no_constraint_is_explained_that_nothing_breaks() -> None:
    sources = [*(ROOT / "mailpipe").glob("*.py"), *(ROOT / "ingest").glob("*.py")]
    texts = "".join(one.read_text() for one in sources if one.name != "constraints.py")
    unused = [name for name in CONSTRAINTS if f'"{name}"' not in texts]
    assert unused == []


def test_no_code_is_explained_that_nothing_answers() -> None:
    sources = [one for one in (ROOT / "ingest").glob("*.py") if one.name != "operations.py"]
    texts = "".join(one.read_text() for one in sources)
    by_the_server = {"BAD_REQUEST", "METHOD_NOT_ALLOWED", "EXPECTATION_FAILED"}
    texts = re.sub(r"Code = Literal\[.*?\]", "", texts, flags=re.DOTALL)
    for code in set(ERRORS) - by_the_server:
        assert texts.count(f'"{code}"') > 1, code


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "BAD_REQUEST"),
        (404, "NOT_FOUND"),
        (405, "METHOD_NOT_ALLOWED"),
        (417, "EXPECTATION_FAILED"),
        (418, "BAD_REQUEST"),
        (500, "INTERNAL_ERROR"),
        (503, "SERVICE_UNAVAILABLE"),
        (507, "INTERNAL_ERROR"),
    ],
)
def test_a_status_of_the_server_has_a_code(status: int, code: str) -> None:
    assert code_of(status) == code
