"""`make bench-sender`: the sender's CPU per mail, and its memory, at several depths of backlog.

The real process between a queue that never runs empty and a DynamoDB and SES that answer at once,
in a process of their own: see `loadtest/transport/sending.py`.
"""

import argparse
import statistics
import sys
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from loadtest import consuming, neighbours, proof
from loadtest.consuming import Round
from loadtest.neighbours import Neighbours
from loadtest.processes import instant_server
from loadtest.transport.sending import SENDER_ID

MOST_US = 240.0
FLAT = 1.1
"""So much more than the smallest backlog may the largest cost a mail."""
DISTURBED = 1 / 3
"""Where more rounds than these were disturbed, which only makes a mail dearer, that could hide what
depth costs: then the smallest backlog is taken by its least round."""
MOST_MB = 150
BACKLOGS = (100, 1000, 5000, 20_000)


def arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = consuming.parser("bench-sender", __doc__)
    parser.add_argument("--backlogs", type=int, nargs="+", default=BACKLOGS, help="mails queued")
    return parser.parse_args(argv)


async def one_round(backlog: int, given: argparse.Namespace, beside: Neighbours) -> Round:
    """A sender of its own, with so many mails queued."""
    async with instant_server("loadtest.transport.sending", str(backlog)) as url:
        return await consuming.one_round(
            *("sender", url, given, beside),
            handled=lambda metrics: metrics.total("mailpipe_sends_total", "accepted"),
            log=f"sender-{backlog}",
            MAILPIPE_SENDER_TRUSTED_PRINCIPALS=SENDER_ID,
        )


async def measured(given: argparse.Namespace) -> list[dict[str, Any]]:
    """The figures of each backlog. A round goes through all of them before the next one begins, so
    that a slow minute of the machine is none of one backlog's alone.
    """
    rounds: dict[int, list[Round]] = {backlog: [] for backlog in given.backlogs}
    async with Neighbours() as beside:
        for _ in range(given.rounds):
            for backlog, found in rounds.items():
                found.append(await one_round(backlog, given, beside))
    return [
        {
            "backlog": backlog,
            "us_per_mail": round(statistics.median(one.us for one in found), 1),
            "rss_mb": max(one.rss_mb for one in found),
            "mails_per_s": round(statistics.median(one.per_s for one in found)),
            "rounds_us": [round(one.us, 1) for one in found],
            "neighbours": beside.seen(),
        }
        for backlog, found in rounds.items()
    ]


def short_of(runs: list[dict[str, Any]]) -> list[str]:
    """What is missing, in sentences."""
    faults = [
        f"{run['us_per_mail']} us a mail at {run['backlog']}, at most {MOST_US:g}"
        for run in runs
        if run["us_per_mail"] > MOST_US
    ]
    by_backlog = sorted(runs, key=lambda run: int(run["backlog"]))
    smallest, largest = by_backlog[0], by_backlog[-1]
    rounds = sum(len(run["rounds_us"]) for run in runs)
    disturbed = smallest["neighbours"]["not_enough"] > DISTURBED * rounds
    least_us = min(smallest["rounds_us"]) if disturbed else smallest["us_per_mail"]
    if largest["us_per_mail"] > FLAT * least_us:
        faults.append(
            f"{largest['us_per_mail']} us a mail at {largest['backlog']}, "
            f"{least_us} at {smallest['backlog']}: more than a tenth more"
        )
    faults += [
        f"{run['rss_mb']} MB at {run['backlog']}, at most {MOST_MB}"
        for run in runs
        if run["rss_mb"] > MOST_MB
    ]
    return faults


async def bench(given: argparse.Namespace) -> int:
    """Measure, print, write the proof."""
    runs = await measured(given)
    faults = short_of(runs)
    path = proof.write(given.name, seed=0, runs=runs, passed=not faults)
    table = Table("backlog", "us a mail", "MB", "mails/s", "rounds", title="the sender")
    for run in runs:
        names = ("backlog", "us_per_mail", "rss_mb", "mails_per_s", "rounds_us")
        table.add_row(*(str(run[name]) for name in names))
    console = Console()
    console.print(table)
    console.print(f"  {neighbours.told(runs[0]['neighbours'])}")
    for fault in faults:
        console.print(f"  short of: {fault}", markup=False)
    print(f"{'FAILED' if faults else 'passed'}: {path.relative_to(proof.ROOT)}")
    return 1 if faults else 0


def main() -> int:
    """The command line."""
    return uvloop.run(bench(arguments(sys.argv[1:])))


if __name__ == "__main__":
    raise SystemExit(main())
