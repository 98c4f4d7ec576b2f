"""Judges runs in which replicas died or stood still at exact instants: nothing lost, nothing sent
twice, or within the bound and told. Pure.

A mail is lost when it was promised and SES never accepted it, unless the API says `suppressed` and
a recipient had bounced or complained before, or `unknown` (told by `unknown`, and bounded: a mail
ends so only after three doubts, so none may where three do not fit into the run).

`duplicates` counts accepted attempts after the first. Only in `c` may there be any, and only of
mails without events: each must be shown as `possibleDuplicate`, and each acceptance but the last
must have been in flight when its sender died. That is: no record ever held the id that SES gave, as
the proxy in front of the stores saw, and SES took it from this replica at most `IN_FLIGHT_S` before
the last sign of life of its process, which is the last acceptance before its end.
`in_flight_at_kills` counts these acceptances (in `c` of mails without events). Where no proxy looks
on (a, b, d) it is an upper bound: what was recorded counts, too.

A mail of which no event came must show SES's id of an accepted attempt (its answer proved it), or
that nobody knows (`possibleDuplicate`, `unknown`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from loadtest import mails
from loadtest.checker import Verdict, verdict_of
from loadtest.claimed import recorded
from loadtest.evidence import Evidence, gather
from loadtest.once_done import Done, facts, not_done
from loadtest.webhooks import AGAIN

EXCUSED = ("suppressed", "unknown")
UNDER_WAY = ("pending", "sending")
DOUBTS_FOR_AN_UNKNOWN = 3
IN_FLIGHT_S = 2.0
"""From SES's yes until its record is written, on a machine that starts a process each second."""
SEEN_LATE_S = 10.0
"""So late a slow machine sees the end of a process."""
FAIL = (
    *("unexpected", "wrong_status", "wrong_timeline", "not_ended", "webhooks_missing"),
    *("webhooks_unverified", "webhooks_unexpected", "webhooks_doubled", "unreadable"),
)


class Sent(NamedTuple):
    """A SendEmail that SES accepted: from which replica, and the id it gave."""

    t: float
    replica: str
    message_id: str


def row(
    done: Done,
    seen: Mapping[str, Any],
    *,
    cut: int,
    left: Mapping[str, int],
    stores: Sequence[Any] = (),
) -> dict[str, Any]:
    """The numbers of a run. `seen` is the evidence, raw, with the adopted mails (`kills.adopted`)
    among its acknowledgements; `left` what is in the queues in the end; `stores` the log of writes.
    """
    known = gather(**seen, excused=EXCUSED)
    verdict = verdict_of(known)
    sends, statuses = _sends(seen["simulator"]), seen["statuses"]
    faults, in_flight = _faults(done, known, verdict), _in_flight(done, sends, recorded(stores))
    return {
        "case": done.case,
        "lost": sum(known.status(one) != "unknown" for one in mails.lost_ids(known)),
        "duplicates": verdict.duplicates,
        "flagged": sum(_is_flagged(statuses.get(one)) for one in known.acks),
        "in_flight_at_kills": sum(
            len(in_flight.intersection(some))
            for one, some in sends.items()
            if done.case != "c" or done.is_special(known, one)
        ),
        "kills": len(done.kills),
        "unknown": sum(_nobody_knows(known, one) for one in known.acks),
        "emails": verdict.emails,
        "accepted": verdict.accepted,
        "by_status": dict(sorted(Counter(map(known.status, known.acks)).items())),
        "doubled": [
            {
                "emailId": one,
                "accepted": len(some),
                "flagged": _is_flagged(statuses.get(one)),
                "special": done.is_special(known, one),
                "in_flight": in_flight.issuperset(some[:-1]),
            }
            for one, some in sorted(sends.items())
            if len(some) > 1
        ],
        "unproved": [one for one in known.acks if _is_unproved(known, one, sends, statuses)],
        "posts_cut": cut,
        "webhooks": {"expected": verdict.webhooks_expected, "verified": verdict.webhooks_verified},
        "left_in_queues": {name: count for name, count in sorted(left.items()) if count},
        "faults": {kind: count for kind, count in faults.items() if count > 0},
        "examples": [one for one in verdict.faults if not one.endswith(AGAIN)],
        **facts(done, known, seen["simulator"], stores),
    }


