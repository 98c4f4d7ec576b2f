"""`make bench-processor`: the processor's CPU per event.

The real process between a queue that never runs empty and a DynamoDB and SQS that answer at once,
in a process of their own: see `loadtest/transport/processing.py`.
"""

import argparse
import sys

import uvloop

from infra.local.observe import Metrics
from loadtest import consuming
from loadtest.consuming import WAITING, Round
from loadtest.neighbours import Neighbours
from loadtest.processes import instant_server

MOST_US = 110.0


async def one_round(given: argparse.Namespace, beside: Neighbours) -> Round:
    """A processor of its own."""
    async with instant_server("loadtest.transport.processing", str(WAITING)) as url:
        return await consuming.one_round(
            "processor", url, given, beside, handled=_events, log="processor"
        )


def _events(metrics: Metrics) -> float:
    return metrics.total("mailpipe_events_total")


async def bench(given: argparse.Namespace) -> int:
    """Measure, print, write the proof."""
    run = await consuming.measured(given, lambda beside: one_round(given, beside))
    return consuming.told(given.name, run, each="an event", most_us=MOST_US)


def main() -> int:
    """The command line."""
    given = consuming.parser("bench-processor", __doc__).parse_args()
    return uvloop.run(bench(given))


if __name__ == "__main__":
    sys.exit(main())
