"""The judge of deaths at exact instants: an honest run passes, every doctored one is told."""

from collections.abc import Callable
from typing import Any

import pytest
from honest_run import START_S, Run, accepted, ended

from loadtest.once import row, short
from loadtest.once_done import Done, Kill, Stop, spared

Change = Callable[[Run], object]

KILLS = [
    Kill(START_S + 0.6, "sender-1", "sender.claimed"),
    Kill(START_S + 1.2, "processor-1", "processor.raised"),
    Kill(START_S + 2.5, "sender-2", "anywhere"),
]
STOPS = [
    Stop(START_S + 0.1, START_S + 1.9, "sender-3", "failpoint"),
    Stop(START_S + 0.2, START_S + 1.9, "sender-2", "signal"),
]
QUIET = "delivered-"


def done(case: str, **more: Any) -> Done:
    facts: dict[str, Any] = {"kills": KILLS, "mails": 14, "rate": 4.0}
    if case in ("c", "d"):
        facts |= {"special": QUIET, "specials": 2}
    if case == "b":
        facts |= {"processors_from": START_S + 2.0}
    if case == "e":
        facts |= {"stops": STOPS, "lease_s": 1.5}
    return Done(
        **{"case": case, "load_from": START_S, "load_until": START_S + 3.0, **facts, **more}
    )


def of(line: Run) -> str:
    return str(line.get("emailId") or line["tags"]["email_id"])


def run_of(case: str) -> Run:
    """An honest run in which the case happened."""
    run = ended()
    for line in run["simulator"]:
        line["caller"] = "sender-1"
    if case == "c":
        for name in (f"{QUIET}1", f"{QUIET}2"):
            silence(run, name)
    if case == "d":
        cut = {"kind": "fault", "id": "drop_after_accept-1", "messageId": "x", "t": START_S}
        run["simulator"] += [cut, cut]
    return run


def silence(run: Run, email_id: str) -> None:
    """No event of this mail ever came: the API knows it from SES's answer."""
    run["simulator"] = [
        one for one in run["simulator"] if one["kind"] != "event" or of(one) != email_id
    ]
    run["receiver"] = [one for one in run["receiver"] if of(one) != email_id]
    status = run["statuses"][email_id]
    run["statuses"][email_id] = status | {
        "status": "sent",
        "events": [],
        "messageId": f"ses-{email_id}",
    }


def faults(case: str, change: Change = lambda _: None, **more: Any) -> list[str]:
    run, what, left = run_of(case), done(case, **more), {"webhooks": 0}
    change(run)
    return short(row(what, run, cut=0, left=left), what)


def again(run: Run, email_id: str, **more: Any) -> None:
    """SES accepted it once more."""
    line = run["simulator"][accepted(run, email_id)]
    run["simulator"].append(line | {"t": line["t"] + 9, "messageId": "ses-again"} | more)


def flag(run: Run, email_id: str) -> None:
    run["statuses"][email_id]["possibleDuplicate"] = True


def in_flight(email_id: str = f"{QUIET}1") -> list[Kill]:
    """The sender of this mail died while SES answered."""
    line = run_of("c")["simulator"][accepted(run_of("c"), email_id)]
    return [*KILLS[1:], Kill(line["t"] + 0.4, "sender-1", "sender.accepted")]


@pytest.mark.parametrize("case", "abcde")
def test_an_honest_run_passes(case: str) -> None:
    assert faults(case) == []


def test_the_numbers_of_a_run_are_there() -> None:
    found = row(done("a"), run_of("a"), cut=2, left={"webhooks": 0})
    assert (found["case"], found["lost"], found["duplicates"], found["flagged"]) == ("a", 0, 0, 0)
    assert (found["kills"], found["unknown"], found["posts_cut"]) == (3, 0, 2)
    assert found["kills_by_service"] == {"ingest": 0, "sender": 2, "processor": 1, "notifier": 0}
    assert found["kills_at"] == {"anywhere": 1, "processor.raised": 1, "sender.claimed": 1}


def test_a_lost_mail_is_told() -> None:
    def lost(run: Run) -> None:
        del run["simulator"][accepted(run, "hard-1")]

    assert "lost: 1" in faults("a", lost)


@pytest.mark.parametrize("case", "abde")
def test_a_mail_sent_twice_is_told_where_events_flow(case: str) -> None:
    def twice(run: Run) -> None:
        again(run, "hard-1")
        flag(run, "hard-1")

    assert faults(case, twice, kills=in_flight("hard-1")) == ["sent twice: 1"]


def test_a_flagged_mail_without_events_may_be_sent_twice_when_its_sender_died() -> None:
    def twice(run: Run) -> None:
        again(run, f"{QUIET}1")
        flag(run, f"{QUIET}1")

    assert faults("c", twice, kills=in_flight()) == []
    found = row(done("c", kills=in_flight()), run_of("c"), cut=0, left={})
    assert found["in_flight_at_kills"] == 1


def test_an_unflagged_mail_sent_twice_is_told() -> None:
    (said,) = faults("c", lambda run: again(run, f"{QUIET}1"), kills=in_flight())
    assert said == "delivered-1 was sent 2 times, and the API does not say so"


