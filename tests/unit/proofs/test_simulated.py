"""The judge of simulated quotas, on runs that are not as they must be."""

from typing import Any

import pytest

from loadtest.simulated import p95_ms, short, utilisation, worst_window

GOOD: dict[str, Any] = {
    "case": "both",
    "senders": 8,
    "quota": 100,
    "worst_window": 100,
    "utilisation": 0.95,
    "p95_wait_ms": 400.0,
    "p95_tenant_ms": None,
    "starved_s": 20.0,
    "bulk_share": 0.9,
    "unsent": 0,
    "mails": 0,
}


def test_a_good_run_passes() -> None:
    assert short(GOOD) == []
    assert short({**GOOD, "quota": 14, "worst_window": 14, "utilisation": 0.86}) == []
    assert short({**GOOD, "quota": 1, "worst_window": 1, "utilisation": 0.1}) == []
    assert short({**GOOD, "senders": 50, "starved_s": 60.0}) == []
    assert (
        short(
            {**GOOD, "case": "flood", "starved_s": 50.0, "bulk_share": 0.1, "p95_wait_ms": 2200.0}
        )
        == []
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"worst_window": 101}, "101 in a second"),
        ({"utilisation": 0.91}, "only 91.0% used"),
        ({"quota": 14, "worst_window": 14, "utilisation": 0.84}, "only 84.0% used"),
        ({"starved_s": 31.0}, "a sender was starved for 31 s"),
        ({"case": "tenants", "p95_tenant_ms": 10_001.0}, "tenants wait 10001 ms"),
        ({"p95_wait_ms": 1001.0}, "urgent mail waits 1001 ms"),
        ({"case": "flood", "bulk_share": 0.05}, "bulk got only 5.0%"),
        ({"case": "few", "mails": 100, "unsent": 3, "utilisation": 0.5}, "3 never sent"),
    ],
)
def test_each_fault_is_said(changed: dict[str, Any], said: str) -> None:
    (fault,) = short({**GOOD, **changed})
    assert said in fault


def test_the_worst_window_slides_and_excludes_its_end() -> None:
    assert worst_window([]) == 0
    assert worst_window([0.0, 1.0, 2.0]) == 1
    assert worst_window([5.0, 0.9, 0.95, 1.05, 1.1, 1.901]) == 4


def test_time_after_a_fault_and_at_the_beginning_does_not_count() -> None:
    evenly = [n / 10 for n in range(300)]
    assert utilisation(evenly, [], quota=10, seconds=30) == pytest.approx(1.0)
    without = [one for one in evenly if not 10 <= one < 14 and one >= 2]
    assert utilisation(without, [10.0], quota=10, seconds=30) == pytest.approx(1.0)
    assert utilisation(without, [], quota=10, seconds=30) == pytest.approx(24 / 28)
    assert utilisation(evenly, [2.5, 4.0], quota=10, seconds=8) is None


def test_of_nothing_there_is_no_percentile() -> None:
    assert p95_ms([]) is None
    assert p95_ms([0.1] * 19 + [9.0]) == 9000.0
    assert p95_ms([0.1] * 39 + [9.0]) == 100.0
