"""The judge of kills: what a kill may cause passes, everything else is told."""

from collections.abc import Callable
from typing import Any

import pytest
from honest_run import HONEST, Run, accepted, ended

from loadtest.kills import adopted, doubled, row, short

KILLS = ["ingest", "sender", "processor", "notifier", "sender"]
SECONDS = 10.0
RATE = 1.0


def found(
    change: Callable[[Run], object] = lambda _: None,
    *,
    kills: list[str] = KILLS,
    cut: list[Run] | None = None,
    left: dict[str, int] | None = None,
) -> dict[str, Any]:
    run, posts = ended(), cut or []
    change(run)
    run["acks"] = run["acks"] + adopted(run["acks"], run["simulator"], run["receiver"], cut=posts)
    return row(kills, run, cut=posts, left=left or {"webhooks": 0})


def faults(
    change: Callable[[Run], object] = lambda _: None, *, rate: float = RATE, **more: Any
) -> list[str]:
    return short(found(change, **more), seconds=SECONDS, rate=rate)


def accepted_again(run: Run) -> None:
    run["simulator"].append(run["simulator"][accepted(run, "hard-1")])


def unacknowledged(run: Run) -> None:
    run["acks"] = [one for one in run["acks"] if one["emailId"] != "hard-1"]


CUT = [{"recipients": ["hard-1@example.com"], "door": "rest", "t": 0.0}]


def test_an_honest_run_passes_and_counts_its_kills() -> None:
    run = found()
    assert run["kills"] == 5
    assert run["kills_by_service"] == {"ingest": 1, "sender": 2, "processor": 1, "notifier": 1}
    assert (run["emails"], run["lost"], run["duplicates"], run["doubled"]) == (14, 0, 0, [])
    assert run["faults"] == {}
    assert faults() == []


def test_a_mail_sent_twice_is_counted_listed_and_told() -> None:
    run = found(accepted_again)
    assert run["duplicates"] == 1
    assert run["doubled"] == [{"emailId": "hard-1", "accepted": 2}]
    assert short(run, seconds=SECONDS, rate=RATE) == ["sent twice: 1"]


def test_a_webhook_that_came_again_under_its_id_fails_nothing() -> None:
    run = found(lambda run: run["receiver"].append(run["receiver"][3]))
    assert run["webhooks_repeated"] == 1
    assert short(run, seconds=SECONDS, rate=RATE) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda run: run["simulator"].pop(accepted(run, "hard-1")), "lost: 1"),
        (lambda run: run["receiver"].pop(3), "webhooks_missing: 1"),
        (
            lambda run: run["receiver"].append(run["receiver"][3] | {"webhook_id": "new"}),
            "webhooks_doubled: 1",
        ),
        (
            lambda run: run["receiver"].append(run["receiver"][3] | {"verified": False}),
            "webhooks_unverified: 1",
        ),
        (
            lambda run: run["receiver"].append(run["receiver"][3] | {"type": "email.odd"}),
            "webhooks_unexpected: 1",
        ),
        (lambda run: run["statuses"]["hard-1"].update(status="complained"), "wrong_status: 1"),
        (lambda run: run["statuses"]["hard-1"]["events"].pop(), "wrong_timeline: 1"),
        (unacknowledged, "unexpected: 1"),
        (lambda run: run["receiver"].append("half a li"), "unreadable: 1"),
    ],
)
def test_what_no_kill_may_cause_is_told(change: Callable[[Run], object], fault: str) -> None:
    assert faults(change) == [fault]


def test_a_mail_that_has_not_ended_is_told() -> None:
    def stuck(run: Run) -> None:
        run["statuses"]["hard-1"]["status"] = "sending"

    assert faults(stuck) == ["wrong_status: 1", "not_ended: 1"]


def test_a_mail_of_a_post_that_was_cut_is_neither_lost_nor_unexpected() -> None:
    run = found(unacknowledged, cut=CUT)
    assert (run["emails"], run["posts_cut"], run["mails_of_cut_posts"]) == (14, 1, 1)
    assert short(run, seconds=SECONDS, rate=RATE) == []


def test_a_post_that_was_cut_before_its_mail_was_on_the_queue_is_no_mail() -> None:
    run = found(cut=[{"recipients": ["never@example.com"], "door": "rest", "t": 0.0}])
    assert (run["emails"], run["posts_cut"], run["mails_of_cut_posts"]) == (14, 1, 0)
    assert short(run, seconds=SECONDS, rate=RATE) == []


