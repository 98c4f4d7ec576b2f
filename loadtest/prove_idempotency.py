"""`make prove-idempotency`: many posts at once under each key, and `kill -9` of ingest in between.

Every key is posted by many clients at the same time, at two replicas. Each fifth key is contested:
half of its clients post another body. Each replica is killed once while posts are open, and started
again; a client whose post was cut tries again, as an outside client would. In the end every key is
posted once more with either body. Judged from the answers and from the simulator's log alone.
"""

import argparse
import asyncio
import random
import sys
from typing import Any

import aiohttp
from rich.console import Console

from infra.local.cloud import LOCAL_KEY
from infra.local.demo import Run
from infra.local.mails import mail_to
from infra.local.observe import Depths
from infra.local.stack import Plan, Stack
from loadtest import keyed, proof
from loadtest.checker import read_log
from loadtest.keyed import Answer
from loadtest.load import quiet
from loadtest.processes import ROOT, exit_code_of

REPLICAS = 2
CONTESTED_EACH = 5
KEYS_AT_ONCE = 5
AGAIN_S = 0.05
AGAIN = (429, 503)
SES_RATE = 200.0
QUIET_S = 60.0
SETTINGS = {"MAILPIPE_SENDER_SES_TIMEOUT_S": "3", "MAILPIPE_SENDER_LEASE_MARGIN_S": "0.5"}
"""A copy that finds its mail in another hand comes back when the lease ends: this is to be waited
for."""


def arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=50)
    parser.add_argument("--posts", type=int, default=20, help="at once, under each key")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="prove-idempotency", help="of build/<name>.json")
    given = parser.parse_args(argv)
    if given.keys < 5 or given.posts < 2:
        parser.error("at least 5 keys and 2 posts")
    return given


class Clients:
    """Post until they have an answer, and keep it."""

    def __init__(self, stack: Stack, session: aiohttp.ClientSession, seed: int) -> None:
        self.answers = list[Answer]()
        self.cut = 0
        self._changed = asyncio.Event()
        self._urls = stack.ingest_urls
        self._session = session
        self._choice = random.Random(seed)  # noqa: S311 - a reproducible choice is the point
        self._run = seed

    async def contend(self, number: int, posts: int) -> None:
        """All posts of one key at once; then one more with either body."""
        contested = number % CONTESTED_EACH == 0
        bodies = [contested and index % 2 == 1 for index in range(posts)]
        self._choice.shuffle(bodies)
        async with asyncio.TaskGroup() as posting:
            for turn, other in enumerate(bodies):
                posting.create_task(self._post(number, other=other, turn=turn))
        for other in (False, True):
            await self._post(number, other=other, turn=0, late=True)

    async def _post(self, number: int, *, other: bool, turn: int, late: bool = False) -> None:
        mail = mail_to(f"success+key{number}-{'other' if other else 'one'}", number)
        key = f"run {self._run} order {number}"
        headers = {"X-API-Key": LOCAL_KEY, "Idempotency-Key": key}
        while True:
            url = f"{self._urls[turn % len(self._urls)]}/send-email"
            try:
                async with self._session.post(url, json=mail, headers=headers) as answer:
                    said = await answer.json()
                if answer.status not in AGAIN:
                    break
            except aiohttp.ClientConnectorError:
                pass  # nobody was there: nothing can have been accepted
            except aiohttp.ClientError:
                self.cut += 1
            turn += 1
            await asyncio.sleep(AGAIN_S)
        replayed = answer.headers.get("Idempotent-Replayed") == "true"
        (recipient,) = mail["to"]
        email_id = said.get("emailId")
        self.answers.append(Answer(key, recipient, answer.status, email_id, replayed, late))
        self._changed.set()

    async def answered(self, count: int) -> None:
        """Wait until so many posts have their answer."""
        while len(self.answers) < count:
            self._changed.clear()
            await self._changed.wait()


async def contended(given: argparse.Namespace) -> dict[str, Any]:
    """The row of the run."""
    plan = Plan(
        name=given.name,
        rate=SES_RATE,
        seed=given.seed,
        replicas={"ingest": REPLICAS},
        settings=SETTINGS,
    )
    async with (
        Stack(plan) as stack,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        clients = Clients(stack, session, given.seed)
        for replica in range(REPLICAS):
            numbers = range(replica, given.keys, REPLICAS)
            await _with_a_kill(stack, clients, numbers, given.posts, replica)
        await quiet(Run(stack), Depths(stack), within_s=QUIET_S)
        log = read_log(stack.ses_log)
    return keyed.row(clients.answers, log, kills=REPLICAS, cut=clients.cut)


async def _with_a_kill(
    stack: Stack, clients: Clients, numbers: range, posts: int, replica: int
) -> None:
    """Post under these keys; when a quarter is answered, the replica is killed and comes again."""
    limit = asyncio.Semaphore(KEYS_AT_ONCE)

    async def contend(number: int) -> None:
        async with limit:
            await clients.contend(number, posts)

    async def kill(after: int) -> None:
        await clients.answered(after)
        child = stack.services["ingest"][replica]
        await child.kill()
        await stack.restart_one(child)

    async with asyncio.TaskGroup() as running:
        running.create_task(kill(len(clients.answers) + len(numbers) * posts // 4))
        for number in numbers:
            running.create_task(contend(number))


async def prove(given: argparse.Namespace) -> int:
    """Run, judge, print, write the proof."""
    found = await contended(given)
    faults = keyed.short(found, keys=given.keys, kills=REPLICAS)
    console = Console()
    for name, value in found.items():
        if name != "faults":
            console.print(f"  {name.replace('_', ' ')}: {value}", markup=False)
    for fault in faults:
        console.print(f"  not as it must be: {fault}", markup=False)
    path = proof.write(given.name, seed=given.seed, runs=[found], passed=not faults)
    print(f"{'FAILED' if faults else 'passed'}: {path.relative_to(ROOT)}")
    return 1 if faults else 0


def main() -> int:
    """The command."""
    return exit_code_of("prove-idempotency", prove(arguments(sys.argv[1:])))


if __name__ == "__main__":
    raise SystemExit(main())
