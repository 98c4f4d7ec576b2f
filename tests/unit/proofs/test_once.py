"""The judge of deaths at exact instants: an honest run passes, every doctored one is told."""

import pytest
from honest_run import START_S, Run, accepted, webhook
from once_run import (
    KILLS,
    QUIET,
    Change,
    again,
    done,
    faults,
    flag,
    in_flight,
    judged,
    run_of,
    sent,
    silence,
    write,
)

from loadtest.once import row, short


@pytest.mark.parametrize("case", "abcde")
def test_an_honest_run_passes(case: str) -> None:
    assert faults(case) == []


def test_the_numbers_of_a_run_are_there() -> None:
    run = run_of("a")
    found = row(done("a"), run, cut=2, left={"webhooks": 0}, stores=run.pop("stores"))
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
    found = judged(done("c", kills=in_flight()), run_of("c"), {})
    assert found["in_flight_at_kills"] == 1


def test_an_unflagged_mail_sent_twice_is_told() -> None:
    (said,) = faults("c", lambda run: again(run, f"{QUIET}1"), kills=in_flight())
    assert said == "delivered-1 was sent 2 times, and the API does not say so"


def test_a_mail_sent_twice_whose_sender_lived_on_is_told() -> None:
    def twice(run: Run) -> None:
        again(run, f"{QUIET}1")
        flag(run, f"{QUIET}1")

    assert faults("c", twice, kills=KILLS) == [
        "sent twice: 1; in flight at kills were 0",
        "delivered-1 was sent 2 times, though its sender lived on",
        "no sender died with SES's yes to such a mail in hand",
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


def test_an_answer_that_was_recorded_was_not_in_flight() -> None:
    def twice(run: Run) -> None:
        again(run, f"{QUIET}1")
        flag(run, f"{QUIET}1")
        line = sent(run, f"{QUIET}1")
        run["stores"] += [
            write(f"{QUIET}1", "sender-1", line["t"] + 0.1, **{"ids.a1": line["messageId"]}),
            write(f"{QUIET}2", "sender-1", line["t"] + 0.1, **{"ids.a1": "x"}) | {"code": "Lost"},
        ]

    assert faults("c", twice, kills=in_flight()) == [
        "sent twice: 1; in flight at kills were 0",
        "delivered-1 was sent 2 times, though its sender lived on",
        "no sender died with SES's yes to such a mail in hand",
    ]


def unknown(run: Run) -> None:
    """Nobody knows what became of it, says the API, and a webhook."""
    run["statuses"][f"{QUIET}1"] |= {"status": "unknown", "messageId": None}
    run["endpoints"] = {**run["endpoints"], "doubts": ["email.unknown"]}
    hook = webhook("doubts", "email.unknown", email_id=f"{QUIET}1", t=START_S + 9)
    run["receiver"].append(hook)


def never_sent(run: Run) -> None:
    unknown(run)
    silence(run, f"{QUIET}1")
    del run["simulator"][accepted(run, f"{QUIET}1")]
    run["statuses"][f"{QUIET}1"] |= {"status": "unknown", "messageId": None}
    hook = webhook("doubts", "email.unknown", email_id=f"{QUIET}1", t=START_S + 9)
    run["receiver"].append(hook)


THREE_SENDERS = [
    in_flight()[-1],
    KILLS[0]._replace(t=START_S + 2.2),
    KILLS[2]._replace(t=START_S + 2.99),
]


@pytest.mark.parametrize(("case", "change"), [("c", unknown), ("a", never_sent), ("b", never_sent)])
def test_an_unknown_mail_needs_three_doubts_and_its_webhook(case: str, change: Change) -> None:
    assert faults(case, change, kills=THREE_SENDERS, grace_s=0.7) == []
    (said,) = faults(case, change, kills=THREE_SENDERS, grace_s=1.0)
    assert said == "unknown: 1, though no mail was in doubt three times"

    def untold(run: Run) -> None:
        change(run)
        run["receiver"].pop()

    assert faults(case, untold, kills=THREE_SENDERS, grace_s=0.7) == ["webhooks_missing: 1"]


def test_an_unknown_mail_is_told_when_too_few_deaths_explain_it() -> None:
    assert faults("c", unknown, kills=THREE_SENDERS[:2])[-2:] == [
        "unknown: 1, after only 2 kills",
        "only 2 kills in 3 s of load",
    ]


def test_deaths_of_others_and_deaths_at_once_put_no_mail_in_doubt_again() -> None:
    what = done("a", kills=KILLS, grace_s=1.0)
    assert what.doubts_that_fit == 2
    assert what._replace(kills=THREE_SENDERS, grace_s=0.7).doubts_that_fit == 3
    assert what._replace(kills=THREE_SENDERS, grace_s=0.8).doubts_that_fit == 2
    assert done("e", kills=KILLS[1:2], grace_s=0.5).doubts_that_fit == 1


def test_an_unknown_mail_whose_events_came_is_told() -> None:
    assert "wrong_status: 1" in faults("a", unknown)


def test_too_few_mails_are_told() -> None:
    assert faults("a", mails=20) == ["only 14 mails of 20"]


def test_what_is_left_in_a_queue_and_what_has_not_ended_is_told() -> None:
    run, what = run_of("a"), done("a")
    run["statuses"]["soft-1"]["status"] = "pending"
    said = short(judged(what, run, {"ses-events-dead": 1}), what)
    assert said == ["wrong_status: 1", "not_ended: 1", "left in ses-events-dead: 1"]


def test_a_missing_webhook_is_told() -> None:
    assert faults("a", lambda run: run["receiver"].pop(0)) == ["webhooks_missing: 1"]


def test_lines_that_cannot_be_read_are_told_and_disturb_nothing() -> None:
    assert faults("a", lambda run: run["simulator"].append("half")) == ["unreadable: 1"]
