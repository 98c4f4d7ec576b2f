"""The judge of whole runs: an honest run passes, every doctored log is caught."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from honest_run import HONEST, START_S, Run, add_suppressed, iso, webhook
from hypothesis import given
from hypothesis import strategies as st

from loadtest.checker import figures, judge

ACCEPTED = [
    place for place, line in enumerate(HONEST["simulator"]) if line.get("verdict") == "accepted"
]


def doctored(change: Callable[[Run], object]) -> Any:
    run = copy.deepcopy(HONEST)
    change(run)
    return judge(**run)


def wrong(verdict: Any) -> dict[str, int]:
    """The counts of faults that are not zero."""
    fine = {"emails", "accepted", "terminal", "webhooks_expected", "webhooks_verified", "faults"}
    return {name: n for name, n in vars(verdict).items() if name not in fine and n}


def place(run: Run, email_id: str, **fields: object) -> int:
    """Where the simulator says this of a mail."""
    return next(
        index
        for index, line in enumerate(run["simulator"])
        if line["tags"]["email_id"] == email_id and fields.items() <= line.items()
    )


def accepted_again(run: Run) -> None:
    line = run["simulator"][place(run, "hard-1", verdict="accepted")]
    run["simulator"].append(line | {"messageId": "ses-again"})


def stranger(run: Run) -> None:
    line = run["simulator"][place(run, "hard-1", verdict="accepted")]
    run["simulator"].append(line | {"tags": {"email_id": "stranger"}})


def suppressed_but_sent(run: Run) -> None:
    line = run["simulator"][place(run, "hard-1", verdict="accepted")]
    run["simulator"].append(line | {"tags": {"email_id": "gone-1"}})
    run["receiver"] = [one for one in run["receiver"] if one["emailId"] != "gone-1"]


def suppressed_without_cause(run: Run) -> None:
    add_suppressed(run, "wronged", recipient="delivered-1@example.com", t=START_S + 60)
    run["receiver"].pop()


def suppressed_before_the_cause(run: Run) -> None:
    run["statuses"]["gone-1"]["lastUpdated"] = iso(START_S)
    run["receiver"] = [one for one in run["receiver"] if one["emailId"] != "gone-1"]


def test_an_honest_run_is_ok() -> None:
    verdict = judge(**HONEST)
    assert verdict.faults == ()
    assert verdict.ok
    assert (verdict.emails, verdict.accepted, verdict.terminal) == (16, 14, 14)
    assert verdict.webhooks_expected == verdict.webhooks_verified == len(HONEST["receiver"])


def test_a_webhook_that_was_retried_after_a_failure_is_ok() -> None:
    def retried(run: Run) -> None:
        run["receiver"].insert(0, run["receiver"][0] | {"answered": 500})
        run["receiver"].insert(0, run["receiver"][1] | {"answered": None})

    assert doctored(retried).ok


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        (lambda run: run["simulator"].pop(place(run, "hard-1", verdict="accepted")), {"lost": 1}),
        (accepted_again, {"duplicates": 1}),
        (stranger, {"unexpected": 1}),
        (lambda run: run["receiver"].pop(3), {"webhooks_missing": 1}),
        (
            lambda run: run["receiver"][3].update(verified=False, answered=401),
            {"webhooks_missing": 1, "webhooks_unverified": 1},
        ),
        (lambda run: run["receiver"][3].update(answered=500), {"webhooks_missing": 1}),
        (lambda run: run["receiver"].append(run["receiver"][3]), {"webhooks_repeated": 1}),
        (
            lambda run: run["receiver"].append(run["receiver"][3] | {"webhook_id": "new"}),
            {"webhooks_doubled": 1},
        ),
        (
            lambda run: run["receiver"].append(
                webhook("all", "email.sent", email_id="no-one", t=START_S)
            ),
            {"webhooks_unexpected": 1},
        ),
        (
            lambda run: run["receiver"].append(
                webhook("bad", "email.sent", email_id="hard-1", t=START_S)
            ),
            {"webhooks_unexpected": 1},
        ),
        (lambda run: run["statuses"]["hard-1"].update(status="sent"), {"wrong_status": 1}),
        (
            lambda run: run["statuses"].pop("hard-1"),
            {"wrong_status": 1, "wrong_timeline": 1},
        ),
        (lambda run: run["statuses"]["late-1"]["events"].pop(), {"wrong_timeline": 1}),
        (
            lambda run: run["statuses"]["late-1"]["events"].append({"type": "delivery"}),
            {"wrong_timeline": 1},
        ),
        (suppressed_without_cause, {"lost": 1}),
        (suppressed_before_the_cause, {"lost": 1}),
        (suppressed_but_sent, {"wrong_status": 1}),
    ],
)
def test_a_doctored_log_is_caught(change: Callable[[Run], object], counts: dict[str, int]) -> None:
    verdict = doctored(change)
    assert wrong(verdict) == counts
    assert not verdict.ok


@pytest.mark.parametrize("source", ["acks", "simulator", "receiver"])
@pytest.mark.parametrize("line", [None, 7, "half a li", {}, {"t": "x"}, {"tags": []}, [{}]])
def test_a_line_of_garbage_is_a_fault(source: str, line: object) -> None:
    verdict = doctored(lambda run: run[source].append(line))
    assert wrong(verdict) == {"unreadable": 1}
    assert "line" in verdict.faults[0]


@pytest.mark.parametrize(
    "line",
    [
        {"kind": "attempt", "t": 1, "verdict": ["odd"], "tags": {"email_id": "hard-1"}},
        {"kind": "attempt", "t": 1, "verdict": "accepted", "tags": {}},
        {"kind": "event", "t": 1, "eventType": "Open", "tags": {"email_id": "hard-1"}},
    ],
)
def test_a_line_that_cannot_be_placed_is_a_fault(line: Run) -> None:
    assert wrong(doctored(lambda run: run["simulator"].append(line))) == {"unreadable": 1}


def test_events_of_a_mail_that_nobody_sent_are_a_fault() -> None:
    def strange(run: Run) -> None:
        line = run["simulator"][place(run, "sent-1", eventType="Send")]
        run["simulator"].append(line | {"tags": {"email_id": "no-one"}})

    assert wrong(doctored(strange)) == {"unreadable": 1, "webhooks_missing": 1}


@pytest.mark.parametrize("answer", [None, {}, {"status": "bounced", "lastUpdated": "yesterday"}])
def test_an_answer_that_cannot_be_read_proves_nothing(answer: object) -> None:
    verdict = doctored(lambda run: run["statuses"].update({"hard-1": answer}))
    assert wrong(verdict) == {"unreadable": 1, "wrong_status": 1, "wrong_timeline": 1}


def test_faults_of_every_kind_are_shown_though_one_kind_is_frequent() -> None:
    def bad(run: Run) -> None:
        run["receiver"].clear()
        accepted_again(run)

    faults = doctored(bad).faults
    assert len(faults) == 10
    assert "SES accepted hard-1 2 times." in faults


@given(which=st.sampled_from(ACCEPTED), double=st.booleans())
def test_no_accepted_attempt_can_be_dropped_or_doubled(which: int, double: bool) -> None:
    lines = HONEST["simulator"]
    changed = [*lines, lines[which]] if double else lines[:which] + lines[which + 1 :]
    assert not judge(**{**HONEST, "simulator": changed}).ok


@given(which=st.integers(0, len(HONEST["receiver"]) - 1), double=st.booleans())
def test_no_webhook_can_be_dropped_or_doubled(which: int, double: bool) -> None:
    lines = HONEST["receiver"]
    changed = [*lines, lines[which]] if double else lines[:which] + lines[which + 1 :]
    assert not judge(**{**HONEST, "receiver": changed}).ok


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(
    source=st.sampled_from(["acks", "simulator", "receiver"]),
    field=st.sampled_from([*HONEST["acks"][0], *HONEST["simulator"][0], *HONEST["receiver"][0]]),
    value=JSON,
)
def test_no_value_makes_the_judge_raise(source: str, field: str, value: object) -> None:
    lines = [*HONEST[source], HONEST[source][-1] | {field: value}]
    judge(**{**HONEST, source: lines})
    figures(**{**HONEST, source: lines})
