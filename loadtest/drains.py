"""Judges the SIGTERMs of one service from what was seen outside. Pure.

The rows are those of `build/prove-drain.json`, one per SIGTERM. What is the matter with a row is
said in sentences by `short`; without any, everything was shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loadtest import mails
from loadtest.checker import Verdict, verdict_of
from loadtest.evidence import Evidence, gather

VISIBLE_WITHIN_S = 1.0
RECORDED_WITHIN_S = 0.25
"""From SES's yes until the message is deleted: so long a mail that was sent is still in flight."""


@dataclass(frozen=True, kw_only=True)
class Drain:
    """One SIGTERM as it was seen: wall seconds, and (when, messages in flight) from it to the end.

    `in_flight_after`: messages in flight when the process was gone and none had taken its place;
    `posts_open`: POSTs without an answer when the signal was sent.
    """

    sigterm_s: float
    ended_s: float
    exit_code: int
    in_flight: Sequence[tuple[float, int]] = ()
    in_flight_after: int = 0
    posts_open: int = 0


def judge(service: str, drains: Sequence[Drain], known: dict[str, Any]) -> list[dict[str, Any]]:
    """A row per SIGTERM; a mail that was lost or sent twice counts where it happened."""
    evidence = gather(**known)
    lost = [_turn(drains, evidence.acks[one].t) for one in mails.lost_ids(evidence)]
    doubled = [
        _turn(drains, attempt.t)
        for attempts in evidence.attempts.values()
        for attempt in sorted(attempts, key=lambda one: one.t)[1:]
    ]
    others = _others(verdict_of(evidence))
    return [
        {
            "service": service,
            "exit": drain.exit_code,
            "drain_s": round(drain.ended_s - drain.sigterm_s, 3),
            "lost": lost.count(index),
            "duplicates": doubled.count(index),
            **_in_hand(service, drain, evidence),
            "other_faults_of_the_run": others,
        }
        for index, drain in enumerate(drains)
    ]


def short(row: dict[str, Any], *, deadline_s: float, slack: float = 1.0) -> list[str]:
    """What of a row is not as it must be. On a machine that does other work, too, what was not
    begun may be visible again `slack` times as late.
    """
    faults = list[str]()
    if row["exit"] != 0:
        faults.append(f"it ended with {row['exit']}")
    if row["drain_s"] > deadline_s:
        faults.append(f"it took {row['drain_s']} s of {deadline_s:g}")
    for kind in ("lost", "duplicates"):
        if row[kind]:
            faults.append(f"{kind}: {row[kind]}")
    faults += [f"{kind}: {count} in this run" for kind, count in row[OTHERS].items()]
    if not row["in_hand_at_sigterm"]:
        faults.append("it had nothing in hand: nothing was shown")
    # Ingest reads no queue.
    return (
        faults if row["service"] == "ingest" else faults + _not_handed_back(row, deadline_s, slack)
    )


def _not_handed_back(row: dict[str, Any], deadline_s: float, slack: float) -> list[str]:
    faults, visible_s = list[str](), row["unstarted_visible_s"]
    sender = row["service"] == "sender"
    what = "mail that it had not begun" if sender else "what it had in hand"
    if row["in_flight_after_exit"]:
        faults.append(f"it left {row['in_flight_after_exit']} messages in flight")
    if visible_s is None:
        faults.append(f"{what} was never visible again")
    elif visible_s > (slack * VISIBLE_WITHIN_S if sender else deadline_s):
        faults.append(f"{what} was visible again after {visible_s} s")
    if sender and not row["unstarted"]:
        faults.append("it had no mail in hand that was not begun: nothing was shown")
    return faults


OTHERS = "other_faults_of_the_run"


def _turn(drains: Sequence[Drain], t: float) -> int:
    """The SIGTERM that came last before `t`, or the first one."""
    return max(0, sum(drain.sigterm_s <= t for drain in drains) - 1)


def _others(verdict: Verdict) -> dict[str, int]:
    kinds = (
        *("unexpected", "wrong_status", "wrong_timeline", "webhooks_missing"),
        *("webhooks_unverified", "webhooks_unexpected", "webhooks_repeated", "webhooks_doubled"),
        "unreadable",
    )
    counts = {kind: int(getattr(verdict, kind)) for kind in kinds}
    counts["not_ended"] = verdict.emails - verdict.terminal
    return {kind: count for kind, count in counts.items() if count}


def _in_hand(service: str, drain: Drain, known: Evidence) -> dict[str, Any]:
    """What the process had in hand, and what became of the messages it had received.

    Of the sender's, those that SES accepted afterwards were begun (they waited for their instant);
    the rest is `unstarted` and must be visible again at once. The other services begin a message
    when they receive it: all that they have in flight must be done or handed back by the deadline.
    """
    if service == "ingest":
        none = dict.fromkeys(("unstarted", "unstarted_visible_s", "in_flight_after_exit"))
        return {"in_hand_at_sigterm": drain.posts_open, **none}
    begun = list[float]()
    if service == "sender":
        sent = (one.t for attempts in known.attempts.values() for one in attempts)
        begun = [t for t in sent if t <= drain.ended_s]
    unstarted = [
        (t, count - sum(sent > t - RECORDED_WITHIN_S for sent in begun))
        for t, count in drain.in_flight
    ]
    return {
        "in_hand_at_sigterm": drain.in_flight[0][1] if drain.in_flight else 0,
        "unstarted": max(0, unstarted[0][1]) if unstarted and service == "sender" else None,
        "unstarted_visible_s": visible_again_s(unstarted, drain.sigterm_s),
        "in_flight_after_exit": drain.in_flight_after,
    }


def visible_again_s(unstarted: Sequence[tuple[float, int]], sigterm_s: float) -> float | None:
    """Seconds from SIGTERM until the first look from which on nothing unstarted was in flight;
    None when the last look still found something.
    """
    since = sigterm_s
    for index, (_, count) in enumerate(unstarted):
        if count <= 0:
            continue
        if index + 1 == len(unstarted):
            return None
        since = unstarted[index + 1][0]
    return round(max(0.0, since - sigterm_s), 3)
