"""`python -m infra.local.stores`: the proxy, on loopback."""

import argparse
import asyncio
import sys
import time
from pathlib import Path

import uvloop

from infra.local.chaos.faults import FaultError, Faults
from infra.local.chaos.journal import Journal
from infra.local.serve import serve
from infra.local.stores.server import FAULTS, Proxy

EXIT_WRONG_FILE = 2


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=4580, help="0 = a free one")
    parser.add_argument("--upstream", required=True, help="URL of the local cloud")
    parser.add_argument("--log", type=Path, required=True, help="JSON lines, appended to")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=Path, help="JSON: faults from the start")
    parser.add_argument("--writes", action="store_true", help="log every write to a table")
    return parser.parse_args()


async def main(given: argparse.Namespace) -> int:
    """Serve until SIGTERM."""
    faults = Faults(FAULTS, seed=given.seed)
    try:
        if given.faults is not None:
            faults.add(given.faults.read_bytes(), time.monotonic())
    except (OSError, FaultError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_WRONG_FILE
    proxy = Proxy(given.upstream, faults, Journal(given.log), log_writes=given.writes)
    return await serve(proxy.application(), port=given.port, service="stores")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner_of_loop:
        raise SystemExit(runner_of_loop.run(main(arguments())))
