"""Judges how long mail waited: urgent mail beside a campaign, a tenant beside a larger one. Pure.

A case is a part of a run. `alone_p95_ms` is the same mail with nothing beside it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from loadtest.latency import percentiles

URGENT_MS = 1000.0
"""Urgent mail reaches SES within this time of its acceptance, whatever else is queued."""
TWICE, MORE_MS = 2.0, 500.0
"""A small tenant may wait twice as long as alone, or so much longer, whichever is more."""
BACKLOG_S = 1.0
"""`above` the rate, so much of the larger tenant's mail is left over, and what was sent was more
than the quota."""
KEPT_PACE = 0.9
"""`below` the rate, so much of what was planned beside it was really sent."""
BUSY = 0.8
"""A case beside a campaign must have kept the rate so busy."""


class Case(NamedTuple):
    """What was sent in a run. `measured` are the acknowledgements of the mail that is judged,
    `beside` the ids of what was sent beside it, in `below` at a planned `beside_per_s`; `rate` is
    SES's quota.
    """

    name: str
    measured: Sequence[Mapping[str, Any]]
    beside: frozenset[str]
    rate: float
    beside_per_s: float = 0.0


def row(case: Case, simulator: Iterable[Any], *, alone: float | None = None) -> dict[str, Any]:
    """The numbers of a run."""
    accepted = accepted_s(simulator)
    waits = [
        (accepted[ack["emailId"]] - ack["t"]) * 1000
        for ack in case.measured
        if ack["emailId"] in accepted
    ]
    begun, ended = _span(case.measured)
    went = sum(begun <= accepted.get(one, -1.0) <= ended for one in case.beside)
    return {
        "case": case.name,
        "p95_ms": percentiles([max(0.0, one) for one in waits])["p95"],
        "alone_p95_ms": alone,
        "mails": len(case.measured),
        "mails_per_s": _per_s(len(case.measured), begun, ended),
        "lost": len(case.measured) - len(waits),
        "beside": len(case.beside),
        "beside_still_waiting": sum(accepted.get(one, ended + 1) > ended for one in case.beside),
        "beside_per_s": _per_s(went, begun, ended),
        "beside_offered_per_s": _per_s(len(case.beside), begun, ended),
        "beside_planned_per_s": case.beside_per_s,
        "quota": case.rate,
    }


def accepted_s(simulator: Iterable[Any]) -> dict[str, float]:
    """When SES first took each mail, in wall seconds."""
    first = dict[str, float]()
    for line in simulator:
        if isinstance(line, Mapping) and line.get("verdict") == "accepted":
            email_id, t = line.get("tags", {}).get("email_id"), line["t"]
            first[email_id] = min(t, first.get(email_id, t))
    return first


def short(found: Mapping[str, Any], *, slack: float = 1.0) -> list[str]:
    """What of a row is not as it must be, in sentences. On a machine that does other work, too,
    mail may be `slack` times as late.
    """
    p95, alone, name = found["p95_ms"], found["alone_p95_ms"], found["case"]
    faults = [f"{name}: {found['lost']} mails never reached SES"] if found["lost"] else []
    if p95 is None:
        return [*faults, f"{name}: nothing was measured"]
    if name == "urgent":
        most = URGENT_MS
        busy = found["beside_per_s"] + found["mails_per_s"]
        if busy < BUSY / slack * found["quota"]:
            faults.append(f"{name}: the campaign kept only {busy:g}/s busy: nothing was shown")
    else:
        most = max(TWICE * (alone or 0.0), (alone or 0.0) + MORE_MS)
    if shown := _shown(found, slack):
        faults.append(f"{name}: {shown}: nothing was shown")
    if p95 >= slack * most:
        faults.append(f"{name}: p95 {p95:g} ms, at most {slack * most:g}")
    return faults


def _shown(found: Mapping[str, Any], slack: float) -> str | None:
    """Why a case beside a larger tenant was none."""
    if found["case"] == "above":
        offered = found["mails_per_s"] + found["beside_offered_per_s"]
        if offered <= found["quota"]:
            return f"only {offered:g}/s were offered"
        if found["beside_still_waiting"] < BACKLOG_S * found["quota"]:
            return f"the larger tenant had only {found['beside_still_waiting']} mails waiting"
    if found["case"] == "below":
        planned = found["beside_planned_per_s"]
        if found["beside_offered_per_s"] < KEPT_PACE / slack * planned:
            return f"only {found['beside_offered_per_s']:g}/s of {planned:g} were sent beside it"
    return None


def _per_s(count: int, begun: float, ended: float) -> float:
    return round(count / (ended - begun), 1) if ended > begun else 0.0


def _span(acks: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    times = [ack["t"] for ack in acks]
    return (min(times), max(times)) if times else (0.0, 0.0)