def _faults(done: Done, known: Evidence, verdict: Verdict) -> dict[str, int]:
    faults = {kind: getattr(verdict, kind, 0) for kind in FAIL}
    # Accepted mail without events that nobody knows of: no event says otherwise.
    faults["wrong_status"] -= sum(
        done.case == "c" and done.is_special(known, one) and known.status(one) == "unknown"
        for one in known.attempts
    )
    faults["not_ended"] = sum(not _has_ended(done, known, one) for one in known.acks)
    return faults


def short(found: Mapping[str, Any], done: Done) -> list[str]:
    """What of a run is not as it must be, in sentences."""
    faults = [f"lost: {found['lost']}"] if found["lost"] else []
    faults += [f"{kind}: {count}" for kind, count in found["faults"].items()]
    faults += [f"left in {name}: {count}" for name, count in found["left_in_queues"].items()]
    faults += [
        f"{one} was sent, nothing proves it, and nobody says so" for one in found["unproved"]
    ]
    faults += _too_often(found)
    if found["unknown"] * DOUBTS_FOR_AN_UNKNOWN > found["kills"]:
        faults.append(f"unknown: {found['unknown']}, after only {found['kills']} kills")
    elif found["unknown"] and done.doubts_that_fit < DOUBTS_FOR_AN_UNKNOWN:
        faults.append(f"unknown: {found['unknown']}, though no mail was in doubt three times")
    return faults + not_done(found, done)


def _too_often(found: Mapping[str, Any]) -> list[str]:
    if found["case"] != "c":
        return [f"sent twice: {found['duplicates']}"] if found["duplicates"] else []
    faults = []
    if found["duplicates"] > found["in_flight_at_kills"]:
        bound = found["in_flight_at_kills"]
        faults.append(f"sent twice: {found['duplicates']}; in flight at kills were {bound}")
    for one in found["doubled"]:
        for what, sentence in (
            ("flagged", "and the API does not say so"),
            ("special", "though its events came"),
            ("in_flight", "though its sender lived on"),
        ):
            if not one[what]:
                faults.append(f"{one['emailId']} was sent {one['accepted']} times, {sentence}")
    return faults


def _sends(simulator: Iterable[Any]) -> dict[str, list[Sent]]:
    found = dict[str, list[Sent]]()
    for line in simulator:
        if not isinstance(line, Mapping) or line.get("verdict") != "accepted":
            continue
        if email_id := line.get("tags", {}).get("email_id"):
            sent = Sent(line["t"], line.get("caller", ""), line.get("messageId", ""))
            found.setdefault(email_id, []).append(sent)
    return {email_id: sorted(some) for email_id, some in found.items()}


def _in_flight(done: Done, sends: Mapping[str, list[Sent]], known: set[str]) -> set[Sent]:
    """Those whose sender ended before it had recorded the answer; `known` are the ids of SES that
    were recorded.
    """
    found = set[Sent]()
    by_replica = dict[str, list[Sent]]()
    for one in sorted(chain.from_iterable(sends.values())):
        by_replica.setdefault(one.replica, []).append(one)
    for kill in done.kills:
        before = [one for one in by_replica.get(kill.replica, ()) if one.t <= kill.t]
        if before and kill.t - before[-1].t <= SEEN_LATE_S:
            found.update(one for one in before if before[-1].t - one.t <= IN_FLIGHT_S)
    return {one for one in found if one.message_id not in known}


def _is_unproved(
    known: Evidence, email_id: str, sends: Mapping[str, list[Sent]], statuses: Mapping[str, Any]
) -> bool:
    """Whether SES took it, nothing proves that to us, and the API does not admit it."""
    sent, status = sends.get(email_id), statuses.get(email_id)
    if not sent or known.events.get(email_id) or not isinstance(status, Mapping):
        return False
    if _is_flagged(status) or status.get("status") == "unknown":
        return False
    return status.get("messageId") not in {one.message_id for one in sent}


def _is_flagged(status: Any) -> bool:
    return isinstance(status, Mapping) and status.get("possibleDuplicate") is True


def _has_ended(done: Done, known: Evidence, email_id: str) -> bool:
    status = known.status(email_id)
    quiet = done.case == "c" and done.is_special(known, email_id)
    return status in mails.TERMINAL or (quiet and status == "sent")


def _nobody_knows(known: Evidence, email_id: str) -> bool:
    """Whether it ended as unknown, for no other reason than doubt."""
    return known.status(email_id) == "unknown" and not known.justified(email_id)
