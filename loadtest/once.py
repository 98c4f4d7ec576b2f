"""Judges runs in which replicas died or stood still at exact instants: nothing lost, nothing sent
twice, or within the bound and told. Pure.

The cases are `a` (SES's events flow), `b` (the processors are away at first), `c` (of some mails no
event ever comes), `d` (SES takes some mails and cuts the connection; their events come late) and
`e` (senders stand still for longer than their claims last).

A mail is lost when it was promised and SES never accepted it, unless the API says `suppressed` and
a recipient had bounced or complained before, or `unknown` (told by `unknown`, and bounded: a mail
ends so only after three doubts). `duplicates` counts accepted attempts after the first. Only in `c`
may there be any, and only of mails without events: each must be shown as `possibleDuplicate`, and
each acceptance but the last must have been in flight when its sender died, which is: SES took it
from this replica at most `IN_FLIGHT_S` before the end of its process. `in_flight_at_kills` counts
these acceptances (in `c` of mails without events). It is an upper bound: when the answer was read
and recorded cannot be seen from outside.

A mail of which no event came must show SES's id of an accepted attempt (its answer proved it), or
that nobody knows (`possibleDuplicate`, `unknown`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from infra.local.stack import SERVICES
from loadtest import mails
from loadtest.checker import verdict_of
from loadtest.evidence import Evidence, gather
from loadtest.webhooks import AGAIN

ANYWHERE = "anywhere"
EXCUSED = ("suppressed", "unknown")
UNDER_WAY = ("pending", "sending")
ENOUGH_LOAD = 0.9
AT_INSTANTS = 0.5
"""So large a part of the kills has to be at instants of the seed."""
KILLS_FOR_AN_UNKNOWN = 3
IN_FLIGHT_S = 2.0
"""From SES's yes until its record is durable, on a machine that also starts a process each second;
the end of a process is seen some hundredths of a second late."""
FAIL = (
    *("unexpected", "wrong_status", "wrong_timeline", "not_ended", "webhooks_missing"),
    *("webhooks_unverified", "webhooks_unexpected", "webhooks_doubled", "unreadable"),
)


class Kill(NamedTuple):
    """The end of a process: when (wall seconds), which, at which instant."""

    t: float
    replica: str
    at: str


class Stop(NamedTuple):
    """A process stood still: from when to when, which, by a signal or its failpoint."""

    t: float
    until: float
    replica: str
    how: str


class Done(NamedTuple):
    """What was done to the system, as the prover knows it. Times are wall seconds; `special` marks
    recipients whose mail has no events (c) or loses its answers (d), `specials` counts them.
    """

    case: str
    load_from: float
    load_until: float
    mails: int
    kills: Sequence[Kill]
    stops: Sequence[Stop] = ()
    lease_s: float = 0.0
    special: str | None = None
    specials: int = 0
    processors_from: float = 0.0


class Sent(NamedTuple):
    """A SendEmail that SES accepted: from which replica, and the id it gave."""

    t: float
    replica: str
    message_id: str


def row(
    done: Done, seen: Mapping[str, Any], *, cut: int, left: Mapping[str, int]
) -> dict[str, Any]:
    """The numbers of a run. `seen` is the evidence, raw, with the adopted mails (`kills.adopted`)
    among its acknowledgements; `left` what is in the queues in the end.
    """
    known = gather(**seen, excused=EXCUSED)
    verdict = verdict_of(known)
    sends, statuses = _sends(seen["simulator"]), seen["statuses"]
    unproved = [one for one in known.acks if _is_unproved(known, one, sends, statuses)]
    doubled = _doubled(done, known, sends, statuses)
    faults = {kind: getattr(verdict, kind, 0) for kind in FAIL}
    faults["wrong_status"] -= _rightly_unknown(done, known)
    faults["not_ended"] = sum(not _has_ended(done, known, one) for one in known.acks)
    kills_at = Counter(kill.at for kill in done.kills)
    return {
        "case": done.case,
        "lost": sum(known.status(one) != "unknown" for one in mails.lost_ids(known)),
        "duplicates": verdict.duplicates,
        "flagged": sum(_is_flagged(statuses.get(one)) for one in known.acks),
        "in_flight_at_kills": sum(
            _in_flight(done, sent)
            for one, some in sends.items()
            if done.case != "c" or _is_special(done, known, one)
            for sent in some
        ),
        "kills": len(done.kills),
        "unknown": sum(_nobody_knows(known, one) for one in known.acks),
        "emails": verdict.emails,
        "accepted": verdict.accepted,
        "by_status": dict(sorted(Counter(map(known.status, known.acks)).items())),
        "doubled": doubled,
        "unproved": unproved,
        "kills_while_mail_flowed": sum(
            done.load_from <= one.t < done.load_until for one in done.kills
        ),
        "kills_by_service": {
            name: sum(one.replica.partition("-")[0] == name for one in done.kills)
            for name in SERVICES
        },
        "kills_at": dict(sorted(kills_at.items())),
        "posts_cut": cut,
        "webhooks": {"expected": verdict.webhooks_expected, "verified": verdict.webhooks_verified},
        "left_in_queues": {name: count for name, count in sorted(left.items()) if count},
        "faults": {kind: count for kind, count in faults.items() if count > 0},
        "examples": [one for one in verdict.faults if not one.endswith(AGAIN)],
        **_done_to_it(done, known, seen),
    }


def short(found: Mapping[str, Any], done: Done) -> list[str]:
    """What of a run is not as it must be, in sentences."""
    faults = [f"lost: {found['lost']}"] if found["lost"] else []
    faults += [f"{kind}: {count}" for kind, count in found["faults"].items()]
    faults += [f"left in {name}: {count}" for name, count in found["left_in_queues"].items()]
    faults += [
        f"{one} was sent, nothing proves it, and nobody says so" for one in found["unproved"]
    ]
    faults += _too_often(found)
    if found["unknown"] * KILLS_FOR_AN_UNKNOWN > found["kills"]:
        faults.append(f"unknown: {found['unknown']}, after only {found['kills']} kills")
    seconds = int(done.load_until - done.load_from)
    if found["kills_while_mail_flowed"] < seconds:
        faults.append(f"only {found['kills_while_mail_flowed']} kills in {seconds} s of load")
    at_instants = found["kills"] - found["kills_at"].get(ANYWHERE, 0)
    if at_instants < AT_INSTANTS * found["kills"]:
        faults.append(f"only {at_instants} of {found['kills']} kills at an instant of the seed")
    if found["emails"] < ENOUGH_LOAD * done.mails:
        faults.append(f"only {found['emails']} mails of {done.mails}")
    return faults + _not_done(found, done)


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


def _not_done(found: Mapping[str, Any], done: Done) -> list[str]:
    """What should have been done to the system and was not: the run proves nothing then."""
    if done.case == "b" and (
        found["webhooks_before_processors"] or found["processors_away_s"] <= 0
    ):
        return ["the processors were not away"]
    if done.case in ("c", "d") and found["special_mails"] < ENOUGH_LOAD * done.specials:
        return [
            f"only {found['special_mails']} mails were special; {done.specials} were meant to be"
        ]
    if done.case == "c" and found["special_events"]:
        return [f"{found['special_events']} events came that were to be withheld"]
    if done.case == "d" and found["answers_cut"] < ENOUGH_LOAD * done.specials:
        return [f"only {found['answers_cut']} answers were cut"]
    if done.case == "e":
        return [
            f"no sender stood still by a {how} for longer than its claims"
            for how in ("signal", "failpoint")
            if not found["stops"].get(how)
        ]
    return []


def _done_to_it(done: Done, known: Evidence, seen: Mapping[str, Any]) -> dict[str, Any]:
    """What the case is about, as the outside logs show it."""
    if done.case == "b":
        early = sum(arrival.t < done.processors_from for arrival in known.arrivals)
        away_s = round(done.processors_from - done.load_from, 1)
        return {"processors_away_s": away_s, "webhooks_before_processors": early}
    if done.case in ("c", "d"):
        some = [one for one in known.acks if _is_special(done, known, one)]
        cut = sum(_says(line, "drop_after_accept") for line in seen["simulator"])
        events = sum(len(known.events.get(one, ())) for one in some)
        return {"special_mails": len(some), "special_events": events, "answers_cut": cut}
    if done.case == "e":
        long = [one for one in done.stops if one.until - one.t > done.lease_s]
        return {"stops": dict(sorted(Counter(one.how for one in long).items()))}
    return {}


def _sends(simulator: Iterable[Any]) -> dict[str, list[Sent]]:
    found = dict[str, list[Sent]]()
    for line in simulator:
        if not isinstance(line, Mapping) or line.get("verdict") != "accepted":
            continue
        if email_id := line.get("tags", {}).get("email_id"):
            sent = Sent(line["t"], line.get("caller", ""), line.get("messageId", ""))
            found.setdefault(email_id, []).append(sent)
    return {email_id: sorted(some) for email_id, some in found.items()}


def _in_flight(done: Done, sent: Sent) -> bool:
    """Whether its sender ended before it must have recorded the answer."""
    return any(
        kill.replica == sent.replica and sent.t <= kill.t <= sent.t + IN_FLIGHT_S
        for kill in done.kills
    )


def _doubled(
    done: Done, known: Evidence, sends: Mapping[str, list[Sent]], statuses: Mapping[str, Any]
) -> list[dict[str, Any]]:
    return [
        {
            "emailId": email_id,
            "accepted": len(some),
            "flagged": _is_flagged(statuses.get(email_id)),
            "special": _is_special(done, known, email_id),
            "in_flight": all(_in_flight(done, one) for one in some[:-1]),
        }
        for email_id, some in sorted(sends.items())
        if len(some) > 1
    ]


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


def _is_special(done: Done, known: Evidence, email_id: str) -> bool:
    ack = known.acks.get(email_id)
    return done.special is not None and ack is not None and done.special in ack.recipients[0]


def _has_ended(done: Done, known: Evidence, email_id: str) -> bool:
    status = known.status(email_id)
    quiet = done.case == "c" and _is_special(done, known, email_id)
    return status in mails.TERMINAL or (quiet and status == "sent")


def _rightly_unknown(done: Done, known: Evidence) -> int:
    """Accepted mails without events that nobody knows of: no event says otherwise."""
    return sum(
        done.case == "c" and _is_special(done, known, one) and known.status(one) == "unknown"
        for one in known.attempts
    )


def _nobody_knows(known: Evidence, email_id: str) -> bool:
    """Whether it ended as unknown, for no other reason than doubt."""
    return known.status(email_id) == "unknown" and not known.justified(email_id)


def _says(line: Any, fault: str) -> bool:
    if not isinstance(line, Mapping) or line.get("kind") != "fault":
        return False
    return str(line.get("id")).startswith(fault)
