"""`make simulate-quota`: any number of senders at any quota, in virtual time.

The sender's own arithmetic (`sender/reserving.py`, `sender/pacing.py`) with clocks that differ,
late sends, writes that overtake each other, freezes and kills. The pictures are in `docs/quota.md`.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from rich.console import Console
from rich.table import Table

from loadtest import pictures, proof
from loadtest.quota_senders import BULK, Case
from loadtest.quota_world import World
from loadtest.simulated import AT_MOST_S, p95_ms, short, utilisation, worst_window

PAIRS = {
    1: (1, 3, 8, 50, 200, 500),
    14: (1, 3, 8, 50, 200, 500),
    100: (1, 3, 8, 50, 200, 500),
    1000: (1, 3, 8, 50, 200, 500),
    10_000: (8, 50, 200),
}
COLUMNS = {
    "case": "case",
    "senders": "senders",
    "quota": "quota",
    "worst_window": "worst second",
    "utilisation": "used",
    "p95_wait_ms": "urgent p95 ms",
    "p95_tenant_ms": "tenants p95 ms",
    "bulk_share": "bulk",
    "refused_per_s": "refused/s",
    "writes_per_s": "writes/s",
    "starved_s": "starved s",
}


def cases(*, small: bool, seed: int) -> list[Case]:
    """What is simulated."""
    if small:
        ordinary = [Case("both", n, q, 8, seed=seed) for q in (14, 100) for n in (1, 3, 8)]
        rest = [
            Case("flood", 3, 100, 8, urgent=1, seed=seed),
            Case("tenants", 3, 100, 12, tenants=100, seed=seed),
            Case("freezes", 8, 100, 20, freezes=0.1, seed=seed),
            Case("kills", 8, 100, 20, kills=0.1, seed=seed),
            Case("few", 3, 1, 30, urgent=0, mails=12, seed=seed),
        ]
        return ordinary + rest
    made = list[Case]()
    for quota, numbers in PAIRS.items():
        seconds = {1: 300.0, 10_000: 10.0}.get(quota, 60.0 if quota < 1000 else 20.0)
        made += [Case("both", n, quota, seconds, seed=seed) for n in numbers]
    for quota, n in ((14, 8), (100, 3), (100, 8), (100, 50), (100, 200), (1000, 8), (1000, 50)):
        seconds = 60.0 if quota < 1000 else 20.0
        made += [
            Case("flood", n, quota, seconds, urgent=1, seed=seed),
            Case("tenants", n, quota, seconds, tenants=1000, seed=seed),
            Case("freezes", n, quota, seconds, freezes=0.1, seed=seed),
            Case("kills", n, quota, seconds, kills=0.1, seed=seed),
        ]
    made += [Case("one horizon", n, 100, 60, one_horizon=True, seed=seed) for n in PAIRS[100]]
    made += [Case("few", n, 1, 150, urgent=0, mails=100, seed=seed) for n in PAIRS[1]]
    return made


def row(case: Case) -> dict[str, Any]:
    """One run, in figures."""
    world = World(case)
    world.run()
    sent = sum(world.sent.values())
    used = utilisation(world.arrivals, world.faults, quota=case.quota, seconds=case.seconds)
    waits = [one for tenant in world.tenant_waits.values() for one in tenant]
    return {
        "case": case.name,
        "senders": case.senders,
        "quota": case.quota,
        "worst_window": worst_window(world.arrivals),
        "utilisation": None if used is None else round(used, 4),
        "p95_wait_ms": p95_ms(world.urgent_waits),
        "p95_tenant_ms": p95_ms(waits),
        "bulk_share": round(world.sent[BULK] / sent, 3) if sent else 0.0,
        "refused_per_s": round(world.refused / case.seconds, 1),
        "writes_per_s": round(world.writes / case.seconds, 1),
        "starved_s": round(world.longest_starved_s, 1),
        "unsent": max(0, case.mails - sent) if case.mails else 0,
        "mails": case.mails,
        "faults": len(world.faults),
        "seconds": case.seconds,
    }


def shown(rows: Sequence[dict[str, Any]]) -> Table:
    """The rows as a table."""
    table = Table()
    for title in COLUMNS.values():
        table.add_column(title, justify="right")
    for one in rows:
        values = [one[name] for name in COLUMNS]
        table.add_row(*("" if value is None else f"{value}" for value in values))
    return table


def main(argv: list[str]) -> int:
    """Simulate, show, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a few short runs, no pictures")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="simulate-quota", help="of build/<name>.json")
    given = parser.parse_args(argv)
    begun_s = time.monotonic()
    with ProcessPoolExecutor() as pool:
        rows = list(pool.map(row, cases(small=given.small, seed=given.seed)))
    console = Console(width=140)
    console.print(shown(rows))
    faults = [fault for one in rows for fault in short(one)]
    took_s = time.monotonic() - begun_s
    if took_s > AT_MOST_S:
        faults.append(f"took {took_s:.0f} s; {AT_MOST_S:.0f} are allowed")
    path = proof.write(given.name, seed=given.seed, runs=rows, passed=not faults)
    if not given.small:
        pictures.draw(rows)
    for fault in faults:
        console.print(f"not as it must be: {fault}", style="red")
    console.print(f"{len(rows)} runs in {took_s:.0f} s; {path}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
