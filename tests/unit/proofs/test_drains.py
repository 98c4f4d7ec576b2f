"""The judge of drains: a clean one passes, everything that a drain must not do is told."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from honest_run import START_S, Run, accepted, ended

from loadtest.drains import Drain, judge, short, visible_again_s

DEADLINE_S = 6.0
FIRST = Drain(
    sigterm_s=START_S + 1.005,
    ended_s=START_S + 1.7,
    exit_code=0,
    # Six mails of the honest run are accepted at +1.01 s; two more are in hand and not begun.
    in_flight=((START_S + 1.0, 8), (START_S + 1.1, 8), (START_S + 1.2, 6), (START_S + 1.7, 0)),
)
SECOND = replace(FIRST, sigterm_s=START_S + 2.5, ended_s=START_S + 2.6, in_flight=())


def rows(
    *drains: Drain, service: str = "sender", change: Callable[[Run], object] = lambda _: None
) -> list[dict[str, Any]]:
    run = ended()
    change(run)
    return judge(service, drains or [FIRST], run)


def faults(*drains: Drain, **more: Any) -> list[list[str]]:
    return [short(row, deadline_s=DEADLINE_S) for row in rows(*drains, **more)]


def accepted_again(run: Run) -> None:
    run["simulator"].append(run["simulator"][accepted(run, "hard-1")] | {"t": START_S + 2.9})


def test_a_clean_drain_is_told_in_figures_and_passes() -> None:
    (row,) = rows()
    assert row == {
        "service": "sender",
        "exit": 0,
        "drain_s": 0.695,
        "lost": 0,
        "duplicates": 0,
        "in_hand_at_sigterm": 8,
        "unstarted": 2,
        "unstarted_visible_s": 0.195,
        "in_flight_after_exit": 0,
        "other_faults_of_the_run": {},
    }
    assert short(row, deadline_s=DEADLINE_S) == []


def test_another_exit_code_is_told() -> None:
    assert faults(replace(FIRST, exit_code=-9)) == [["it ended with -9"]]


def test_a_drain_beyond_its_deadline_is_told() -> None:
    assert short(rows()[0], deadline_s=0.5) == ["it took 0.695 s of 0.5"]


def test_messages_left_in_flight_are_told() -> None:
    assert faults(replace(FIRST, in_flight_after=3)) == [["it left 3 messages in flight"]]


def test_mail_that_was_not_begun_and_came_back_late_is_told() -> None:
    late = replace(FIRST, in_flight=((START_S + 1.0, 9), (START_S + 2.0, 9), (START_S + 2.2, 0)))
    (said,) = faults(late)
    assert said == ["mail that it had not begun was visible again after 1.195 s"]
    (row,) = rows(late)
    assert short(row, deadline_s=DEADLINE_S, slack=3) == []


def test_mail_that_was_not_begun_and_never_came_back_is_told() -> None:
    (said,) = faults(replace(FIRST, in_flight=((START_S + 1.0, 9), (START_S + 1.7, 2))))
    assert said == ["mail that it had not begun was never visible again"]


def test_a_sender_without_mail_that_was_not_begun_shows_nothing() -> None:
    (said,) = faults(replace(FIRST, in_flight=((START_S + 1.0, 6), (START_S + 1.7, 0))))
    assert said == ["it had no mail in hand that was not begun: nothing was shown"]


@pytest.mark.parametrize("service", ["ingest", "processor"])
def test_a_service_that_had_nothing_in_hand_shows_nothing(service: str) -> None:
    (said,) = faults(replace(FIRST, in_flight=((START_S + 1.1, 0),)), service=service)
    assert said == ["it had nothing in hand: nothing was shown"]


def test_other_services_have_until_the_deadline_for_what_they_have_begun() -> None:
    assert rows(service="processor")[0]["unstarted_visible_s"] == 0.695
    slow = replace(FIRST, in_flight=((START_S + 1.0, 1), (START_S + 2.1, 1), (START_S + 2.2, 0)))
    assert faults(slow, service="notifier") == [[]]
    late = replace(slow, in_flight=(*slow.in_flight[:2], (START_S + 7.2, 0)))
    assert faults(late, service="notifier")[0][0].endswith("visible again after 6.195 s")


def test_ingest_reads_no_queue() -> None:
    (row,) = rows(replace(FIRST, in_flight=(), posts_open=1), service="ingest")
    assert row["unstarted_visible_s"] is None
    assert short(row, deadline_s=DEADLINE_S) == []


def test_a_lost_mail_counts_at_the_drain_before_it() -> None:
    def lose(run: Run) -> None:
        run["simulator"].pop(accepted(run, "hard-2"))

    found = rows(FIRST, SECOND, change=lose)
    assert [row["lost"] for row in found] == [1, 0]
    assert "lost: 1" in short(found[0], deadline_s=DEADLINE_S)


def test_a_mail_sent_twice_counts_at_the_drain_before_the_second_time() -> None:
    found = rows(FIRST, SECOND, change=accepted_again)
    assert [row["duplicates"] for row in found] == [0, 1]
    assert "duplicates: 1" in short(found[1], deadline_s=DEADLINE_S)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda run: run["receiver"].pop(3), "webhooks_missing: 1 in this run"),
        (
            lambda run: run["receiver"].append(run["receiver"][3]),
            "webhooks_repeated: 1 in this run",
        ),
        (
            lambda run: run["statuses"]["hard-1"].update(status="complained"),
            "wrong_status: 1 in this run",
        ),
        (
            lambda run: run["statuses"]["hard-1"]["events"].pop(),
            "wrong_timeline: 1 in this run",
        ),
        (lambda run: run["acks"].pop(0), "unexpected: 1 in this run"),
        (lambda run: run["acks"].append("half a li"), "unreadable: 1 in this run"),
    ],
)
def test_whatever_else_is_wrong_with_the_run_is_told(
    change: Callable[[Run], object], fault: str
) -> None:
    assert faults(change=change) == [[fault]]


def test_the_last_look_that_found_something_counts() -> None:
    assert visible_again_s([], 5.0) == 0.0
    assert visible_again_s([(5.0, 0), (5.1, -2)], 5.0) == 0.0
    assert visible_again_s([(5.0, 3), (5.2, 0), (5.4, 1), (5.6, 0)], 5.0) == 0.6
    assert visible_again_s([(5.0, 3), (5.2, 1)], 5.0) is None
