"""The judge of long waits: what was accepted is sent or told of, once, and really waited."""

from collections.abc import Callable
from typing import Any

import pytest

from loadtest.pause_cases import DAY_S, PLANTS, Case, cases
from loadtest.pauses import row, short

CASE = Case("paused", 3)
Run = dict[str, Any]


def run() -> Run:
    return {
        "accepted": {"a": 0.0, "b": 0.0, "c": 3600.0},
        "sent": [(5.8 * DAY_S, "a"), (5.9 * DAY_S, "b"), (6 * DAY_S, "c")],
        "ended": {},
        "moves": {"sent": 6, "parked": 3},
    }


def judged(change: Callable[[Run], object] = lambda _: None, case: Case = CASE) -> list[str]:
    found = run()
    change(found)
    return short(case, row(case.name, found.pop("accepted"), found.pop("sent"), **found))


def test_an_honest_run_passes() -> None:
    assert judged() == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda run: run["sent"].pop(0), "1 lost"),
        (lambda run: run["sent"].append((6.1 * DAY_S, "a")), "1 doubled"),
        (lambda run: run["ended"].update(a={"expired"}), "1 failed"),
        (lambda run: (run["sent"].pop(0), run["ended"].update(a={"failed"})), "1 failed"),
        (lambda run: (run["sent"].pop(0), run["ended"].update(a={"expired"})), "1 expired"),
        (
            lambda run: (run["accepted"].pop("c"), run["sent"].pop()),
            "only 2 mails; 3 are needed",
        ),
        (
            lambda run: run.update(sent=[(DAY_S, one) for one in "abc"]),
            "no mail waited longer than 1.0 days",
        ),
        (lambda run: run["moves"].update(parked=200), "206 moves of 3 mails"),
    ],
)
def test_what_must_not_be_is_told(change: Callable[[Run], object], fault: str) -> None:
    assert f"paused: {fault}" in judged(change)


def test_where_mail_may_expire_some_does() -> None:
    case = CASE._replace(may_expire=True)
    assert judged(case=case) == ["paused: 0 expired"]

    def expired(found: Run) -> None:
        found["sent"].pop(0)
        found["ended"] = {"a": {"expired"}}

    assert judged(expired, case) == []


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_bug_is_in_every_case(plant: str) -> None:
    assert {case.plant for case in cases(small=True, plant=plant)} == {plant}
