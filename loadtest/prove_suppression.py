"""`make prove-suppression`: mail to an address, through both doors and both lanes, while somebody
suppresses that address; three senders.

The proxy in front of the stores tells when each mail was claimed, the simulator what was sent, the
generator when the suppression was acknowledged. Mail to nobody in particular goes first, at the
same pace: it tells how long it takes from a door's yes to the claim, and so how early the mail of
the races has to go.
"""

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, TypeVar

import aiohttp
from rich.console import Console

from infra.local.cloud import LOCAL_KEY
from infra.local.demo import Run
from infra.local.mails import DOORS, Door, Doors, Refused, mail_to
from infra.local.observe import Depths
from infra.local.stack import Plan, Stack
from loadtest import proof
from loadtest.checker import read_log
from loadtest.load import doors_of, quiet
from loadtest.processes import ROOT, exit_code_of
from loadtest.suppressions import Race, close_ns, row, short, waits_s

T = TypeVar("T")

SENDERS = 3
DAILY = 1_000_000
QUOTAS = 8
"""SES's quota in multiples of the load: what is claimed goes at once."""
MAILS = 3
"""Of a race."""
AFTER_S = 0.05
"""The last goes up to so long after the suppression is asked for."""
LEAST_SPREAD_S = 0.16
"""So long before it the first two begin to go, at least."""
WARM_UP_S = 2.0
CLAIMED_S = 10.0
"""So long the claims of the warm-up are waited for."""
SETTLED_S = 120.0
BUSY = 503
AGAIN_S = 1.0


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

    async def warmed_up(self, count: int, *, per_s: float) -> dict[str, int]:
        """When the door had said yes to each of so many mails, by `time.monotonic_ns()`."""
        return dict(await _paced(self._accepted, count, per_s=per_s))

    async def races(self, count: int, *, per_s: float, spread_s: float) -> list[Race]:
        """So many, begun at a steady pace; their first two mails go up to `spread_s` before the
        suppression is asked for.
        """
        return await _paced(lambda number: self._race(number, spread_s), count, per_s=per_s)

    async def _accepted(self, number: int) -> tuple[str, int]:
        door = DOORS[number % len(DOORS)]
        return await self._send(door, f"success+warm-{number}"), time.monotonic_ns()

    async def _race(self, number: int, spread_s: float) -> Race:
        choice, name = self._choice, f"success+{number}"
        early = [choice.uniform(0.0, spread_s) for _ in range(2)]
        late_s = spread_s + choice.uniform(0.0, AFTER_S)
        suppressed, *sent = await asyncio.gather(
            self._suppress(f"{name}@simulator.amazonses.com", after_s=spread_s),
            self._send("rest", name, after_s=early[0]),
            self._send("sdk", name, after_s=early[1]),
            self._send(choice.choice(DOORS), name, after_s=late_s),
        )
        return Race(f"{name}@simulator.amazonses.com", tuple(sent), *suppressed)

    async def _send(self, door: Door, local_part: str, *, after_s: float = 0.0) -> str:
        """The mail's id; the SDK's mail is bulk."""
        await asyncio.sleep(after_s)
        mail = mail_to(local_part, 1)
        bulk = {"stream": "bulk"} if door == "sdk" else {}
        while True:
            try:
                return str((await self._doors.send(door, mail | bulk))["emailId"])
            except Refused as refused:
                if refused.status != BUSY:
                    raise
            await asyncio.sleep(AGAIN_S)  # the first may be sent all the same: no mail of a race

    async def _suppress(self, address: str, *, after_s: float) -> tuple[int, int]:
        """When it was asked for, and when the answer was there."""
        await asyncio.sleep(after_s)
        asked_ns = time.monotonic_ns()
        url, headers = f"{self._ingest}/suppression/add", {"X-API-Key": LOCAL_KEY}
        while True:
            async with self._http.post(url, json={"email": address}, headers=headers) as answer:
                acknowledged_ns = time.monotonic_ns()
            if answer.status == 200:
                return asked_ns, acknowledged_ns
            if answer.status != BUSY:
                raise AssertionError(f"POST /suppression/add answered {answer.status}")
            await asyncio.sleep(AGAIN_S)


async def _paced(
    make: Callable[[int], Coroutine[Any, Any, T]], count: int, *, per_s: float
) -> list[T]:
    """What so many bring, begun at a steady pace."""
    clock = asyncio.get_running_loop().time
    begun_s, running = clock(), list[asyncio.Task[T]]()
    for number in range(count):
        await asyncio.sleep(max(0.0, begun_s + number / per_s - clock()))
        running.append(asyncio.create_task(make(number)))
    return await asyncio.gather(*running)


async def door_to_claim(generator: Generator, stack: Stack, *, per_s: float) -> float:
    """Seconds from a door's yes to the claim: the median at this many mails a second."""
    accepted_ns = await generator.warmed_up(round(WARM_UP_S * per_s), per_s=per_s)
    deadline_s = time.monotonic() + CLAIMED_S
    while True:
        found = waits_s(accepted_ns, read_log(stack.folder / "stores.jsonl"))
        if len(found) == len(accepted_ns):
            return statistics.median(found)
        if time.monotonic() > deadline_s:
            raise AssertionError(f"{len(accepted_ns) - len(found)} mails were not claimed")
        await asyncio.sleep(0.1)


async def raced(given: Given) -> dict[str, Any]:
    """The row of the run."""
    plan = Plan(
        name=given.name,
        rate=QUOTAS * MAILS * given.per_s,
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
            usual_s = await door_to_claim(generator, stack, per_s=MAILS * given.per_s)
            # So about half of the early mails are claimed in time, however slow the machine is.
            spread_s = max(LEAST_SPREAD_S, 2 * usual_s)
            races = await generator.races(given.races, per_s=given.per_s, spread_s=spread_s)
        await quiet(run, depths, within_s=SETTLED_S)
        found = row(
            races,
            close_ns=close_ns(spread_s),
            stores=read_log(stack.folder / "stores.jsonl"),
            simulator=read_log(stack.ses_log),
            receiver=read_log(stack.receiver_log),
            statuses=await doors.statuses(one for race in races for one in race.mails),
        )
    return {**found, "door_to_claim_ms": round(1000 * usual_s)}


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
