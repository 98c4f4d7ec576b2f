"""`python -m infra.local.stores`: the proxy, on loopback."""

import argparse
import asyncio
import errno
import json
import signal
import sys
import time
from pathlib import Path

import uvloop
from aiohttp import web

from infra.local.chaos.faults import FaultError, Faults
from infra.local.chaos.journal import Journal
from infra.local.stores.server import FAULTS, Proxy

EXIT_WRONG_FILE = 2
EXIT_PORT_IN_USE = 3


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=4580, help="0 = a free one")
    parser.add_argument("--upstream", required=True, help="URL of the local cloud")
    parser.add_argument("--log", type=Path, required=True, help="JSON lines, appended to")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=Path, help="JSON: faults from the start")
    return parser.parse_args()


async def main(given: argparse.Namespace) -> int:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    faults = Faults(FAULTS, seed=given.seed)
    try:
        if given.faults is not None:
            faults.add(given.faults.read_bytes(), time.monotonic())
    except (OSError, FaultError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_WRONG_FILE
    application = Proxy(given.upstream, faults, Journal(given.log)).application()
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", given.port).start()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        sys.stderr.write(f"port {given.port} is in use\n")
        return EXIT_PORT_IN_USE
    port = runner.addresses[0][1]
    sys.stdout.write(json.dumps({"event": "ready", "service": "stores", "port": port}) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await runner.cleanup()
    return 0


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner_of_loop:
        raise SystemExit(runner_of_loop.run(main(arguments())))
