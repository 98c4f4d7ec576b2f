"""What the cases of `prove-once` do to SES meets the mails that it is meant for, and no other."""

from collections import Counter

import pytest

from loadtest.once_cases import (
    LATE_STEPS,
    LATEST_S,
    Durations,
    faults,
    mails_of,
    special,
)


def addresses(case: str) -> list[str]:
    """The recipients of the 3,000 mails, in the portions that the load makes them in."""
    make = mails_of(case)
    return [mail["to"][0] for n in range(0, 3000, 500) for mail in make(500, 1 + n, first=n)]


@pytest.mark.parametrize("case", ["c", "d"])
def test_two_hundred_mails_are_special(case: str) -> None:
    text = special(case)
    assert text is not None
    assert sum(text in one for one in addresses(case)) == 200


def test_each_mail_whose_answer_is_cut_has_one_delay_of_its_own() -> None:
    cut, *late = faults("d", 1.0)
    delays = Counter[float]()
    for address in addresses("d"):
        met = [one["seconds"] for one in late if one["match"] in address]
        assert len(met) == (cut["match"] in address)
        delays.update(met)
    assert len(delays) == LATE_STEPS
    assert (min(delays), max(delays)) == (1.0, LATEST_S)
    assert set(delays.values()) == {200 // LATE_STEPS}


@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_the_grace_outlasts_the_latest_event(scale: float) -> None:
    late = max(one.get("seconds", 0.0) for one in faults("d", scale))
    assert Durations("d", scale).grace_s > late


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.05])
def test_a_short_stop_ends_before_anybody_takes_over_and_a_long_one_later(scale: float) -> None:
    durations = Durations("e", scale)
    untaken_s = durations.lease_s + durations.grace_s
    assert durations.lease_s < durations.short_stop_s < untaken_s
    assert durations.long_stop_s(30.0) > 30 + durations.after_a_kill_s > 30 + untaken_s


def test_as_many_mails_are_special_as_is_asked_for() -> None:
    text = special("c") or ""
    made = [mail["to"][0] for mail in mails_of("c", specials=3)(45, 1, first=0)]
    assert [n for n, one in enumerate(made) if text in one] == list(range(0, 45, 3))


def test_events_are_withheld_of_no_other_mail_and_nothing_is_done_where_they_flow() -> None:
    assert {one["match"] for one in faults("c", 1.0)} == {special("c")}
    assert faults("a", 1.0) == faults("b", 1.0) == faults("e", 1.0) == []


def test_some_mail_ends_without_ses_and_some_is_large() -> None:
    made = mails_of("a")(500, 1, first=0)
    assert sum("bounce+again" in one["to"][0] for one in made) == 20
    large = [place for place, one in enumerate(made) if len(one["bodyText"]) > 48_000]
    assert len(large) == 10
    assert {place % 2 for place in large} == {0, 1}  # the doors take turns
