"""A process that SES refuses rests longer each time, until SES answers it."""

import pytest

from sender.denied import Denied


def test_it_rests_longer_each_time_up_to_a_minute() -> None:
    denied, now_s, rests = Denied(), 100.0, list[float]()
    for _ in range(9):
        denied.refused("AccessDenied", now_s, jitter=0.5)
        rests.append(denied.rest_s(now_s))
        now_s += rests[-1]
        assert denied.rest_s(now_s) == 0
    assert rests == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60])


def test_sends_that_were_under_way_together_count_once() -> None:
    denied = Denied()
    assert [denied.refused("x", 5.0, jitter=0.5) for _ in range(9)] == [True] + [False] * 8
    assert denied.rest_s(5.0) == pytest.approx(1)


def test_an_answer_ends_it_at_once() -> None:
    denied = Denied()
    assert (denied.reason, denied.answered()) == (None, False)
    denied.refused("AccessDenied", 5.0, jitter=0.5)
    assert denied.reason == "SES refuses this process: AccessDenied"
    assert denied.answered()
    assert (denied.reason, denied.rest_s(5.0)) == (None, 0)
