"""`make prove-kills`: `kill -9` of a random replica every 1 to 2 s, under load.

Two replicas of each service. A killed one is started again at once, ingest on its port; the service
is spared until the new process answers `/ready`, and another one is chosen meanwhile. The run is
judged when every queue is empty and the outside logs have stopped growing, which is after
visibility and leases.
"""

import argparse
import asyncio
import random
import sys
import time
from contextlib import suppress
from typing import Any

import aiohttp
from rich.console import Console

from infra.local.children import Child
from infra.local.demo import ENDPOINTS, Run
from infra.local.observe import Depths
from infra.local.stack import SERVICES, Plan, Stack
from loadtest import kills, proof
from loadtest.checker import read_log
from loadtest.load import Load, doors_of, evidence, quiet
from loadtest.processes import ROOT, exit_code_of

GAP_S = (1.0, kills.LONGEST_GAP_S)
READY_S = 30.0
QUOTAS = 8
"""SES's quota in multiples of the load: each of the two senders takes the whole of it, and what
comes back after a kill comes at once."""
MIN_VISIBILITY_S = 3.0
"""The smallest that the services take."""


def arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="of load and kills")
    parser.add_argument("--rate", type=float, default=100.0, help="mails a second")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of the protocol's durations; 0.1 in the tests"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="prove-kills", help="of build/<name>.json and its folder")
    given = parser.parse_args(argv)
    if given.seconds < 2 or given.rate <= 0 or not 0.01 <= given.scale <= 1:
        parser.error("at least 2 seconds, a rate above 0 and a scale of 0.01 to 1")
    return given


class Durations:
    """The protocol's, in seconds. An event that proves a send may have been received by a
    processor that was killed: the grace outlasts the visibility.
    """

    def __init__(self, scale: float) -> None:
        self.visibility_s = max(MIN_VISIBILITY_S, 30 * scale)
        self.ses_timeout_s = 5 * scale
        self.lease_margin_s = 15 * scale
        self.grace_s = 1.5 * self.visibility_s
        self.doubt_every_s = max(0.5, 30 * scale)
        self.clocks_s = max(0.5, 5 * scale)
        self.publish_every_s = max(0.25, 5 * scale)
        # What is in hand must be done well within the visibility, also on a machine that is
        # slowed by processes that start: else it comes back meanwhile, and never ends.
        self.in_hand = max(8, round(64 * self.visibility_s / 30))

    def settings(self) -> dict[str, str]:
        """As the services read them."""
        consumers = [f"MAILPIPE_{one.upper()}" for one in SERVICES if one != "ingest"]
        return {
            **{f"{one}_VISIBILITY_S": f"{self.visibility_s:g}" for one in consumers},
            **{f"{one}_CONCURRENCY": f"{self.in_hand}" for one in consumers},
            "MAILPIPE_SENDER_SES_TIMEOUT_S": f"{self.ses_timeout_s:g}",
            "MAILPIPE_SENDER_LEASE_MARGIN_S": f"{self.lease_margin_s:g}",
            "MAILPIPE_SENDER_IN_DOUBT_GRACE_S": f"{self.grace_s:g}",
            "MAILPIPE_SENDER_IN_DOUBT_EVERY_S": f"{self.doubt_every_s:g}",
            "MAILPIPE_PROCESSOR_CLOCKS_S": f"{self.clocks_s:g}",
            "MAILPIPE_PROCESSOR_PUBLISH_EVERY_S": f"{self.publish_every_s:g}",
        }

    @property
    def after_a_kill_s(self) -> float:
        """When the last mail of a killed sender has come back, is proved or sent again."""
        lease_s = self.ses_timeout_s + self.lease_margin_s
        return self.visibility_s + lease_s + self.grace_s


