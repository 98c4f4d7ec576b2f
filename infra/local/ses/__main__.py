"""`python -m infra.local.ses`: the SES simulator, on loopback."""

import argparse
import asyncio
import contextlib
import gc
import sys
import time
from pathlib import Path
from typing import TypeVar

import msgspec
import uvloop

from infra.local.chaos.control import Control as FaultControl
from infra.local.chaos.faults import FaultError, Faults
from infra.local.serve import serve
from infra.local.ses import publisher, server
from infra.local.ses.account import Account, Switches
from infra.local.ses.control import Control
from infra.local.ses.inbox import Inbox
from infra.local.ses.mailbox import Mailbox
from infra.local.ses.oracle import Oracle
from infra.local.ses.outcomes import Plan, Profile
from infra.local.ses.publisher import Publisher
from infra.local.ses.server import Sending, Simulator
from infra.local.ses.sets import Sets
from infra.local.ses.sns import open_sns

EXIT_WRONG_FILE = 2
EXIT_EVENTS_LOST = 4
DRAIN_S = 5.0

T = TypeVar("T")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=4579, help="0 = a free one")
    parser.add_argument("--cloud", required=True, help="URL of the local cloud (SNS)")
    parser.add_argument("--log", type=Path, required=True, help="the oracle log, appended to")
    parser.add_argument("--rate", type=float, default=14.0, help="recipients a second")
    parser.add_argument("--daily", type=float, default=50_000.0, help="a rolling day; -1 unlimited")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--profile", type=Path, help="JSON: what ordinary addresses do")
    parser.add_argument("--faults", type=Path, help="JSON: faults from the start")
    parser.add_argument("--region", default="us-east-1")
    return parser.parse_args()


async def main(given: argparse.Namespace) -> int:
    """Serve until SIGTERM, then publish what is still to come."""
    faults = Faults((*server.FAULTS, *publisher.FAULTS), seed=given.seed)
    try:
        profile = _read(given.profile, Profile)
        if given.faults is not None:
            faults.add(given.faults.read_bytes(), time.monotonic())
    except (OSError, msgspec.DecodeError, FaultError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_WRONG_FILE
    oracle, mailbox = Oracle(given.log), Mailbox()
    switches = Switches(max_send_rate=given.rate, max_24_hour_send=given.daily)
    account = Account(given.region, switches)

    def tell_lost(topic: str, events: int) -> None:
        oracle.write("unpublished", {"topic": topic, "events": events})

    async with open_sns(given.cloud, given.region, tell_lost) as sns:
        events = Publisher(account, sns, oracle, faults=faults, seed=given.seed)
        sending = Sending(
            account,
            events,
            oracle=oracle,
            plan=Plan(profile, given.seed),
            mailbox=mailbox,
            faults=faults,
        )
        own = [
            *FaultControl(faults).routes(),
            *Control(account, events, mailbox=mailbox, oracle=oracle).routes(),
            *Inbox(mailbox).routes(),
        ]
        application = Simulator(account, sending, Sets(account, sns.publish)).application(own)
        tasks = oracle.measure_lag(), events.run()
        code = await serve(application, *tasks, port=given.port, service="ses")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await events.drain()
        return code or (EXIT_EVENTS_LOST if sns.unpublished or sns.lost else 0)


def _read(path: Path | None, kind: type[T]) -> T:
    return msgspec.json.decode(b"{}" if path is None else path.read_bytes(), type=kind)


if __name__ == "__main__":
    # Nothing here makes cycles at a rate; looking for them would take a tenth of the CPU.
    gc.set_threshold(100_000)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner_of_loop:
        raise SystemExit(runner_of_loop.run(main(arguments())))
