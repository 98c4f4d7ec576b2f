"""Send slots: never more than R in a second, none wasted, urgent mail ahead of bulk."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sender.pacing import HORIZON_S, Lead, grant, usable_rate


def reserve(tat: float, now: float, *, rate: float = 10.0, lane: str = "bulk", wanted: int = 1):
    """A grant for single-recipient mail with a lead of 0.1 s."""
    return grant(
        tat,
        now,
        rate=rate,
        lead_s=0.1,
        horizon_s=HORIZON_S[lane],
        recipients=1,
        at_most=wanted,
    )


@given(
    st.floats(1, 5000),
    st.lists(
        st.tuples(st.floats(0, 0.5), st.sampled_from(sorted(HORIZON_S)), st.integers(1, 60)),
        max_size=60,
    ),
)
def test_instants_are_never_closer_than_the_spacing(
    rate: float, calls: list[tuple[float, str, int]]
) -> None:
    tat, now, instants = 0.0, 100.0, list[float]()
    for pause_s, lane, wanted in calls:
        now += pause_s
        tat, reservation = reserve(tat, now, rate=rate, lane=lane, wanted=wanted)
        assert all(instant >= now + 0.1 for instant in reservation.instants)
        instants += reservation.instants
    for earlier, later in itertools.pairwise(instants):
        assert later - earlier >= 1 / rate - 1e-9


def test_a_refusal_says_when_to_ask_again() -> None:
    tat, reservation = reserve(102.0, 100.0)
    assert tat == 102.0
    assert not reservation.instants
    again = 100.0 + reservation.again_in_s + 1e-9
    assert reserve(102.0, again).reservation.instants


def test_bulk_cannot_sell_out_the_near_future_of_urgent_mail() -> None:
    tat = 0.0
    while (bulk := reserve(tat, 100.0, wanted=50)).reservation.instants:
        tat = bulk.tat
    urgent = reserve(tat, 100.0, lane="transactional")
    assert urgent.reservation.instants
    assert urgent.reservation.instants[0] - 100.0 <= 0.1 + HORIZON_S["bulk"] + 0.2


def test_a_reservation_takes_a_tenth_of_a_second_at_most_but_a_whole_mail_at_least() -> None:
    assert len(reserve(0, 100.0, rate=100, wanted=500).reservation.instants) == 10
    many = grant(0, 100.0, rate=1, lead_s=0.1, horizon_s=2, recipients=50, at_most=50)
    assert len(many.reservation.instants) == 50


def test_an_unknown_quota_allows_nothing() -> None:
    assert not reserve(0, 100.0, rate=0).reservation.instants


def test_the_usable_rate_leaves_room_for_the_spread() -> None:
    assert usable_rate(105, share=1, spread_s=0.05) == 100
    assert usable_rate(105, share=0.5, spread_s=0.05) == 50


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
