"""The simulator's quotas: as strict as SES, and no stricter."""

from hypothesis import given
from hypothesis import strategies as st

from infra.local.ses.quota import Quota


@given(
    st.integers(1, 20),
    st.lists(st.integers(0, 400), max_size=120),
)
def test_never_more_than_the_rate_in_a_second_and_no_refusal_with_room(
    rate: int, pauses_ms: list[int]
) -> None:
    quota = Quota(max_send_rate=rate, max_24_hour_send=-1)
    now_ms, accepted = 0, list[int]()
    for pause_ms in pauses_ms:
        now_ms += pause_ms
        in_window = sum(at > now_ms - 1000 for at in accepted)
        verdict = quota.admit(now_ms / 1000, recipients=1, simulated=0)
        assert (verdict is None) == (in_window < rate)
        if verdict is None:
            accepted.append(now_ms)


def test_a_call_with_many_recipients_goes_whole_and_leaves_a_debt() -> None:
    quota = Quota(max_send_rate=5, max_24_hour_send=-1)
    assert quota.admit(0.0, recipients=20, simulated=0) is None
    assert quota.admit(0.999, recipients=1, simulated=0) == "throttled"
    assert quota.admit(1.0, recipients=1, simulated=0) is None


def test_the_day_rolls_and_counts_real_recipients_only() -> None:
    quota = Quota(max_send_rate=100, max_24_hour_send=2)
    assert quota.admit(0.0, recipients=1, simulated=1) is None
    assert quota.admit(2.0, recipients=2, simulated=0) is None
    assert quota.admit(4.0, recipients=1, simulated=0) == "daily_quota"
    assert quota.admit(6.0, recipients=1, simulated=1) is None
    assert quota.sent_last_24_hours(6.0) == 2
    assert quota.admit(86_402.0, recipients=1, simulated=0) is None


def test_a_refused_call_counts_for_nothing() -> None:
    quota = Quota(max_send_rate=1, max_24_hour_send=-1)
    assert quota.admit(0.0, recipients=1, simulated=0) is None
    for tenth in range(1, 10):
        assert quota.admit(tenth / 10, recipients=1, simulated=0) == "throttled"
    assert quota.admit(1.0, recipients=1, simulated=0) is None
