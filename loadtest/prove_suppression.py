"""`make prove-suppression`: mail to an address, through both doors and both lanes, while somebody
suppresses that address; three senders.

The proxy in front of the stores tells when each mail was claimed, the simulator what was sent, the
generator when the suppression was acknowledged.
"""

import argparse
import asyncio
import random
import sys
import time
from typing import Any, NamedTuple

import aiohttp
from rich.console import Console

from infra.local.cloud import LOCAL_KEY
from infra.local.demo import Run
from infra.local.mails import DOORS, Door, Doors, mail_to
from infra.local.observe import Depths
from infra.local.stack import Plan, Stack
from loadtest import proof
from loadtest.checker import read_log
from loadtest.load import doors_of, quiet
from loadtest.processes import ROOT, exit_code_of
from loadtest.suppressions import Race, row, short

SENDERS = 3
DAILY = 1_000_000
QUOTAS = 8
"""SES's quota in multiples of the load: what is claimed goes at once."""
BEFORE_S = (0.0, 0.16)
"""So long before the suppression is asked for the first two mails of a race go; the last goes up to
`AFTER_S` after that. From a door's yes to the claim it takes a few hundredths of a second."""
AFTER_S = 0.05
LEAD_S = 0.2
SETTLED_S = 120.0


class Given(NamedTuple):
    """The command line."""

    races: int
    per_s: float
    seed: int
    name: str


def arguments(argv: list[str]) -> Given:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--races", type=int, default=1000)
    parser.add_argument("--per-s", type=float, default=20.0, help="races that begin in a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="prove-suppression", help="of build/<name>.json")
    given = parser.parse_args(argv)
    if given.races < 1 or given.per_s <= 0:
        parser.error("at least one race, and some in a second")
    return Given(given.races, given.per_s, given.seed, given.name)


class Generator:
    """Runs races; every choice comes from the seed."""

    def __init__(self, doors: Doors, http: aiohttp.ClientSession, ingest: str, seed: int) -> None:
        self._doors, self._http, self._ingest = doors, http, ingest
        self._choice = random.Random(seed)  # noqa: S311 - a reproducible choice is the point

    async def races(self, count: int, *, per_s: float) -> list[Race]:
        """So many, begun at a steady pace."""
        clock = asyncio.get_running_loop().time
        begun_s, running = clock(), list[asyncio.Task[Race]]()
        for number in range(count):
            await asyncio.sleep(max(0.0, begun_s + number / per_s - clock()))
            running.append(asyncio.create_task(self._race(number)))
        return await asyncio.gather(*running)

    async def _race(self, number: int) -> Race:
        choice, address = self._choice, f"success+{number}@simulator.amazonses.com"
        early = [LEAD_S - choice.uniform(*BEFORE_S) for _ in range(2)]
        late_s = LEAD_S + choice.uniform(0.0, AFTER_S)
        suppressed, *sent = await asyncio.gather(
            self._suppress(address, after_s=LEAD_S),
            self._send("rest", number, after_s=early[0]),
            self._send("sdk", number, after_s=early[1]),
            self._send(choice.choice(DOORS), number, after_s=late_s),
        )
        return Race(address, tuple(sent), *suppressed)

    async def _send(self, door: Door, number: int, *, after_s: float) -> str:
        """The mail's id; the SDK's mail is bulk."""
        await asyncio.sleep(after_s)
        mail = mail_to(f"success+{number}", number)
        bulk = {"stream": "bulk"} if door == "sdk" else {}
        return str((await self._doors.send(door, mail | bulk))["emailId"])

    async def _suppress(self, address: str, *, after_s: float) -> tuple[int, int]:
        """When it was asked for, and when the answer was there."""
        await asyncio.sleep(after_s)
        asked_ns = time.monotonic_ns()
        url, headers = f"{self._ingest}/suppression/add", {"X-API-Key": LOCAL_KEY}
        async with self._http.post(url, json={"email": address}, headers=headers) as answer:
            acknowledged_ns = time.monotonic_ns()
            if answer.status != 200:
                raise AssertionError(f"POST /suppression/add answered {answer.status}")
        return asked_ns, acknowledged_ns


async def raced(given: Given) -> dict[str, Any]:
    """The row of the run."""
    plan = Plan(
        name=given.name,
        rate=QUOTAS * 3 * given.per_s,
        daily=DAILY,
        seed=given.seed,
        endpoints={"suppressions": ["email.suppressed"]},
        replicas={"sender": SENDERS},
        stores_proxy=True,
        log_writes=True,
    )
    async with Stack(plan) as stack, doors_of(stack) as doors:
        run, depths = Run(stack), Depths(stack)
        async with aiohttp.ClientSession() as http:
            generator = Generator(doors, http, stack.ingest_url, given.seed)
            races = await generator.races(given.races, per_s=given.per_s)
        await quiet(run, depths, within_s=SETTLED_S)
        return row(
            races,
            stores=read_log(stack.folder / "stores.jsonl"),
            simulator=read_log(stack.ses_log),
            receiver=read_log(stack.receiver_log),
            statuses=await doors.statuses(one for race in races for one in race.mails),
        )


async def prove(given: Given) -> int:
    """Run, judge, print, write the proof."""
    console, found = Console(), await raced(given)
    faults = short(found, races=given.races)
    for name, value in found.items():
        if name != "examples":
            console.print(f"  {name.replace('_', ' ')}: {value}", markup=False)
    for line in (*(f"not as it must be: {one}" for one in faults), *found["examples"]):
        console.print(f"  {line}", markup=False)
    path = proof.write(given.name, seed=given.seed, runs=[found], passed=not faults)
    print(f"{'FAILED' if faults else 'passed'}: {path.relative_to(ROOT)}")
    return 1 if faults else 0


def main() -> int:
    """The command."""
    return exit_code_of("prove-suppression", prove(arguments(sys.argv[1:])))


if __name__ == "__main__":
    raise SystemExit(main())
