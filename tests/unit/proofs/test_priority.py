"""The judge of priority, on logs of runs that never happened."""

from typing import Any

import pytest

from loadtest.priority import Case, row, short

RATE = 50.0


def acks(prefix: str, count: int, *, per_s: float) -> list[dict[str, Any]]:
    return [{"emailId": f"{prefix}{n}", "t": 100 + n / per_s} for n in range(count)]


def sent(found: list[dict[str, Any]], *, after_s: float) -> list[dict[str, Any]]:
    """The simulator's lines for these mails."""
    return [
        {"verdict": "accepted", "t": ack["t"] + after_s, "tags": {"email_id": ack["emailId"]}}
        for ack in found
    ]


SMALL = acks("s", 40, per_s=10)
CAMPAIGN = acks("c", 160, per_s=40)
URGENT = Case("urgent", SMALL, frozenset(ack["emailId"] for ack in CAMPAIGN), RATE)
LARGER = acks("c", 400, per_s=100)
ABOVE = Case("above", SMALL, frozenset(ack["emailId"] for ack in LARGER), RATE)
BELOW = URGENT._replace(name="below", beside_per_s=40.0)


def judged(case: Case, *, after_s: float, beside_s: float = 1.0, alone: float = 200.0) -> list[str]:
    others = LARGER if case.name == "above" else CAMPAIGN
    log = [*sent(SMALL, after_s=after_s), *sent(others, after_s=beside_s)]
    return short(row(case, log, alone=alone))


def test_an_honest_run_has_no_fault() -> None:
    assert judged(URGENT, after_s=0.4, beside_s=0.1) == []
    assert judged(ABOVE, after_s=0.6) == []
    assert judged(BELOW, after_s=0.3, beside_s=0.3) == []


def test_the_row_says_what_was_seen() -> None:
    log = [*sent(SMALL, after_s=0.25), *sent(LARGER, after_s=50)]
    found = row(ABOVE, log, alone=100.0)
    assert (found["p95_ms"], found["alone_p95_ms"], found["mails"]) == (250.0, 100.0, 40)
    assert (found["beside_still_waiting"], found["beside_per_s"]) == (400, 0.0)


@pytest.mark.parametrize(
    ("case", "after_s", "told"),
    [(URGENT, 1.1, "p95 1100"), (ABOVE, 0.71, "p95 710 ms, at most 700")],
)
def test_mail_that_waited_too_long_fails(case: Case, after_s: float, told: str) -> None:
    (fault,) = judged(case, after_s=after_s, beside_s=0.1 if case is URGENT else 1.0)
    assert told in fault


def test_on_a_busy_machine_mail_may_be_later_and_not_lost() -> None:
    log = [*sent(SMALL, after_s=1.5), *sent(LARGER, after_s=1.6)]
    found = row(ABOVE, log, alone=200.0)
    assert short(found, slack=3) == []
    assert short(found, slack=2) == ["above: p95 1500 ms, at most 1400"]
    assert short(row(ABOVE, log[1:], alone=200.0), slack=3) == ["above: 1 mails never reached SES"]


def test_twice_as_long_as_alone_is_allowed_where_that_is_more() -> None:
    assert judged(ABOVE, after_s=1.1, alone=600.0) == []


def test_the_slowest_of_twenty_counts_and_not_the_mean() -> None:
    late = [dict(line) for line in sent(SMALL, after_s=0.1)]
    for line in late[:3]:
        line["t"] += 2
    assert "p95" in short(row(URGENT, [*late, *sent(CAMPAIGN, after_s=0.1)]))[0]


def test_a_mail_that_never_arrived_fails() -> None:
    log = [*sent(SMALL[1:], after_s=0.1), *sent(CAMPAIGN, after_s=0.1)]
    assert short(row(URGENT, log)) == ["urgent: 1 mails never reached SES"]
    refused = [line | {"verdict": "throttled"} for line in sent(SMALL, after_s=0.1)]
    assert "urgent: nothing was measured" in short(row(URGENT, refused))


def test_a_campaign_that_was_not_there_shows_nothing() -> None:
    assert "nothing was shown" in judged(URGENT, after_s=0.1, beside_s=600)[0]


def test_a_larger_tenant_that_hardly_waited_or_hardly_sent_shows_nothing() -> None:
    (fault,) = judged(ABOVE, after_s=0.1, beside_s=0.3)
    assert "mails waiting: nothing was shown" in fault
    few = ABOVE._replace(beside=frozenset(list(ABOVE.beside)[:100]))
    assert "above: only 35.9/s were offered: nothing was shown" in judged(few, after_s=0.1)
    slow = BELOW._replace(beside_per_s=60.0)
    assert "below: only 41/s of 60 were sent beside it: nothing was shown" in judged(
        slow, after_s=0.1
    )


def test_the_first_acceptance_counts_and_lines_that_are_none_are_passed_over() -> None:
    log = [*sent(SMALL, after_s=9), *sent(SMALL, after_s=0.1), None, {"event": "start"}]
    assert row(URGENT, log)["p95_ms"] == 100.0
