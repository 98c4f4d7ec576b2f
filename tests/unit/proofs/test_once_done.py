"""A run in which too little was done proves nothing, and is told."""

import pytest
from honest_run import START_S, Run
from once_run import KILLS, STOPS, TAKEN_OVER, Change, done, faults, judged, run_of, sent

from loadtest.once import short
from loadtest.once_done import Kill, Stop, proves_too_little, spared


def test_too_few_kills_and_kills_at_no_instant_are_told() -> None:
    assert "only 2 kills in 3 s of load" in faults("a", kills=KILLS[:2])
    late = [*KILLS[:2], KILLS[2]._replace(t=START_S + 4)]
    assert faults("a", kills=late) == ["only 2 kills in 3 s of load"]
    assert faults("a", kills=KILLS[2:] * 3) == ["only 0 of 3 kills at an instant of the seed"]
    one = [KILLS[0], *KILLS[2:] * 2]
    assert faults("a", kills=one) == ["only 1 of 3 kills at an instant of the seed"]
    assert faults("a", kills=KILLS[:2], rate=7.0) == []


def test_processors_that_were_not_away_are_told() -> None:
    assert faults("b", processors_from=START_S + 4) == ["the processors were not away"]
    assert faults("b", processors_from=0.0) == ["the processors were not away"]


def test_too_few_kills_while_the_processors_catch_up_are_told() -> None:
    (said,) = faults("b", catching_up_s=2.1)
    assert said == "only 1 kills in 2 s while the processors caught up"


def test_a_run_in_which_nobody_died_with_the_yes_in_hand_is_told() -> None:
    assert faults("c", kills=KILLS) == ["no sender died with SES's yes to such a mail in hand"]


def test_events_that_came_though_they_were_to_be_withheld_are_told() -> None:
    run, what = run_of("a"), done("c")
    said = short(judged(what, run, {}), what)
    assert said[-1] == "4 events came that were to be withheld"


def test_too_few_special_mails_are_told() -> None:
    assert faults("c", specials=9) == ["only 2 mails were special, of 9"]


def test_answers_that_were_not_cut_are_told() -> None:
    assert faults("d", lambda run: run["simulator"].pop()) == ["only 1 answers were cut"]


NOT_LONG, NOT_SHORT, NOT_TAKEN = (
    "no sender stood still by a {how} for longer than its claims",
    "no sender went on after its claims and before anybody could take over",
    "no mail of a sender that stood still was sent by another meanwhile",
)


@pytest.mark.parametrize(
    ("stops", "said"),
    [
        (STOPS[:1], [NOT_LONG.format(how="signal"), NOT_SHORT]),
        (STOPS[1:], [NOT_LONG.format(how="failpoint"), NOT_TAKEN]),
        (
            [STOPS[0], STOPS[1]._replace(until=START_S + 1)],
            [NOT_LONG.format(how="signal"), NOT_SHORT],
        ),
        (
            [STOPS[0]._replace(until=START_S + 1), STOPS[0], STOPS[0]._replace(how="signal")],
            [NOT_SHORT],
        ),
        ([STOPS[0]._replace(t=START_S + 1.02), STOPS[1]], [NOT_TAKEN]),
        ([STOPS[0]._replace(replica="sender-1"), STOPS[1]], [NOT_TAKEN]),
    ],
)
def test_senders_that_did_not_stand_still_for_long_enough_are_told(
    stops: list[Stop], said: list[str]
) -> None:
    assert faults("e", stops=stops) == said


def claimed_late(run: Run) -> None:
    run["stores"][0]["t"] = START_S + 0.2


def not_claimed(run: Run) -> None:
    run["stores"][0]["code"] = "ConditionalCheckFailed"


def sent_by_itself(run: Run) -> None:
    sent(run, TAKEN_OVER)["caller"] = "sender-3"


def sent_under_the_same_claim(run: Run) -> None:
    sent(run, TAKEN_OVER)["tags"]["attempt"] = "1"


@pytest.mark.parametrize(
    "change", [claimed_late, not_claimed, sent_by_itself, sent_under_the_same_claim]
)
def test_mail_that_was_not_taken_over_while_its_sender_stood_still_is_no_proof(
    change: Change,
) -> None:
    assert faults("e", change) == [NOT_TAKEN]


def test_what_a_replica_claimed_in_a_life_before_was_not_taken_from_one_that_stood_still() -> None:
    died = Kill(START_S + 0.08, "sender-3", "sender.recorded")
    assert faults("e", kills=[*KILLS, died]) == [NOT_TAKEN]


def test_an_instant_at_which_nobody_died_is_told() -> None:
    rows = [judged(done(case), run_of(case), {}) for case in "ab"]
    assert spared(rows, ["sender.claimed", "processor.raised"]) == []
    assert spared(rows, ["sender.claimed", "sender.ended"]) == ["nobody died at sender.ended"]
    assert proves_too_little(rows, ["sender.ended"])
    assert not proves_too_little(rows, ["sender.claimed"])
    assert not proves_too_little(rows, ["sender.claimed", "sender.ended"])  # too few kills for both
