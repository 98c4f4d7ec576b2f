"""The judge of suppressions: who was claimed in time may go, nobody else."""

from collections.abc import Callable
from typing import Any

import pytest

from loadtest.suppressions import CLOSE_NS, Race, close_ns, row, short, waits_s

MS = 1_000_000
ACKNOWLEDGED = 1_000 * MS
IN_TIME, TOO_LATE = ACKNOWLEDGED - 20 * MS, ACKNOWLEDGED + 20 * MS

Run = dict[str, Any]


def claim(email_id: str, t_ns: int, *, attempt: int = 1, code: str | None = None) -> Run:
    return {
        "kind": "write",
        "table": "mailpipe-EmailTracking",
        "code": code,
        "set": {"attempt": attempt, "token": "t", "leaseUntil": 5},
        "where": {"emailId": email_id},
        "t_ns": t_ns,
    }


def send(email_id: str, t_ns: int, *, attempt: int = 1) -> Run:
    tags = {"email_id": email_id, "attempt": str(attempt)}
    return {"kind": "attempt", "verdict": "accepted", "tags": tags, "t_ns": t_ns}


def run() -> Run:
    """In each race one mail is claimed in time and sent late, one is claimed too late."""
    found: Run = {"races": [], "stores": [], "simulator": [], "receiver": [], "statuses": {}}
    for number in range(4):
        early, late = f"early-{number}", f"late-{number}"
        found["races"].append(Race(f"a{number}", (early, late), IN_TIME, ACKNOWLEDGED))
        found["stores"] += [claim(early, IN_TIME), claim(late, TOO_LATE)]
        found["simulator"].append(send(early, TOO_LATE))
        hook = {"type": "email.suppressed", "verified": True, "emailId": late}
        found["receiver"].append(hook)
        found["statuses"] |= {early: {"status": "delivered"}, late: {"status": "suppressed"}}
    return found


def judged(change: Callable[[Run], object] = lambda _: None) -> list[str]:
    found = run()
    change(found)
    return short(row(found.pop("races"), **found), races=4)


def test_an_honest_run_passes_and_says_what_raced() -> None:
    found = run()
    figures = row(found.pop("races"), **found)
    assert short(figures, races=4) == []
    assert (figures["sent_before"], figures["sent_after"], figures["suppressed"]) == (0, 4, 4)
    assert (figures["claimed_before"], figures["claimed_after"]) == (4, 4)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            lambda run: (
                run["simulator"].append(send("late-0", TOO_LATE + MS)),
                run["statuses"].update({"late-0": {"status": "delivered"}}),
            ),
            "violations: 1",
        ),
        (lambda run: run["simulator"].append(send("late-0", TOO_LATE + MS)), "wrong: 1"),
        (lambda run: run["stores"].pop(0), "unclaimed: 1"),
        (lambda run: run["stores"][0].update(code="ConditionalCheckFailed"), "unclaimed: 1"),
        (lambda run: run["stores"][0].update(t_ns=TOO_LATE + MS), "unclaimed: 1"),
        (lambda run: run["simulator"][0]["tags"].update(attempt="2"), "unclaimed: 1"),
        (lambda run: run["simulator"].pop(0), "lost: 1"),
        (lambda run: run["statuses"].pop("late-0"), "lost: 1"),
        (lambda run: run["receiver"].pop(0), "untold: 1"),
        (lambda run: run["receiver"][0].update(verified=False), "untold: 1"),
        (lambda run: run["stores"].append("half a li"), "unreadable: 1"),
        (lambda run: run["races"].pop(), "only 3 races; 4 are needed"),
    ],
)
def test_what_must_not_be_is_told(change: Callable[[Run], object], fault: str) -> None:
    assert fault in judged(change)


def test_a_second_attempt_needs_a_claim_of_its_own() -> None:
    def again(found: Run) -> None:
        found["stores"].append(claim("early-0", TOO_LATE, attempt=2))
        found["simulator"][0] = send("early-0", TOO_LATE + MS, attempt=2)

    assert "violations: 1" in judged(again)


@pytest.mark.parametrize("at", [IN_TIME, TOO_LATE])
def test_a_run_without_both_sides_proves_nothing(at: int) -> None:
    def one_sided(found: Run) -> None:
        for line in found["stores"]:
            line["t_ns"] = at

    side = "after" if at == IN_TIME else "before"
    faults = judged(one_sided)
    assert f"only 0 mails were claimed {side} it" in faults
    assert f"only 0 races were close, {side} it" in faults


def test_how_long_a_claim_takes_is_found_in_the_log_of_writes() -> None:
    stores = [claim("a", 300 * MS), claim("a", 900 * MS, attempt=2), claim("b", 90 * MS)]
    accepted = {"a": 100 * MS, "b": 100 * MS, "never": 100 * MS}
    assert waits_s(accepted, stores) == [0.2, 0.0]


def test_what_is_close_grows_with_the_time_over_which_mail_is_spread() -> None:
    assert close_ns(0.16) == CLOSE_NS
    assert close_ns(0.9) == 150 * MS

    def far(found: Run) -> None:
        for line in found["stores"]:
            line["t_ns"] += -100 * MS if line["t_ns"] == IN_TIME else 100 * MS

    found = run()
    far(found)
    races = found.pop("races")
    assert row(races, **found)["close_before"] == 0
    assert row(races, close_ns=close_ns(0.9), **found)["close_before"] == 4
