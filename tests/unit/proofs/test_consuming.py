"""The judge of the consumers' benches: too much CPU is a failure, and the proof says so."""

import json
from typing import Any

import pytest

from loadtest import proof
from loadtest.consuming import told

RUN: dict[str, Any] = {
    "us_each": 100.0,
    "per_s": 1,
    "rss_mb": 1,
    "rounds_us": [],
    "neighbours": {"stretches": 1, "undisturbed": 1, "not_enough": 0, "probe_us": 1},
}


@pytest.mark.parametrize(("most_us", "code"), [(100.0, 0), (99.9, 1)])
def test_what_costs_more_than_its_budget_fails(most_us: float, code: int) -> None:
    assert told("test-consuming", RUN, each="an event", most_us=most_us) == code
    found = json.loads((proof.ROOT / "build" / "test-consuming.json").read_text())
    assert (found["target"], found["runs"], found["pass"]) == ("test-consuming", [RUN], not code)
