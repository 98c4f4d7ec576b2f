"""The day's quota is never run into."""

from hypothesis import given
from hypothesis import strategies as st

from mailpipe.board import Quota
from sender.day import DaySettings, day_rate, has_room

SETTINGS = DaySettings(kept_share=0.1, smoothing_s=900.0, urgent_smoothing_s=60.0)


def quota(*, day: int = 50_000, sent: int = 0, rate: float = 14.0, read_at: int = 0) -> Quota:
    return Quota(
        max_send_rate_milli=int(rate * 1000),
        max_24_hour=day,
        sent_24_hours=sent,
        sending_enabled=True,
        enforcement="HEALTHY",
        senders=1,
        read_at=read_at,
    )


def test_nothing_binds_while_there_is_plenty() -> None:
    for lane in ("bulk", "transactional"):
        assert day_rate(quota(), lane, 30_000, SETTINGS) is None
        assert day_rate(quota(day=-1, sent=10**9), lane, 10**9, SETTINGS) is None


def test_bulk_slows_down_before_its_part_is_used_up_and_leaves_the_rest() -> None:
    assert day_rate(quota(sent=45_000 - 9_000), "bulk", 0, SETTINGS) == 10.0
    assert day_rate(quota(sent=45_000), "bulk", 0, SETTINGS) == 0.0
    assert day_rate(quota(sent=45_000), "transactional", 0, SETTINGS) is None
    assert day_rate(quota(sent=49_940), "transactional", 0, SETTINGS) == 1.0
    assert day_rate(quota(sent=50_001), "transactional", 0, SETTINGS) == 0.0
    assert not has_room(quota(sent=50_000))


def test_room_is_for_so_many_recipients_or_for_a_whole_day() -> None:
    assert [has_room(quota(sent=49_950 + n), 50) for n in (0, 1)] == [True, False]
    assert [has_room(quota(day=30, sent=n), 50) for n in (0, 1)] == [True, False]
    assert not has_room(quota(day=0), 50)
    assert has_room(quota(day=-1, sent=10**9), 50)


def test_an_old_reading_holds_bulk_back_and_urgent_mail_not() -> None:
    known = quota(sent=30_000)
    assert day_rate(known, "bulk", 0, SETTINGS) is None
    assert day_rate(known, "bulk", 3_600_000, SETTINGS) == 0.0
    assert day_rate(known, "transactional", 3_600_000, SETTINGS) is None


@given(
    day=st.integers(0, 20_000),
    rate=st.integers(1, 200),
    kept=st.sampled_from([0.0, 0.1, 0.5]),
    sent=st.integers(0, 20_000),
    polls_s=st.lists(st.integers(1, 300), min_size=1, max_size=8),
    urgent=st.lists(st.integers(0, 100), min_size=1, max_size=5),
)
def test_bulk_never_uses_what_is_kept_for_transactional_mail(
    day: int, rate: int, kept: float, sent: int, polls_s: list[int], urgent: list[int]
) -> None:
    """Whatever others send beside it within the account's rate, and however late the readings."""
    settings, now_s, used, second = SETTINGS._replace(kept_share=kept), 0, float(sent), 0
    for every_s in polls_s:
        known = quota(day=day, sent=int(used), rate=rate, read_at=now_s * 1000)
        for _ in range(every_s):
            others = rate * urgent[second % len(urgent)] / 100
            allowed = day_rate(known, "bulk", now_s * 1000, settings)
            bulk = min(rate - others, rate if allowed is None else allowed)
            used += others + bulk
            # A reading leaves fractions out, and a second's worth was granted at its begin.
            assert bulk == 0 or used <= day * (1 - kept) + rate + 1
            now_s, second = now_s + 1, second + 1


@given(day=st.integers(100, 100_000), sent=st.integers(0, 100_000), more=st.integers(1, 1000))
def test_the_less_is_left_the_slower_it_goes(day: int, sent: int, more: int) -> None:
    def rate(used: int) -> float:
        found = day_rate(quota(day=day, sent=used), "bulk", 0, SETTINGS)
        return float("inf") if found is None else found

    assert rate(sent + more) <= rate(sent)
