"""What was done to the system in a run of `once.py`, and whether the outside logs show it. Pure.

The cases are `a` (SES's events flow), `b` (the processors are away at first), `c` (of some mails no
event ever comes), `d` (SES takes some mails and cuts the connection; their events come late) and
`e` (senders stand still for longer than their claims last).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from infra.local.stack import SERVICES
from loadtest.evidence import Evidence

ANYWHERE = "anywhere"
ENOUGH = 0.9
AT_INSTANTS = 0.3
"""Of the kills that are needed so many have to be at instants of the seed; on a quiet machine most
are."""


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
    whose mail has no events (c) or loses its answers (d), `specials` counts them.
    """

    case: str
    load_from: float
    load_until: float
    mails: int
    rate: float
    kills: Sequence[Kill]
    stops: Sequence[Stop] = ()
    lease_s: float = 0.0
    special: str | None = None
    specials: int = 0
    processors_from: float = 0.0

    def is_special(self, known: Evidence, email_id: str) -> bool:
        """Whether this mail is one of those."""
        ack = known.acks.get(email_id)
        return self.special is not None and ack is not None and self.special in ack.recipients[0]


def facts(done: Done, known: Evidence, simulator: Iterable[Any]) -> dict[str, Any]:
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
        **_of_case(done, known, simulator),
    }


def _of_case(done: Done, known: Evidence, simulator: Iterable[Any]) -> dict[str, Any]:
    if done.case == "b":
        early = sum(arrival.t < done.processors_from for arrival in known.arrivals)
        away_s = round(done.processors_from - done.load_from, 1)
        return {"processors_away_s": away_s, "webhooks_before_processors": early}
    if done.case in ("c", "d"):
        some = [one for one in known.acks if done.is_special(known, one)]
        events = sum(len(known.events.get(one, ())) for one in some)
        cut = sum(_is_cut(line) for line in simulator)
        return {"special_mails": len(some), "special_events": events, "answers_cut": cut}
    if done.case == "e":
        long = [one for one in done.stops if one.until - one.t > done.lease_s]
        return {"stops": dict(sorted(Counter(one.how for one in long).items()))}
    return {}


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
    if done.case == "b" and (
        found["webhooks_before_processors"] or found["processors_away_s"] <= 0
    ):
        return ["the processors were not away"]
    if done.case in ("c", "d") and found["special_mails"] < ENOUGH * done.specials:
        return [f"only {found['special_mails']} mails were special, of {done.specials}"]
    if done.case == "c" and found["special_events"]:
        return [f"{found['special_events']} events came that were to be withheld"]
    if done.case == "d" and found["answers_cut"] < ENOUGH * done.specials:
        return [f"only {found['answers_cut']} answers were cut"]
    if done.case == "e":
        return [
            f"no sender stood still by a {how} for longer than its claims"
            for how in ("signal", "failpoint")
            if not found["stops"].get(how)
        ]
    return []


def spared(rows: Iterable[Mapping[str, Any]], instants: Iterable[str]) -> list[str]:
    """Instants at which nobody died in any of the runs, in sentences."""
    seen = {at for found in rows for at in found["kills_at"]}
    return [f"nobody died at {one}" for one in instants if one not in seen]