def test_a_mail_sent_twice_whose_sender_lived_on_is_told() -> None:
    def twice(run: Run) -> None:
        again(run, f"{QUIET}1")
        flag(run, f"{QUIET}1")

    assert faults("c", twice) == [
        "sent twice: 1; in flight at kills were 0",
        "delivered-1 was sent 2 times, though its sender lived on",
    ]


def test_an_end_that_was_seen_late_counts_from_the_last_sign_of_life() -> None:
    def twice(run: Run) -> None:
        again(run, f"{QUIET}2", caller="sender-3")
        flag(run, f"{QUIET}2")

    late = [*KILLS[1:], in_flight(f"{QUIET}2")[-1]._replace(t=START_S + 7)]
    assert faults("c", twice, kills=[*late, *KILLS[:1]]) == []

    def lived_on(run: Run) -> None:
        twice(run)
        run["simulator"][accepted(run, "soft-2")]["t"] += 4

    said = faults("c", lived_on, kills=[*late, *KILLS[:1]])
    assert "delivered-2 was sent 2 times, though its sender lived on" in said


def test_a_mail_sent_twice_though_its_events_came_is_told() -> None:
    def twice(run: Run) -> None:
        again(run, "hard-1")
        flag(run, "hard-1")

    said = faults("c", twice, kills=in_flight("hard-1"))
    assert "hard-1 was sent 2 times, though its events came" in said


def test_a_sent_mail_that_nothing_proves_is_told() -> None:
    def unproved(run: Run) -> None:
        run["statuses"][f"{QUIET}1"]["messageId"] = None

    assert faults("c", unproved) == ["delivered-1 was sent, nothing proves it, and nobody says so"]

    def admitted(run: Run) -> None:
        unproved(run)
        flag(run, f"{QUIET}1")

    assert faults("c", admitted) == []


def unknown(run: Run) -> None:
    run["statuses"][f"{QUIET}1"] |= {"status": "unknown", "messageId": None}


def test_an_unknown_mail_is_counted_and_told_when_too_few_deaths_explain_it() -> None:
    assert faults("c", unknown) == []
    assert faults("c", unknown, kills=KILLS[:2] * 1)[-2:] == [
        "unknown: 1, after only 2 kills",
        "only 2 kills in 3 s of load",
    ]


def test_an_unknown_mail_whose_events_came_is_told() -> None:
    assert "wrong_status: 1" in faults("a", unknown)


def test_too_few_kills_and_kills_at_no_instant_are_told() -> None:
    assert "only 2 kills in 3 s of load" in faults("a", kills=KILLS[:2])
    late = [*KILLS[:2], KILLS[2]._replace(t=START_S + 4)]
    assert faults("a", kills=late) == ["only 2 kills in 3 s of load"]
    assert faults("a", kills=KILLS[2:] * 3) == ["only 0 of 3 kills at an instant of the seed"]
    assert faults("a", kills=KILLS[:2], rate=7.0) == []


def test_too_few_mails_are_told() -> None:
    assert faults("a", mails=20) == ["only 14 mails of 20"]


def test_what_is_left_in_a_queue_and_what_has_not_ended_is_told() -> None:
    run, what = run_of("a"), done("a")
    run["statuses"]["soft-1"]["status"] = "pending"
    said = short(row(what, run, cut=0, left={"ses-events-dead": 1}), what)
    assert said == ["wrong_status: 1", "not_ended: 1", "left in ses-events-dead: 1"]


def test_a_missing_webhook_is_told() -> None:
    assert faults("a", lambda run: run["receiver"].pop(0)) == ["webhooks_missing: 1"]


def test_processors_that_were_not_away_are_told() -> None:
    assert faults("b", processors_from=START_S + 4) == ["the processors were not away"]
    assert faults("b", processors_from=0.0) == ["the processors were not away"]


def test_events_that_came_though_they_were_to_be_withheld_are_told() -> None:
    run, what = run_of("a"), done("c")
    said = short(row(what, run, cut=0, left={}), what)
    assert said[-1] == "4 events came that were to be withheld"


def test_too_few_special_mails_are_told() -> None:
    assert faults("c", specials=9) == ["only 2 mails were special, of 9"]


def test_answers_that_were_not_cut_are_told() -> None:
    assert faults("d", lambda run: run["simulator"].pop()) == ["only 1 answers were cut"]


@pytest.mark.parametrize(
    ("stops", "said"),
    [
        (STOPS[:1], ["no sender stood still by a signal for longer than its claims"]),
        (STOPS[1:], ["no sender stood still by a failpoint for longer than its claims"]),
        (
            [STOPS[0], STOPS[1]._replace(until=START_S + 1)],
            ["no sender stood still by a signal for longer than its claims"],
        ),
    ],
)
def test_senders_that_did_not_stand_still_for_long_enough_are_told(
    stops: list[Stop], said: list[str]
) -> None:
    assert faults("e", stops=stops) == said


def test_lines_that_cannot_be_read_are_told_and_disturb_nothing() -> None:
    assert faults("a", lambda run: run["simulator"].append("half")) == ["unreadable: 1"]


def test_an_instant_at_which_nobody_died_is_told() -> None:
    rows = [row(done(case), run_of(case), cut=0, left={}) for case in "ab"]
    assert spared(rows, ["sender.claimed", "processor.raised"]) == []
    assert spared(rows, ["sender.claimed", "sender.ended"]) == ["nobody died at sender.ended"]
