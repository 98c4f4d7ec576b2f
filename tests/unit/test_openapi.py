"""The API's description says what the door does, and nothing else."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ingest.errors import ERRORS
from ingest.openapi import NOT_BUILT, document
from ingest.operations import OPERATIONS
from mailpipe.constraints import CONSTRAINTS
from mailpipe.messages import Email
from mailpipe.rules import check

DOCUMENT = document([*CONSTRAINTS])
DOOR = (Path(__file__).parents[2] / "ingest" / "http.py").read_text()
UNDESCRIBED = {("get", "/openapi.json"), ("get", "/docs")}


def test_every_route_is_described() -> None:
    routes = set(re.findall(r'web\.(get|post|delete)\("([^"]+)"', DOOR)) - UNDESCRIBED
    assert routes == {(one.method.lower(), one.path) for one in OPERATIONS}


def references(part: Any) -> set[str]:
    """All `$ref` below this part."""
    if isinstance(part, dict):
        own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*map(references, part.values()))
    return set[str]().union(*map(references, part)) if isinstance(part, list) else set()


def test_every_reference_leads_somewhere_and_everything_is_used() -> None:
    found = references(DOCUMENT)
    there = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "parameters", "headers")
        for name in DOCUMENT["components"][kind]
    }
    assert found == there


def test_the_document_is_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(DOCUMENT)) == DOCUMENT


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_operation_names_its_answers(operation: Any) -> None:
    responses = DOCUMENT["paths"][operation.path][operation.method.lower()]["responses"]
    wanted = {str(ERRORS[code].status) for code in (*operation.all_errors, "INTERNAL_ERROR")}
    assert set(responses) == wanted | {str(status) for status in operation.answers}
    assert all("description" in one for one in responses.values())
    if operation.body is not None:
        msgspec.convert(operation.example, operation.body)


def test_closed_lists_are_in_the_document() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["ErrorAnswer"]["properties"]["error"]["enum"] == [*ERRORS]
    assert schemas["Details"]["properties"]["constraint"]["enum"] == [*CONSTRAINTS]


VALUES = {
    "template": {"template": {"name": "t"}},
}


@pytest.mark.parametrize("name", NOT_BUILT)
def test_what_is_not_built_is_refused_and_not_described(name: str) -> None:
    good = Email(to=["a@example.com"], from_="b@example.com", subject="s", body_text="t")
    violation = check(msgspec.structs.replace(good, **VALUES[name]), accepted_ms=0)
    assert violation is not None
    assert (violation.field, violation.constraint) == (name, "not_supported")
    for schema in ("SendEmailRequest", "BatchEntry"):
        assert name not in DOCUMENT["components"]["schemas"][schema]["properties"]
