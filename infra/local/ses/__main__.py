"""`python -m infra.local.ses`: the SES simulator, on loopback."""

import argparse
import asyncio
import errno
import json
import signal
import sys
from pathlib import Path

import uvloop
from aiohttp import web

from infra.local.ses.cloud import open_cloud
from infra.local.ses.oracle import Oracle
from infra.local.ses.quota import Quota
from infra.local.ses.server import Simulator

EXIT_PORT_IN_USE = 3
DRAIN_S = 5.0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=4579, help="0 = a free one")
    parser.add_argument("--cloud", required=True, help="URL of the local cloud (SNS, SES v2 sets)")
    parser.add_argument("--log", type=Path, required=True, help="the oracle log, appended to")
    parser.add_argument("--rate", type=float, default=14.0, help="recipients a second")
    parser.add_argument("--daily", type=float, default=50_000.0, help="a rolling day; -1 unlimited")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--latency-scale", type=float, default=1.0, help="of the events' delays")
    parser.add_argument("--region", default="us-east-1")
    return parser.parse_args()


async def main(given: argparse.Namespace) -> int:
    """Serve until SIGTERM, then publish what is still to come."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    oracle = Oracle(given.log)
    async with open_cloud(given.cloud, given.region) as cloud:
        simulator = Simulator(
            cloud,
            oracle,
            quota=Quota(max_send_rate=given.rate, max_24_hour_send=given.daily),
            region=given.region,
            seed=given.seed,
            latency_scale=given.latency_scale,
        )
        ticker = asyncio.create_task(oracle.measure_lag())
        runner = web.AppRunner(simulator.application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", given.port).start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            sys.stderr.write(f"port {given.port} is in use\n")
            return EXIT_PORT_IN_USE
        port = runner.addresses[0][1]
        sys.stdout.write(json.dumps({"event": "ready", "service": "ses", "port": port}) + "\n")
        sys.stdout.flush()
        await stop.wait()
        await runner.cleanup()
        ticker.cancel()
        async with asyncio.timeout(DRAIN_S):
            await simulator.drain()
    return 0


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner_of_loop:
        raise SystemExit(runner_of_loop.run(main(arguments())))
