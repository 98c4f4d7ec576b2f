"""The judge of rates: an even run passes; each way in which a run can be wrong is told."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.windows import SECOND_NS, Marks, judge, read, short, worst_window

QUOTA = 14.0
RATE = 13.0
START_NS = 5 * SECOND_NS
SECONDS = 20
AT_LEAST = 0.85
Line = dict[str, Any]


def ns(seconds: float) -> int:
    """So long after the start."""
    return START_NS + round(seconds * SECOND_NS)


def attempt(at_s: float, *, late_s: float = 0.001, **changes: Any) -> Line:
    line = {
        "kind": "attempt",
        "verdict": "accepted",
        "code": None,
        "stampNs": ns(at_s),
        "t_ns": ns(at_s + late_s),
        "recipients": ["a@example.net"],
    }
    return line | changes


def even(rate: float = RATE) -> list[Line]:
    return [attempt(index / rate) for index in range(round(SECONDS * rate))]


def stall(ended_s: float, length_s: float) -> Line:
    return {"kind": "stall", "t_ns": ns(ended_s), "lag_ms": length_s * 1000}


def row(*more: Any, lines: list[Line] | None = None, kills: tuple[float, ...] = ()) -> Line:
    log = read([*(even() if lines is None else lines), *more])
    return judge(log, Marks(START_NS, ns(SECONDS), [ns(one) for one in kills]), quota=QUOTA)


def faults(*more: Any, kills: tuple[float, ...] = (12.0,), **other: Any) -> list[str]:
    return short(row(*more, kills=kills, **other), at_least=AT_LEAST)


def without(begun_s: float, ended_s: float) -> list[Line]:
    """An even run with a gap."""
    return [one for one in even() if not ns(begun_s) <= one["stampNs"] < ns(ended_s)]


def test_an_even_run_passes() -> None:
    assert row() == {
        "quota": 14.0,
        "worst_window": 13,
        "utilisation": 0.9286,
        "throttles": 0,
        "throttles_excused": 0,
        "kills": 0,
        "kills_judged": 0,
        "recovered_after_s": None,
        "invalid_share": 0.0,
        "worst_arrival_window": 13,
        "p99_arrival_minus_stamp_ms": 1.0,
        "attempts": 260,
        "faults": [],
    }
    assert faults() == []


def test_a_burst_is_told_whatever_second_it_lies_across() -> None:
    assert faults(*[attempt(3.95 + index / 1000) for index in range(3)]) == [
        "16 recipients in a second; 14 are allowed"
    ]


def test_recipients_count_not_calls() -> None:
    many = attempt(4.0) | {"recipients": ["a@example.net"] * 3}
    assert row(many)["worst_window"] == 16


def test_attempts_that_were_refused_count_too() -> None:
    refused = [attempt(4.0, verdict="throttled", code="TooManyRequestsException")] * 3
    assert row(*refused)["worst_window"] == 16
    assert "3 throttles" in faults(*refused)


def test_where_quotas_are_not_enforced_what_was_over_is_a_throttle() -> None:
    assert row(attempt(4.0, over="throttled"))["throttles"] == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("torn", "a line that cannot be read"),
        (attempt(4.0, stampNs=None), "an attempt without a stamp"),
        (attempt(4.0, late_s=-0.002), "a stamp is 2.000 ms later than its arrival"),
        (attempt(4.0, verdict="refused", code="BadRequest"), "an attempt was refused: BadRequest"),
    ],
)
def test_a_line_that_proves_nothing_is_told(line: Any, said: str) -> None:
    assert faults(line) == [said]


def test_unused_seconds_are_told() -> None:
    assert faults(lines=without(4, 8)) == ["use 71.8%; 85% is needed"]


def test_two_seconds_after_a_kill_may_be_empty_but_no_more() -> None:
    assert faults(lines=without(4, 6), kills=(4.0,)) == []
    assert row(lines=without(4, 6), kills=(4.0,))["recovered_after_s"] == 2.0
    assert faults(lines=without(4, 6.5), kills=(4.0,)) == ["not back to 88% within 2 s of a kill"]


def test_a_run_that_never_comes_back_after_a_kill_is_told() -> None:
    found = row(lines=without(4, SECONDS), kills=(4.0,))
    assert found["recovered_after_s"] is None


def test_on_a_busy_machine_the_return_is_told_and_not_judged() -> None:
    found = row(lines=without(4, 6.5), kills=(4.0,))
    assert found["recovered_after_s"] is None
    assert short(found, at_least=AT_LEAST, back=False) == []


def test_where_no_kill_can_be_judged_nothing_is_proved() -> None:
    lines = without(16, SECONDS)
    assert row(lines=lines, kills=(16.0,))["recovered_after_s"] is None
    assert "of 1 kills none could be judged" in faults(lines=lines, kills=(16.0,))
    assert faults(kills=()) == ["of 0 kills none could be judged"]


def test_kills_close_together_leave_out_their_time_once() -> None:
    assert row(kills=(4.0, 4.5, 5.0))["utilisation"] == pytest.approx(0.9286, abs=0.01)


def test_what_arrives_while_the_simulator_stands_still_counts_by_its_stamp_alone() -> None:
    """Thirteen that were sent evenly arrive at one moment, and the next ones are throttled."""
    bunched = [one | {"t_ns": ns(4.8)} if ns(4) < one["t_ns"] < ns(4.8) else one for one in even()]
    found = row(stall(4.8, 0.8), attempt(5.5, verdict="throttled"), lines=bunched)
    assert (found["worst_window"], found["worst_arrival_window"]) == (14, 14)
    assert (found["throttles"], found["throttles_excused"]) == (0, 1)
    assert found["invalid_share"] == 0.04


@pytest.mark.parametrize(
    ("length_s", "after_s", "throttles"),
    [
        (0.025, 0.05, 0),
        (0.025, 0.1, 1),
        (0.1, 0.25, 0),
        (0.1, 0.35, 1),
        (0.8, 0.9, 0),
        (0.8, 1.1, 1),
    ],
)
def test_a_throttle_is_a_standstills_own_only_for_a_few_times_its_length(
    length_s: float, after_s: float, throttles: int
) -> None:
    late = attempt(4.8 + after_s, verdict="throttled")
    assert row(stall(4.8, length_s), late)["throttles"] == throttles


@pytest.mark.parametrize(("count", "said"), [(3, 0), (4, 1)])
def test_more_than_a_few_throttles_of_the_simulators_own_prove_nothing(
    count: int, said: int
) -> None:
    lines = even()
    for line in [one for one in lines if one["t_ns"] > ns(4.9)][:count]:
        line["verdict"] = "throttled"
    told = [f"{count} throttles after standstills: proves nothing"]
    assert faults(stall(4.8, 0.5), lines=lines) == told * said


def test_a_burst_of_stamps_is_told_in_a_stall_too() -> None:
    burst = [attempt(4.0 + index / 1000) for index in range(3)]
    assert row(stall(4.5, 0.6), *burst)["worst_window"] == 16


def test_short_stalls_are_none() -> None:
    assert row(stall(4.0, 0.02))["invalid_share"] == 0


def test_a_run_with_too_much_standstill_proves_nothing() -> None:
    assert faults(stall(4.0, 0.6), stall(9.0, 0.6)) == [
        "the simulator stood still for 6.0%: proves nothing"
    ]


@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 50)), max_size=60))
def test_the_worst_window_is_the_worst_of_all(moments: list[tuple[int, int]]) -> None:
    moments.sort()
    slowly = max(
        (sum(n for at, n in moments if last - 1000 < at <= last) for last, _ in moments), default=0
    )
    assert worst_window(moments, 1000) == slowly


def test_the_whole_of_a_log_is_read() -> None:
    changed: Callable[[Line], Line] = lambda one: one | {"kind": "event"}  # noqa: E731
    assert row(*[changed(one) for one in even()])["attempts"] == 260
