"""Rates as values: never more than the rate and its burst, and no more waiting than that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpipe.rates import BURST_S, spend


def drain(per_second: float, asks: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Which of the asks (seconds after the last one, count) are let through, and when."""
    free_at_s, now_s, passed = 0.0, 100.0, list[tuple[float, int]]()
    for after_s, count in asks:
        now_s += after_s
        spent = spend(free_at_s, now_s=now_s, count=count, per_second=per_second)
        free_at_s = spent.free_at_s
        if spent.retry_after_s == 0:
            passed.append((now_s, count))
    return passed


@given(
    st.floats(1, 1000),
    st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 30)), min_size=1, max_size=60),
)
def test_in_no_window_more_than_the_rate_gives_and_one_burst_and_one_batch(
    per_second: float, asks: list[tuple[float, int]]
) -> None:
    passed = drain(per_second, asks)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            window_s = passed[last][0] - passed[first][0]
            total = sum(count for _, count in passed[first : last + 1])
            largest = max(count for _, count in passed[first : last + 1])
            most = per_second * (window_s + BURST_S)
            over = max(0.0, largest - per_second * BURST_S)
            assert total <= most + over + 0.01


@given(st.floats(0.5, 1000), st.integers(1, 2000), st.floats(0, 5))
def test_who_waits_as_long_as_told_is_let_through_and_no_sooner(
    per_second: float, count: int, debt_s: float
) -> None:
    spent = spend(100 + debt_s, now_s=100.0, count=count, per_second=per_second)
    if spent.retry_after_s:
        assert spent.free_at_s == 100 + debt_s
        then_s = 100 + spent.retry_after_s
        again = spend(spent.free_at_s, now_s=then_s, count=count, per_second=per_second)
        assert again.retry_after_s == 0
        early_s = then_s - 0.01
        early = spend(spent.free_at_s, now_s=early_s, count=count, per_second=per_second)
        assert early.retry_after_s == pytest.approx(0.01) or early_s < 100


def test_a_batch_larger_than_the_rate_passes_when_the_burst_is_free_and_is_paid_off() -> None:
    spent = spend(0.0, now_s=100.0, count=500, per_second=100)
    assert spent.retry_after_s == 0
    assert spend(spent.free_at_s, now_s=104.0, count=1, per_second=100).retry_after_s > 0
    assert spend(spent.free_at_s, now_s=104.01, count=1, per_second=100).retry_after_s == 0
