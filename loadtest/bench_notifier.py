"""`make bench-notifier`: the notifier's CPU per webhook.

The real process between a queue that never runs empty and endpoints that take everything at once,
each in a process of its own: see `loadtest/transport/notifying.py` and `receiving.py`.
"""

import argparse
import sys

import uvloop

from infra.local.observe import Metrics
from loadtest import consuming
from loadtest.consuming import WAITING, Round
from loadtest.neighbours import Neighbours
from loadtest.processes import instant_server

MOST_US = 130.0


async def one_round(given: argparse.Namespace, beside: Neighbours) -> Round:
    """A notifier of its own."""
    async with (
        instant_server("loadtest.transport.receiving") as endpoint,
        instant_server("loadtest.transport.notifying", str(WAITING), endpoint) as url,
    ):
        return await consuming.one_round(
            "notifier", url, given, beside, handled=_webhooks, log="notifier"
        )


def _webhooks(metrics: Metrics) -> float:
    return metrics.total("mailpipe_webhooks_total", "delivered")


async def bench(given: argparse.Namespace) -> int:
    """Measure, print, write the proof."""
    run = await consuming.measured(given, lambda beside: one_round(given, beside))
    return consuming.told(given.name, run, each="a webhook", most_us=MOST_US)


def main() -> int:
    """The command line."""
    given = consuming.parser("bench-notifier", __doc__).parse_args()
    return uvloop.run(bench(given))


if __name__ == "__main__":
    sys.exit(main())
