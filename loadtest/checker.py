"""Judges a run from outside logs only: what the doors promised, what SES did, what webhooks came.

`judge` compares five sources that the system under test cannot write: acknowledgements, the SES
simulator's log, the receiver's log, the API's answers and the endpoints' subscriptions.

A mail is lost when it was acknowledged and SES never accepted it, unless the API says `suppressed`
and one of its recipients had bounced for good or complained before. Every accepted attempt after
the first is a duplicate. The status must be the highest that SES's events prove, the timeline must
show every delivery, bounce and complaint once, and every subscribed endpoint must have taken one
verified webhook per event under one id, once. A line that cannot be read is a fault too; nothing
here raises. `figures` gives the numbers of the same run, `read_log` reads a log of JSON lines.

`emails` counts acknowledged mails, `accepted` those of them that SES accepted at least once.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from loadtest import mails, webhooks
from loadtest.evidence import Evidence, gather
from loadtest.latency import latencies

MAX_FAULTS = 10


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The counts of a run; `faults` are examples in sentences, of every kind of fault some."""

    emails: int
    accepted: int
    terminal: int
    lost: int
    duplicates: int
    unexpected: int
    wrong_status: int
    wrong_timeline: int
    webhooks_expected: int
    webhooks_verified: int
    webhooks_missing: int
    webhooks_unverified: int
    webhooks_unexpected: int
    webhooks_repeated: int
    webhooks_doubled: int
    unreadable: int
    faults: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; every fault has a sentence."""
        return not self.faults


def judge(
    acks: Iterable[Any],
    simulator: Iterable[Any],
    *,
    receiver: Iterable[Any],
    statuses: Mapping[str, Any],
    endpoints: Mapping[str, Iterable[str]],
    excused: Iterable[str] = ("suppressed",),
) -> Verdict:
    """Whether the run was right, and what was wrong. `excused`: see Evidence."""
    logs: dict[str, Any] = {"receiver": receiver, "statuses": statuses, "endpoints": endpoints}
    return verdict_of(gather(acks, simulator, **logs, excused=excused))


def figures(
    acks: Iterable[Any],
    simulator: Iterable[Any],
    *,
    receiver: Iterable[Any],
    statuses: Mapping[str, Any],
    endpoints: Mapping[str, Iterable[str]],
    excused: Iterable[str] = ("suppressed",),
) -> dict[str, Any]:
    """The run's numbers, as a proof's `runs` hold them."""
    logs: dict[str, Any] = {"receiver": receiver, "statuses": statuses, "endpoints": endpoints}
    known = gather(acks, simulator, **logs, excused=excused)
    verdict = verdict_of(known)
    return {
        "emails": verdict.emails,
        "accepted": verdict.accepted,
        "terminal": verdict.terminal,
        "lost": verdict.lost,
        "duplicates": verdict.duplicates,
        "by_status": dict(sorted(Counter(map(known.status, known.acks)).items())),
        "webhooks": {
            "expected": verdict.webhooks_expected,
            "verified": verdict.webhooks_verified,
        },
        "latency_ms": latencies(known),
    }


def verdict_of(known: Evidence) -> Verdict:
    """The verdict on evidence that is gathered already."""
    hooks = webhooks.check(known)
    faults = {
        "lost": mails.lost(known),
        "duplicates": mails.duplicates(known),
        "unexpected": mails.unexpected(known),
        "wrong_status": mails.wrong_statuses(known),
        "wrong_timeline": mails.wrong_timelines(known),
        "webhooks_missing": hooks.missing,
        "webhooks_unverified": hooks.unverified,
        "webhooks_unexpected": hooks.unexpected,
        "webhooks_repeated": hooks.repeated,
        "webhooks_doubled": hooks.doubled,
        "unreadable": known.unreadable,
    }
    # In turn, so that many faults of one kind do not hide the others.
    in_turn = chain.from_iterable(zip_longest(*map(dict.fromkeys, faults.values())))
    return Verdict(
        emails=len(known.acks),
        accepted=len(known.acks.keys() & known.attempts.keys()),
        terminal=sum(known.status(email_id) in mails.TERMINAL for email_id in known.acks),
        webhooks_expected=hooks.expected,
        webhooks_verified=hooks.verified,
        faults=tuple([sentence for sentence in in_turn if sentence is not None][:MAX_FAULTS]),
        **{name: len(sentences) for name, sentences in faults.items()},
    )


def read_log(path: Path) -> list[Any]:
    """The lines of a log. A last line that its writer did not finish is left out; any other that
    is not JSON comes back as text, which `judge` tells of.
    """
    lines = path.read_bytes().split(b"\n")
    return [_parsed(line) for line in lines[:-1] if line] + _unfinished(lines[-1])


def _unfinished(line: bytes) -> list[Any]:
    parsed = _parsed(line)
    return [parsed] if isinstance(parsed, dict) else []


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return line.decode(errors="replace")
