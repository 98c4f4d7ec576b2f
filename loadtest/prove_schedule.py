"""`make prove-schedule`: mail for later, cancelled and moved around the instant at which it is due.

Live: both doors, three senders, 200 due a second; once more with senders killed. In virtual time
(`loadtest/virtual/`): 500 due a second, items that are written late, senders that die with the
lease of the release, and a minute for which 100,000 mails wait.
"""

import argparse
import logging
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import structlog
from rich.console import Console
from rich.table import Table

from loadtest import proof, schedule_live
from loadtest.processes import exit_code_of
from loadtest.schedule_cases import PLANTS, Case, cases
from loadtest.schedules import short
from loadtest.virtual import clock

COLUMNS = (
    *("case", "due", "released", "lost", "doubled", "cancelled_sent", "early", "untrue"),
    *("p95_late_ms", "p95_hasty_ms", "cancelled", "moved", "conflicts", "expired", "kills"),
)


def live_cases(*, small: bool, seconds: float) -> list[schedule_live.Case]:
    """On the local cloud. The small form is not judged by its pace: other work is beside it."""
    if small:
        return [
            schedule_live.Case(
                *("live, senders killed", 100, 40.0, 4.5, (1.0, 4.0)),
                soon_s=2.0,
                every_s=1.0,
                kill_every_s=2.0,
                late_ms=None,
            )
        ]
    return [
        schedule_live.Case("live", round(200 * seconds), 200.0, 100.0, (20.0, 95.0)),
        schedule_live.Case(
            *("live, senders killed", round(25 * seconds), 25.0, 30.0, (1.0, 28.0)),
            soon_s=10.0,
            every_s=2.0,
            kill_every_s=5.0,
            late_ms=schedule_live.KILLED_P95_MS,
        ),
    ]


def begin() -> None:
    """A process for simulations."""
    clock.install()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def simulated(case: Case) -> dict[str, Any]:
    """The row of a case, in a process that has begun."""
    # Only now: what has a clock as a default takes it from the import.
    from loadtest.schedule_world import simulated

    return simulated(case)


async def lived(wanted: list[schedule_live.Case], given: argparse.Namespace) -> list[Any]:
    """The rows of the live cases."""
    return [await schedule_live.ran(one, name=given.name, seed=given.seed) for one in wanted]


async def prove(given: argparse.Namespace) -> int:
    """Run, judge, show, write the proof."""
    virtual = cases(small=given.small, seed=given.seed, plant=given.plant)
    virtual = [one for one in virtual if one.name.startswith(given.only)]
    live = [] if given.plant else live_cases(small=given.small, seconds=given.seconds)
    live = [one for one in live if one.name.startswith(given.only)]
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=begin) as pool:
        rows = list(pool.map(simulated, virtual))
    rows += await lived(live, given)
    terms = [one.terms for one in virtual] + [one.terms for one in live]
    faults = [fault for one, found in zip(terms, rows, strict=True) for fault in short(found, one)]
    console, table = Console(width=170), Table(*COLUMNS)
    for found in rows:
        table.add_row(*(str(found.get(one, "")) for one in COLUMNS))
    console.print(table)
    for line in (*faults, *(example for found in rows for example in found["examples"])):
        console.print(f"  not as it must be: {line}", markup=False)
    path = proof.write(given.name, seed=given.seed, runs=rows, passed=not faults)
    print(f"{'FAILED' if faults else 'passed'}: {path.relative_to(proof.ROOT)}")
    return 1 if faults else 0


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="few mails")
    parser.add_argument("--seconds", type=float, default=15.0, help="in which live mail is due")
    parser.add_argument("--only", default="", help="how the cases' names begin")
    parser.add_argument("--plant", choices=PLANTS, default="", help="a bug that has to be found")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="prove-schedule", help="of build/<name>.json")
    return exit_code_of("prove-schedule", prove(parser.parse_args()))


if __name__ == "__main__":
    raise SystemExit(main())
