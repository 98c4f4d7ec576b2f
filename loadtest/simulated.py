"""Judges the simulated runs of `make simulate-quota`. Pure."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

WARM_S = 2.0
AFTER_FAULT_S = 4.0
"""Of a freeze (2 s) and what it held; of a kill the slots, and the second until another starts."""
ENOUGH_USE = ((50.0, 0.92), (14.0, 0.85))
"""At a quota of at least so much, at least this part of it is used."""
SLOWEST_URGENT_MS = 1000.0
"""At a quota of 14 or more, beside bulk mail without end."""
LEAST_SHARE = 0.08
"""Bulk's, of a tenth that is reserved, beside urgent mail without end."""
FEW_SENDERS = 8
LONGEST_STARVED_S = 30.0
"""No sender of a few that has bulk mail all the time is without slots for longer, unless urgent
mail takes all but bulk's reserved share; the more there are the longer the unlucky wait."""
SLOWEST_TENANT_MS = 10_000.0
"""The small tenants', a thousand of them beside a large one, over a few senders."""
AT_MOST_S = 180.0
"""All runs of `make simulate-quota` together."""


def worst_window(arrivals: Sequence[float], *, seconds: float = 1.0) -> int:
    """The most arrivals in any window of this length, its end excluded."""
    ordered = sorted(arrivals)
    worst = last = 0
    for first, begin_s in enumerate(ordered):
        while last < len(ordered) and ordered[last] < begin_s + seconds:
            last += 1
        worst = max(worst, last - first)
    return worst


def utilisation(
    arrivals: Sequence[float], faults: Sequence[float], *, quota: float, seconds: float
) -> float | None:
    """The part of the quota that was used, outside the beginning and what follows a fault; None
    when no time is left.
    """
    edges = [WARM_S, *sorted(one for one in faults if one < seconds), seconds]
    used, counted_s = 0, 0.0
    for number, (begin_s, end_s) in enumerate(pairwise(edges)):
        begin_s += AFTER_FAULT_S if number else 0.0
        if end_s > begin_s:
            counted_s += end_s - begin_s
            used += sum(begin_s <= one < end_s for one in arrivals)
    return used / (quota * counted_s) if counted_s >= 1.0 else None


def p95_ms(waits: Sequence[float]) -> float | None:
    """In milliseconds; None of nothing."""
    ordered = sorted(waits)
    return round(1000 * ordered[int(0.95 * len(ordered))], 1) if ordered else None


def short(row: Mapping[str, Any]) -> list[str]:
    """What of a run is not as it must be, in sentences."""
    name = f"{row['case']}, {row['senders']} senders at {row['quota']:g}/s"
    faults = list[str]()
    if row["worst_window"] > row["quota"]:
        faults.append(f"{name}: {row['worst_window']} in a second")
    if row["unsent"]:
        faults.append(f"{name}: {row['unsent']} never sent")
    if row["utilisation"] is not None and not row["mails"]:
        for quota, least in ENOUGH_USE:
            if row["quota"] >= quota:
                if row["utilisation"] < least:
                    faults.append(f"{name}: only {row['utilisation']:.1%} used")
                break
    wait_ms = row["p95_wait_ms"]
    ordinary = row["case"] in ("both", "tenants") and row["quota"] >= 14
    if ordinary and wait_ms is not None and wait_ms > SLOWEST_URGENT_MS:
        faults.append(f"{name}: urgent mail waits {wait_ms:.0f} ms")
    if row["senders"] <= FEW_SENDERS and row["quota"] >= 14:
        faults += [f"{name}: {fault}" for fault in _waits_too_long(row)]
    if row["case"] == "flood" and row["bulk_share"] < LEAST_SHARE:
        faults.append(f"{name}: bulk got only {row['bulk_share']:.1%}")
    return faults


def _waits_too_long(row: Mapping[str, Any]) -> list[str]:
    faults = list[str]()
    if row["case"] not in ("flood", "one horizon") and row["starved_s"] > LONGEST_STARVED_S:
        faults.append(f"a sender was starved for {row['starved_s']:g} s")
    tenant_ms = row["p95_tenant_ms"]
    if tenant_ms is not None and tenant_ms > SLOWEST_TENANT_MS:
        faults.append(f"tenants wait {tenant_ms:.0f} ms")
    return faults
