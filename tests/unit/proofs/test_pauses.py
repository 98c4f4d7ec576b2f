"""The judge of long waits: what was accepted is sent or told of, once, and really waited."""

from collections.abc import Callable
from typing import Any

import pytest

from loadtest.pause_cases import BULK_SHARE, DAY_S, PLANTS, USUAL_EXPIRY_DAYS, Case, cases
from loadtest.pauses import row, short
from sender.settings import SenderSettings

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


@pytest.mark.parametrize(
    ("count", "faults"),
    [
        *((0, ["paused: 0 expired"]), (3, ["paused: 3 expired"]), (4, []), (7, [])),
        *((8, ["paused: 8 expired"]), (12, ["paused: 12 expired"])),
    ],
)
def test_as_much_expires_as_the_days_quotas_leave(count: int, faults: list[str]) -> None:
    """Of twelve mails at two a day: in three days at least five go, with the day before eight."""
    case = Case("paused", 12, daily=2, may_expire=True)
    ids = [f"m{number}" for number in range(12)]

    def expired(found: Run) -> None:
        found["accepted"] = dict.fromkeys(ids, 0.0)
        found["sent"] = [(DAY_S, one) for one in ids[count:]]
        found["ended"] = {one: {"expired"} for one in ids[:count]}

    assert judged(expired, case) == faults


def test_the_bounds_of_what_expires_are_those_of_the_senders_settings() -> None:
    settings = SenderSettings(address_hash_key="k" * 32)
    assert settings.expire_after_s == USUAL_EXPIRY_DAYS * DAY_S
    assert settings.transactional_day_share == pytest.approx(1 - BULK_SHARE)
    (case,) = (one for one in cases(small=False, plant="") if one.may_expire)
    assert (case.may_expire_least, case.may_expire_most) == (400, 660)


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_bug_is_in_every_case(plant: str) -> None:
    assert {case.plant for case in cases(small=True, plant=plant)} == {plant}
