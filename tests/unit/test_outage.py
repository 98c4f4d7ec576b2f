"""When the store of send slots counts as out of reach, and what may go meanwhile."""

from functools import partial

from sender.outage import Outage


def test_a_single_failure_is_no_outage_and_an_answer_ends_one() -> None:
    outage = Outage(after_s=2, rate=0)
    assert not outage.failed(10.0, "x")
    assert outage.reason is None
    assert not outage.rests(10.1)
    assert not outage.answered()
    assert not outage.failed(12.5, "x")
    assert outage.failed(14.5, "y")
    assert not outage.failed(15.0, "y")
    assert outage.rests(15.9)
    assert not outage.rests(16.1)
    assert outage.answered()
    assert outage.reason is None


def test_what_failed_long_ago_says_nothing_of_now() -> None:
    outage = Outage(after_s=2, rate=5)
    assert not outage.failed(100.0, "x")
    assert not outage.failed(200.0, "x")
    assert outage.failed(202.5, "x")


def test_what_a_person_must_put_right_lets_nothing_go() -> None:
    outage = Outage(after_s=0, rate=5)
    assert outage.failed(10.0, "UnreadableItem", may_go=False)
    asked = partial(outage.reserve, "transactional", 1, 1, lead_s=0.1, senders=1)
    assert not asked(now_s=10.0).instants
    outage.failed(11.0, "Timeout")
    assert asked(now_s=11.0).instants
