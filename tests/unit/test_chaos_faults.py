"""Which call is hit by which fault, as values."""

import json
from typing import Any

import pytest

from infra.local.chaos.faults import FaultError, Faults

KINDS = ("throttle", "error")


def faults(*several: dict[str, Any], seed: int = 1, now: float = 0.0) -> Faults:
    """These, set."""
    made = Faults(KINDS, seed=seed)
    made.add(json.dumps({"faults": several}).encode(), now)
    return made


def hits(made: Faults, count: int, kind: str = "throttle") -> list[bool]:
    """Which of so many calls are hit."""
    return [made.hit([kind], "Op", "", 0.0) is not None for _ in range(count)]


def test_without_faults_nothing_is_hit() -> None:
    made = Faults(KINDS, seed=1)
    assert not made
    assert made.hit(KINDS, "Op", "", 0.0) is None


def test_a_share_is_about_that_share_and_reproducible() -> None:
    one = {"kind": "throttle", "share": 0.3}
    first = hits(faults(one), 2000)
    assert 500 < sum(first) < 700
    assert hits(faults(one), 2000) == first
    assert hits(faults(one, seed=2), 2000) != first


def test_adding_a_fault_does_not_change_whom_another_hits() -> None:
    one = {"kind": "throttle", "share": 0.5}
    alone, beside = faults(one), faults(one, {"kind": "error", "share": 0.5})
    for _ in range(200):
        beside.hit(["error"], "Op", "", 0.0)
        first, second = (made.hit(["throttle"], "Op", "", 0.0) for made in (alone, beside))
        assert (first is None) == (second is None)


def test_a_count_is_the_most() -> None:
    assert hits(faults({"kind": "throttle", "count": 2}), 5) == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("now", "hit"), [(9.9, False), (10.0, True), (14.9, True), (15.0, False), (99.0, False)]
)
def test_it_lasts_from_when_to_when(now: float, hit: bool) -> None:
    made = faults({"kind": "throttle", "afterS": 5, "forS": 5}, now=5.0)
    assert (made.hit(["throttle"], "Op", "", now) is not None) == hit


def test_operation_and_match_choose_the_calls() -> None:
    made = faults({"kind": "throttle", "operation": "dynamodb.Batch*", "match": "Tracking"})
    assert made.hit(["throttle"], "dynamodb.BatchGetItem", "mailpipe-EmailTracking", 0.0)
    assert not made.hit(["throttle"], "dynamodb.GetItem", "mailpipe-EmailTracking", 0.0)
    assert not made.hit(["throttle"], "dynamodb.BatchGetItem", "mailpipe-Access", 0.0)


def test_faults_are_listed_with_their_hits_and_taken_away() -> None:
    made = faults({"kind": "throttle"}, {"kind": "error"})
    hits(made, 3)
    first, second = made.described()
    assert (first["id"], first["hits"], second["hits"]) == ("throttle-1", 3, 0)
    live = made.hit(["throttle"], "Op", "", 0.0)
    assert live
    assert made.holds(live, 0.0)
    assert made.remove("throttle-1")
    assert not made.holds(live, 0.0)
    assert not made.remove("throttle-1")
    made.clear()
    assert made.described() == []


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ('{"faults": [{"kind": "fire"}]}', "no fault is called 'fire'; there are error, throttle"),
        ('{"faults": [{"kind": "error", "share": 1.1}]}', r"\$\.faults\[0\]\.share"),
        ('{"faults": [{"kind": "error", "status": 200}]}', r"\$\.faults\[0\]\.status"),
        ('{"faults": [{"kind": "error", "seconds": -1}]}', r"\$\.faults\[0\]\.seconds"),
        ('{"faults": [{"kind": "error", "shares": 1}]}', "shares"),
        ('{"faults": [{}]}', "kind"),
        ("[]", "Expected `object`"),
        ("{", "truncated"),
    ],
)
def test_a_wrong_script_is_refused_by_name_and_sets_nothing(script: str, text: str) -> None:
    made = Faults(KINDS, seed=1)
    with pytest.raises(FaultError, match=text):
        made.add(script.encode(), 0.0)
    assert not made
