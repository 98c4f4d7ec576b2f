"""`make prove-pause`: mail that has to wait for six days, in virtual time.

The account is paused, the configuration set is gone, the day's quota is far too small for what is
queued. Senders, parking, release and renewal are the real ones (`loadtest/virtual/`); SQS's
retention and redrive, the lifecycle of bodies and the TTL of items take what they may take.
"""

import argparse
import logging
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import structlog
from rich.console import Console
from rich.table import Table

from loadtest import proof
from loadtest.pause_cases import PLANTS, Case, cases
from loadtest.pauses import short
from loadtest.virtual import clock

COLUMNS = ("case", "mails", "lost", "sent", "doubled", "expired", "failed", "oldest_days", "moves")


def begin() -> None:
    """A process for simulations. What senders log of two thousand waiting mails helps nobody."""
    clock.install()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def simulated(case: Case) -> dict[str, Any]:
    """The row of a case, in a process that has begun."""
    # Only now: what has a clock as a default takes it from the import.
    from loadtest.pause_world import simulated

    return simulated(case)


def main(argv: list[str]) -> int:
    """Simulate, show, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="few mails")
    parser.add_argument("--plant", choices=PLANTS, default="", help="a bug that has to be found")
    parser.add_argument("--only", default="", help="how the cases' names begin")
    parser.add_argument("--name", default="prove-pause", help="of build/<name>.json")
    given = parser.parse_args(argv)
    begun_s = time.monotonic()
    wanted = cases(small=given.small, plant=given.plant)
    wanted = [case for case in wanted if case.name.startswith(given.only)]
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=begin) as pool:
        rows = list(pool.map(simulated, wanted))
    console, table = Console(width=140), Table(*COLUMNS)
    for found in rows:
        table.add_row(*(str(found[one]) for one in COLUMNS))
    console.print(table)
    faults = [
        fault for case, found in zip(wanted, rows, strict=True) for fault in short(case, found)
    ]
    took_s = time.monotonic() - begun_s
    for fault in faults:
        console.print(f"  not as it must be: {fault}", markup=False)
    path = proof.write(given.name, seed=0, runs=rows, passed=not faults)
    print(f"{'FAILED' if faults else 'passed'} in {took_s:.0f} s: {path.relative_to(proof.ROOT)}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
