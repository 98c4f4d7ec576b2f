"""How parked mail comes back."""

from hypothesis import given
from hypothesis import strategies as st

from mailpipe.pace import Pace, Ramp, passed, ramped, room
from mailpipe.renewal import must_look

RAMP = Ramp(doubling_s=5, depth_s=5)
DAY_S = 86_400.0


def test_a_release_begins_with_a_tenth_and_doubles_up_to_the_rate() -> None:
    assert [ramped(100, since_s, RAMP) for since_s in (0, 5, 10, 15, 20, 10**9)] == [
        *(10, 20, 40, 80),
        *(100, 100),
    ]


def test_a_queue_gets_no_more_than_seconds_of_the_rate_and_nothing_without_one() -> None:
    assert [room(100, depth, RAMP) for depth in (0, 499, 500, 9_999)] == [500, 1, 0, 0]
    assert room(0.1, 0, RAMP) == 1
    assert room(0, 0, RAMP) == 0


@given(
    st.floats(0.1, 5_000),
    st.lists(st.floats(0.01, 30), min_size=1, max_size=80),
    st.floats(0, 1),
)
def test_no_more_goes_than_the_ramp_allows_and_all_of_it_in_the_end(
    rate: float, ticks: list[float], taken: float
) -> None:
    pace, now_s, went, may = Pace(0), 0.0, 0, 1.0
    for tick in ticks:
        now_s += tick
        may += ramped(rate, now_s, RAMP) * tick
        allowed = pace.allow(now_s, rate, RAMP)
        pace.took(round(allowed * taken))
        went += round(allowed * taken)
        assert went <= may + 1e-6
    assert taken < 1 or went > may - 2


def test_what_is_not_taken_makes_no_burst() -> None:
    pace = Pace(0)
    for second in range(1, 100):
        pace.allow(float(second), 100, RAMP)
    assert pace.allow(100.0, 100, RAMP) <= 200


MINUTE = 60_000


def test_a_watermark_passes_what_is_empty_and_long_over() -> None:
    now_ms = 110 * MINUTE + 30_000
    assert passed(100, 111, set(), now_ms=now_ms, settle_s=120) == 108
    assert passed(100, 111, {104, 106}, now_ms=now_ms, settle_s=120) == 104
    assert passed(100, 103, set(), now_ms=now_ms, settle_s=120) == 104
    assert passed(100, 111, {100}, now_ms=now_ms, settle_s=120) == 100


@given(
    st.integers(0, 50),
    st.integers(0, 50),
    st.sets(st.integers(0, 60)),
    st.integers(0, 100 * MINUTE),
)
def test_it_never_goes_back_nor_past_what_may_still_fill(
    first: int, more: int, busy: set[int], now_ms: int
) -> None:
    after = passed(first, first + more, busy, now_ms=now_ms, settle_s=120)
    assert first <= after <= first + more + 1
    assert not busy & set(range(first, after))
    assert after == first or after * MINUTE + 120_000 <= now_ms


def test_old_mail_is_looked_for_when_the_oldest_is_old_or_nobody_knows() -> None:
    def look(oldest_age_s: float, stopped_s: float) -> bool:
        return must_look(
            oldest_age_s=oldest_age_s, stopped_s=stopped_s, fresh_s=DAY_S, stopped_at_s=DAY_S / 4
        )

    assert not look(DAY_S - 1, DAY_S / 4 - 1)
    assert look(DAY_S, 0)
    assert look(0, DAY_S / 4)
