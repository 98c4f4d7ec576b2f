"""Times and back-off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpipe import timing
from mailpipe.timing import backoff_s, iso, parse_iso


@given(st.integers(0, 4_102_444_800_000))
def test_times_survive_both_ways(at_ms: int) -> None:
    assert parse_iso(iso(at_ms)) == at_ms


def test_a_time_of_any_length_is_read_and_a_long_one_is_not_kept() -> None:
    """Whoever may write to a queue could fill the memory with them."""
    kept = timing._known_time.cache_info().currsize
    assert parse_iso(f"2026-11-24T10:00:00.{'0' * 400_000}Z") == parse_iso("2026-11-24T10:00:00Z")
    assert timing._known_time.cache_info().currsize <= kept + 1


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        parse_iso("2026-11-24T10:00:00")


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_back_off_stays_within_a_fifth_of_the_doubling(attempt: int, jitter: float) -> None:
    exact = min(60.0, 2.0 ** min(attempt - 1, 32))
    waited = backoff_s(attempt, first_s=1, cap_s=60, jitter=jitter)
    assert 0.8 * exact <= waited <= 1.2 * exact
