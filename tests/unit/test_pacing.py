"""The arithmetic of send slots, as values."""

from hypothesis import given
from hypothesis import strategies as st

from sender.pacing import (
    FAR_S,
    LONGEST_WAIT_S,
    SMALLEST_FACTOR,
    WHOLE,
    Backoff,
    Lead,
    factor_at,
    held_s,
    slots_at_once,
    usable_rate,
)


def test_the_usable_rate_leaves_room_for_the_spread() -> None:
    assert usable_rate(105, share=1, spread_s=0.05) == 100
    assert usable_rate(210, share=0.5, spread_s=0.05) == 100


def test_of_a_share_only_whole_recipients_are_used() -> None:
    assert usable_rate(15, share=0.5, spread_s=0.0) == 7
    assert usable_rate(100, share=0.29, spread_s=0.0) == 29
    assert usable_rate(1, share=0.5, spread_s=0.0) == 0.5


def test_a_reservation_takes_a_tenth_of_a_second_at_most_but_a_whole_mail_at_least() -> None:
    assert slots_at_once(100, recipients=1, at_most=500) == 10
    assert slots_at_once(100, recipients=1, at_most=3) == 3
    assert slots_at_once(1, recipients=50, at_most=50) == 50


@given(st.floats(SMALLEST_FACTOR, 1), st.floats(0, 400))
def test_a_factor_climbs_five_percent_in_ten_seconds_up_to_one(
    factor: float, after_s: float
) -> None:
    later = factor_at(round(factor * WHOLE), 1_000_000, 1_000_000 + round(after_s * 1e6))
    assert abs(later - min(1.0, factor + 0.05 * after_s / 10)) < 1e-5
    assert factor_at(round(factor * WHOLE), 1_000_000, 0) <= factor + 1e-6


def test_the_refused_wait_the_longer_the_more_senders_there_are() -> None:
    backoff = Backoff()
    assert backoff.wait_s(1, 0.5) == 0.025
    assert backoff.wait_s(8, 0.5) == 0.2
    assert backoff.wait_s(500, 0.5) == LONGEST_WAIT_S / 2


def test_who_is_beaten_more_often_than_there_are_senders_waits_as_if_there_were_more() -> None:
    backoff = Backoff()
    for _ in range(19):
        backoff.beaten()
    assert backoff.wait_s(1, 0.5) == 0.5
    assert backoff.wait_s(40, 0.5) == 1.0
    backoff.won()
    assert backoff.wait_s(1, 0.5) == 0.025


@given(st.floats(0.01, 20_000), st.integers(1, 50))
def test_what_others_hold_covers_the_largest_mail(rate: float, recipients: int) -> None:
    assert held_s(rate) >= FAR_S + recipients / rate
    assert held_s(0) >= FAR_S


def test_the_lead_follows_the_slowest_percent_within_its_bounds() -> None:
    lead = Lead()
    for _ in range(20):
        lead.observe(0.12)
    assert lead.seconds == 0.12
    for _ in range(20):
        lead.observe(9.0)
    assert lead.seconds == 0.25
    for _ in range(400):
        lead.observe(0.001)
    assert lead.seconds == 0.04
