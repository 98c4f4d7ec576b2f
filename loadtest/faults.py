"""Judges runs in which something that the senders rely on failed for a while. Pure.

Mail flows before, during and after. Each fault has mail that it stops (`stops`: a From domain, or
all) and mail beside it that must go on. What the senders do meanwhile is theirs; in the end every
acknowledged mail was accepted by SES, once, none has failed, and nobody had to help.

`resumed_after_s` is, of a fault that stops mail, from its end to the first of that mail that SES
accepts; of one that stops none, the longest time without an accepted mail. `on_time_beside` is the
part of the other mail, offered during the fault, that SES has accepted within `ON_TIME_S` of that.
`refused` counts the calls that SES refused from the fault on: a sender that had not understood
would go on asking.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

ALL = "*"
NONE = ""
ENDED_WELL = {"sent", "delivered", "delayed"}
ON_TIME_S = 5.0
"""Longer, mail that nothing stops does not wait."""
ON_TIME_SHARE = 0.8


class Fault(NamedTuple):
    """What was done, to which From domain's mail, and when (wall seconds)."""

    name: str
    stops: str
    set_s: float
    lifted_s: float

    def stops_mail_of(self, sender: str) -> bool:
        """Whether mail from this address is to wait."""
        return self.stops == ALL or sender.rpartition("@")[2] == self.stops

    def during(self, at_s: float) -> bool:
        """Whether this was while the fault lasted."""
        return self.set_s < at_s < self.lifted_s


def row(
    fault: Fault,
    acks: Iterable[Mapping[str, Any]],
    simulator: Iterable[Any],
    statuses: Mapping[str, Any],
    *,
    named: Mapping[str, float],
) -> dict[str, Any]:
    """The numbers of one fault; `named` are the metrics that tell of it, and how far they rose."""
    promised = {ack["emailId"]: ack["t"] for ack in acks}
    attempts = [line for line in simulator if _is_of(line, promised)]
    accepted = [line for line in attempts if line["verdict"] == "accepted"]
    times = Counter(_id(line) for line in accepted)
    ended = Counter(_status(statuses.get(one)) for one in promised)
    meanwhile = [line for line in accepted if fault.during(line["t"])]
    stopped = sum(fault.stops_mail_of(line["from"]) for line in meanwhile)
    beside = [
        line["t"] - promised[_id(line)]
        for line in accepted
        if fault.during(promised[_id(line)]) and not fault.stops_mail_of(line["from"])
    ]
    return {
        "fault": fault.name,
        "failed": sum(count for status, count in ended.items() if status not in ENDED_WELL),
        "lost": len(promised.keys() - times.keys()),
        "resumed_after_s": _resumed_after_s(fault, accepted, until_s=max(promised.values())),
        "mails": len(promised),
        "twice": sum(count > 1 for count in times.values()),
        "by_status": dict(sorted(ended.items())),
        "lasted_s": round(fault.lifted_s - fault.set_s, 1),
        "accepted_meanwhile": stopped,
        "accepted_beside": len(meanwhile) - stopped,
        "on_time_beside": round(sum(one <= ON_TIME_S for one in beside) / max(1, len(beside)), 3),
        "refused": sum(
            line["verdict"] != "accepted" and line["t"] > fault.set_s for line in attempts
        ),
        "named": {name: round(rise, 3) for name, rise in named.items() if rise > 0},
    }


def short(found: Mapping[str, Any], stops: str, *, within_s: float, asked: int) -> list[str]:
    """What of a row is not as it must be, in sentences. A fault that stops mail is over `within_s`
    of its end, and SES refuses no more than `asked` calls: what was under way, and the probes.
    """
    within_s = ON_TIME_S if stops == NONE else within_s
    name = found["fault"]
    faults = [f"{name}: {found[one]} {one}" for one in ("failed", "lost", "twice") if found[one]]
    after_s = found["resumed_after_s"]
    if after_s is None:
        faults.append(f"{name}: nothing went on by itself")
    elif after_s > within_s:
        faults.append(f"{name}: went on after {after_s} s; {within_s:g} s are allowed")
    if not found["named"]:
        faults.append(f"{name}: no metric names it")
    if stops != NONE and found["accepted_meanwhile"]:
        faults.append(f"{name}: {found['accepted_meanwhile']} mails passed it: it was none")
    if stops != ALL and found["on_time_beside"] < ON_TIME_SHARE:
        share = found["on_time_beside"]
        faults.append(f"{name}: of other mail only {share:.0%} went within {ON_TIME_S:g} s")
    if stops != NONE and found["refused"] > asked:
        faults.append(f"{name}: SES was asked in vain {found['refused']} times")
    return faults


def _resumed_after_s(
    fault: Fault, accepted: Sequence[Mapping[str, Any]], *, until_s: float
) -> float | None:
    if fault.stops == NONE:
        times = sorted(float(line["t"]) for line in accepted if fault.set_s <= line["t"] <= until_s)
        gaps = [later - sooner for sooner, later in pairwise([fault.set_s, *times, until_s])]
        return round(max(gaps), 2)
    after = [
        float(line["t"]) - fault.lifted_s
        for line in accepted
        if line["t"] >= fault.lifted_s and fault.stops_mail_of(line["from"])
    ]
    return round(min(after), 2) if after else None


def _is_of(line: Any, promised: Mapping[str, float]) -> bool:
    return isinstance(line, Mapping) and line.get("kind") == "attempt" and _id(line) in promised


def _id(line: Mapping[str, Any]) -> str:
    return str(line.get("tags", {}).get("email_id"))


def _status(answer: Any) -> str:
    return str(answer.get("status")) if isinstance(answer, Mapping) else "none"