def test_a_suppressed_mail_of_a_cut_post_is_judged_like_one_that_was_promised() -> None:
    """The POST was cut, the client's second one bounced, and then the first mail came up."""
    to = ["hard-1@example.com"]

    def suppressed(run: Run) -> None:
        for line in HONEST["receiver"]:
            if line["emailId"] == "gone-1":
                run["receiver"].append(line | {"emailId": "first", "recipients": to})
        run["receiver"] = [one for one in run["receiver"] if one["emailId"] != "gone-1"]
        run["acks"] = [one for one in run["acks"] if one["emailId"] != "gone-1"]
        run["statuses"]["first"] = run["statuses"].pop("gone-1")

    assert faults(suppressed, cut=[{"recipients": to, "door": "rest", "t": 0.0}]) == []
    assert faults(suppressed) == ["webhooks_unexpected: 1"]

    def in_doubt(run: Run) -> None:
        suppressed(run)
        ended_in_doubt(run)

    assert faults(in_doubt, cut=[{"recipients": to, "door": "rest", "t": 0.0}]) == []
    assert faults(in_doubt) == ["webhooks_unexpected: 1"]


def test_one_post_excuses_one_mail() -> None:
    def two_of_one(run: Run) -> None:
        unacknowledged(run)
        line = run["simulator"][accepted(run, "hard-1")]
        run["simulator"].append(line | {"tags": {"email_id": "stranger"}})

    assert faults(two_of_one, cut=CUT) == ["unexpected: 1"]
    assert faults(two_of_one, cut=CUT * 2)[0].startswith("wrong_status")


def test_a_mail_of_a_cut_post_that_was_sent_twice_is_a_duplicate() -> None:
    def twice(run: Run) -> None:
        unacknowledged(run)
        accepted_again(run)

    run = found(twice, cut=CUT)
    assert run["duplicates"] == 1
    assert run["doubled"] == [{"emailId": "hard-1", "accepted": 2}]


def test_lines_that_cannot_be_read_do_not_disturb_the_lists() -> None:
    lines = [None, "half", {"verdict": "accepted"}, {"verdict": "accepted", "tags": {}}]
    hooks = [None, "half", {"type": "email.suppressed"}, {"emailId": "x"}]
    assert adopted([], lines, hooks, cut=CUT) == []
    assert doubled([None, "half"]) == []


def test_a_message_that_stays_in_a_queue_is_told() -> None:
    said = faults(left={"webhooks": 0, "ses-events-dead": 2, "mail-bulk": 1})
    assert said == ["left in mail-bulk: 1", "left in ses-events-dead: 2"]


def test_too_few_kills_are_told() -> None:
    assert faults(kills=KILLS[:4]) == ["only 4 kills; 5 are needed"]


def test_a_service_that_many_kills_spared_is_told() -> None:
    assert faults(kills=["sender"] * 39) == []
    (said,) = faults(kills=["ingest", "sender"] * 20)
    assert said == "never killed: processor, notifier"


def test_too_light_a_load_is_told() -> None:
    assert faults(rate=2.0) == ["only 14 mails; 18 are needed"]


def ended_in_doubt(run: Run) -> None:
    """A mail that must be suppressed, but whose first sender died: nobody knows, says the API."""
    for email_id, status in run["statuses"].items():
        if status["status"] == "suppressed":
            status["status"] = "unknown"
            for line in run["receiver"]:
                if line["emailId"] == email_id:
                    line["type"] = "email.unknown"
    run["endpoints"] = {**run["endpoints"], "all": [*run["endpoints"]["all"], "email.unknown"]}


def test_a_suppressed_mail_whose_first_sender_died_may_be_unknown() -> None:
    assert faults(ended_in_doubt) == []


def test_an_unknown_mail_to_somebody_who_never_bounced_is_lost() -> None:
    def unknown(run: Run) -> None:
        index = accepted(run, "delivered-1")
        del run["simulator"][index]
        run["simulator"] = [
            line
            for line in run["simulator"]
            if line["kind"] != "event" or line["tags"]["email_id"] != "delivered-1"
        ]
        run["statuses"]["delivered-1"]["status"] = "unknown"

    assert "lost: 1" in faults(unknown)