class Killer:
    """Kills and starts again; every choice comes from the seed."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self.killed = list[str]()
        self._stack = stack
        self._choice = random.Random(seed)  # noqa: S311 - a reproducible choice is the point
        self._coming = dict[str, asyncio.Task[None]]()

    async def run(self, seconds: float) -> None:
        """Kill until the time is over."""
        clock = time.monotonic
        deadline, due = clock() + seconds, clock()
        while (due := max(clock(), due + self._choice.uniform(*GAP_S))) < deadline:
            await asyncio.sleep(due - clock())
            service = self._choice.choice(await self._whole())
            child = self._stack.services[service][self._choice.randrange(2)]
            await child.kill()
            self.killed.append(service)
            self._coming[service] = asyncio.create_task(self._again(child))
        await asyncio.sleep(max(0.0, deadline - clock()))

    async def all_back(self) -> None:
        """Wait for those that were killed last."""
        await asyncio.gather(*self._coming.values())

    async def _whole(self) -> list[str]:
        """The services whose replicas are all ready: one at least."""
        while not (whole := [one for one in SERVICES if not self._comes_back(one)]):
            await asyncio.wait(self._coming.values(), return_when=asyncio.FIRST_COMPLETED)
        return whole

    def _comes_back(self, service: str) -> bool:
        """Raises what has kept a replica from coming back."""
        task = self._coming.get(service)
        if task is None or not task.done():
            return task is not None
        task.result()
        del self._coming[service]
        return False

    async def _again(self, killed: Child) -> None:
        started = await self._stack.restart_one(killed)
        url = f"http://127.0.0.1:{started.admin_port}/ready"
        async with aiohttp.ClientSession() as session, asyncio.timeout(READY_S):
            while True:
                with suppress(aiohttp.ClientError):
                    async with session.get(url) as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)


async def killed_under_load(given: argparse.Namespace) -> dict[str, Any]:
    """The row of the run."""
    durations = Durations(given.scale)
    plan = Plan(
        name=given.name,
        rate=QUOTAS * given.rate,
        seed=given.seed,
        endpoints=ENDPOINTS,
        replicas=dict.fromkeys(SERVICES, 2),
        settings=durations.settings(),
    )
    async with Stack(plan) as stack:
        run, killer, depths = Run(stack), Killer(stack, given.seed), Depths(stack)
        async with doors_of(stack) as doors:
            urls = stack.ingest_urls
            load = Load([doors.at(url) for url in urls], rate=given.rate, seed=given.seed)
            async with load.flowing():
                await killer.run(given.seconds)
            acknowledged_s = time.monotonic()
            await killer.all_back()
            await quiet(run, depths, within_s=120 + 3 * durations.after_a_kill_s)
            rested_s = time.monotonic() - acknowledged_s
            logs = read_log(stack.ses_log), read_log(stack.receiver_log)
            acks = load.acks + kills.adopted(load.acks, *logs, cut=load.cut)
            known = await evidence(stack, doors, acks)
            left = await asyncio.to_thread(depths.read)
    found = kills.row(killer.killed, known, cut=load.cut, left=left)
    found["emails_per_s"] = round(load.rate, 1)
    found["seconds_to_rest"] = round(rested_s, 1)
    return found


async def prove(given: argparse.Namespace) -> int:
    """Run, judge, print, write the proof."""
    console = Console()
    found = await killed_under_load(given)
    faults = kills.short(found, seconds=given.seconds, rate=given.rate)
    for name, value in found.items():
        if name not in ("doubled", "examples"):
            console.print(f"  {name.replace('_', ' ')}: {value}", markup=False)
    for one in found["doubled"]:
        console.print(f"  sent {one['accepted']} times: {one['emailId']}", markup=False)
    for fault in faults:
        console.print(f"  not as it must be: {fault}", markup=False)
    for example in found["examples"] if faults else ():
        console.print(f"    {example}", markup=False)
    path = proof.write(given.name, seed=given.seed, runs=[found], passed=not faults)
    print(f"{'FAILED' if faults else 'passed'}: {path.relative_to(ROOT)}")
    return 1 if faults else 0


def main() -> int:
    """The command."""
    return exit_code_of("prove-kills", prove(arguments(sys.argv[1:])))


if __name__ == "__main__":
    raise SystemExit(main())
