"""What was done to the system in a run of `once.py`, and whether the outside logs show it. Pure.

The cases are `a` (SES's events flow), `b` (the processors are away at first), `c` (of some mails no
event ever comes), `d` (SES takes some mails and cuts the connection; their events come late) and
`e` (senders stand still for longer than their claims last: some for a little, some until others
have sent their mail).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from infra.local.stack import SERVICES
from loadtest.claimed import Claim, claims
from loadtest.evidence import Evidence

ANYWHERE = "anywhere"
ENOUGH = 0.9
AT_INSTANTS = 0.4
"""Of the kills that are needed so many have to be at instants of the seed; on a quiet machine 0.8
to 1.5 are."""
ENOUGH_FOR_AN_INSTANT = 5
"""So many kills for each instant there is, and none may be spared; a case alone has fewer."""


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
    """What was done, as the prover knows it. Times are wall seconds; `special` marks recipients
    whose mail has no events (c) or loses its answers (d), `specials` counts them. In `b` replicas
    are killed for `catching_up_s` more once the processors have come.
    """

    case: str
    load_from: float
    load_until: float
    mails: int
    rate: float
    kills: Sequence[Kill]
    stops: Sequence[Stop] = ()
    lease_s: float = 0.0
    grace_s: float = 0.0
    special: str | None = None
    specials: int = 0
    processors_from: float = 0.0
    catching_up_s: float = 0.0

    def is_special(self, known: Evidence, email_id: str) -> bool:
        """Whether this mail is one of those."""
        ack = known.acks.get(email_id)
        return self.special is not None and ack is not None and self.special in ack.recipients[0]

    @property
    def doubts_that_fit(self) -> int:
        """How often a mail can have been in doubt: a next claim of it is a grace later at least."""
        ends = [kill.t for kill in self.kills if _is_sender(kill.replica)]
        ends += [stop.t for stop in self.stops]
        count, next_s = 0, 0.0
        for end_s in sorted(ends):
            if end_s >= next_s:
                count, next_s = count + 1, end_s + self.grace_s
        return count


def facts(
    done: Done, known: Evidence, simulator: Sequence[Any], stores: Sequence[Any]
) -> dict[str, Any]:
    """What of it can be seen: the deaths, and what the case is about."""
    return {
        "kills_while_mail_flowed": sum(
            done.load_from <= one.t < done.load_until for one in done.kills
        ),
        "kills_by_service": {
            name: sum(one.replica.partition("-")[0] == name for one in done.kills)
            for name in SERVICES
        },
        "kills_at": dict(sorted(Counter(one.at for one in done.kills).items())),
        **_of_case(done, known, simulator, stores),
    }


def _of_case(
    done: Done, known: Evidence, simulator: Sequence[Any], stores: Sequence[Any]
) -> dict[str, Any]:
    if done.case == "b":
        since_s = done.processors_from
        return {
            "processors_away_s": round(since_s - done.load_from, 1),
            "webhooks_before_processors": sum(arrival.t < since_s for arrival in known.arrivals),
            "kills_while_catching_up": sum(one.t >= since_s for one in done.kills),
        }
    if done.case in ("c", "d"):
        some = [one for one in known.acks if done.is_special(known, one)]
        events = sum(len(known.events.get(one, ())) for one in some)
        cut = sum(_is_cut(line) for line in simulator)
        return {"special_mails": len(some), "special_events": events, "answers_cut": cut}
    if done.case == "e":
        long = [one for one in done.stops if one.until - one.t > done.lease_s]
        # Before that no evidence can be there, so nobody else has their mail.
        untaken_s = done.lease_s + done.grace_s
        short = [one for one in long if one.until - one.t < untaken_s]
        return {
            "stops": dict(sorted(Counter(one.how for one in long).items())),
            "short_stops": len(short),
            "taken_over": _taken_over(done, simulator, list(claims(stores))),
        }
    return {}


def _taken_over(done: Done, simulator: Sequence[Any], claimed: Sequence[Claim]) -> dict[str, int]:
    """By what made a sender stand still: mails that it had claimed, and that another one sent under
    a claim of its own meanwhile.
    """
    found = Counter[str]()
    for stop in done.stops:
        began_s = max((one.t for one in done.kills if _was(one, stop)), default=0.0)
        theirs = {
            one.email_id: one.attempt
            for one in sorted(claimed)
            if one.replica == stop.replica and began_s < one.t <= stop.t
        }
        found[stop.how] += sum(
            stop.t < line["t"] < stop.until
            and int(line["tags"].get("attempt", 0)) > theirs[email_id]
            for line in simulator
            if isinstance(line, Mapping) and line.get("verdict") == "accepted"
            if line.get("caller") != stop.replica
            if (email_id := line["tags"].get("email_id")) in theirs
        )
    return dict(sorted((+found).items()))


def _was(kill: Kill, stop: Stop) -> bool:
    """Whether it was this replica, in a life before."""
    return kill.replica == stop.replica and kill.t <= stop.t


def _is_sender(replica: str) -> bool:
    return replica.partition("-")[0] == "sender"


def _is_cut(line: Any) -> bool:
    is_fault = isinstance(line, Mapping) and line.get("kind") == "fault"
    return is_fault and str(line.get("id")).startswith("drop_after_accept")


def not_done(found: Mapping[str, Any], done: Done) -> list[str]:
    """What should have been done and was not, in sentences: the run proves too little then."""
    # Where the machine is too slow for the load, the kills that belong to it are enough.
    seconds = int(min(done.load_until - done.load_from, done.mails / done.rate))
    faults = list[str]()
    if found["kills_while_mail_flowed"] < seconds:
        faults.append(f"only {found['kills_while_mail_flowed']} kills in {seconds} s of load")
    at_instants = found["kills"] - found["kills_at"].get(ANYWHERE, 0)
    if at_instants < AT_INSTANTS * seconds:
        faults.append(f"only {at_instants} of {found['kills']} kills at an instant of the seed")
    if found["emails"] < ENOUGH * done.mails:
        faults.append(f"only {found['emails']} mails of {done.mails}")
    return faults + _not_done_in_case(found, done)


def _not_done_in_case(found: Mapping[str, Any], done: Done) -> list[str]:
    if done.case == "b":
        return _processors_not_away(found, done)
    if done.case in ("c", "d") and found["special_mails"] < ENOUGH * done.specials:
        return [f"only {found['special_mails']} mails were special, of {done.specials}"]
    if done.case == "c" and found["special_events"]:
        return [f"{found['special_events']} events came that were to be withheld"]
    if done.case == "c" and not found["in_flight_at_kills"]:
        return ["no sender died with SES's yes to such a mail in hand"]
    if done.case == "d" and found["answers_cut"] < ENOUGH * done.specials:
        return [f"only {found['answers_cut']} answers were cut"]
    return _not_stood_still(found) if done.case == "e" else []


def _processors_not_away(found: Mapping[str, Any], done: Done) -> list[str]:
    if found["webhooks_before_processors"] or found["processors_away_s"] <= 0:
        return ["the processors were not away"]
    kills, seconds = found["kills_while_catching_up"], int(done.catching_up_s)
    if kills < seconds:
        return [f"only {kills} kills in {seconds} s while the processors caught up"]
    return []


def _not_stood_still(found: Mapping[str, Any]) -> list[str]:
    faults = [
        f"no sender stood still by a {how} for longer than its claims"
        for how in ("signal", "failpoint")
        if not found["stops"].get(how)
    ]
    if not found["short_stops"]:
        faults.append("no sender went on after its claims and before anybody could take over")
    if not found["taken_over"]:
        faults.append("no mail of a sender that stood still was sent by another meanwhile")
    return faults


def spared(rows: Iterable[Mapping[str, Any]], instants: Iterable[str]) -> list[str]:
    """Instants at which nobody died in any of the runs, in sentences."""
    seen = {at for found in rows for at in found["kills_at"]}
    return [f"nobody died at {one}" for one in instants if one not in seen]


def proves_too_little(rows: Sequence[Mapping[str, Any]], instants: Sequence[str]) -> bool:
    """Whether an instant was spared by so many kills that none ought to be."""
    kills = sum(found["kills"] for found in rows)
    return kills >= ENOUGH_FOR_AN_INSTANT * len(instants) and bool(spared(rows, instants))
