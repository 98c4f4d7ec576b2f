"""The judge of what schemathesis reports."""

from typing import Any

from loadtest.fuzz_api import faults, figures


def report(**changes: Any) -> dict[str, Any]:
    good = {
        "operations": {"tested": 2, "total": 2},
        "test_cases": {"generated": 50},
        "failures": [],
        "errors": [],
        "valid_rates": {
            "GET /emails": {"coverage": {"accepted": 0}, "fuzzing": {"accepted": 3}},
            "POST /webhooks": {"examples": {"accepted": 1}},
        },
    }
    return good | changes


def said(**changes: Any) -> list[str]:
    return faults(figures(report(**changes)))


def test_a_good_report_passes() -> None:
    assert said() == []


def test_what_was_found_is_named() -> None:
    assert said(failures=[{"title": "Server error", "count": 2}]) == ["Server error: 2"]
    assert said(errors=["it broke"]) == ["errors of schemathesis: 1"]


def test_operations_that_were_not_asked_are_noticed() -> None:
    assert said(operations={"tested": 1, "total": 2}) == ["only 1 operations were asked"]
    assert said(operations={"tested": 0, "total": 0}) == ["only 0 operations were asked"]


def test_a_door_that_refuses_everything_is_noticed() -> None:
    refused = {"GET /emails": {"coverage": {"accepted": 0}}}
    assert said(valid_rates=refused) == ["GET /emails: no request was accepted"]
