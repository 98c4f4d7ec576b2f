"""`make prove-drain`: SIGTERM to each service in turn, again and again, under load.

One replica of the service runs, and it is started again when it is gone. That proves more than to
end one of two: what the process leaves in flight is nobody else's, no other replica answers for a
mail that it forgot, and the door is shut for a while, so clients meet what they would in the worst
case. The sender has a small quota, so that most of what it has in hand at a SIGTERM is not begun.
"""

import argparse
import asyncio
import random
import sys
import time
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from infra.local.demo import ENDPOINTS, Run
from infra.local.observe import READS, Depths
from infra.local.stack import SERVICES, Plan, Stack
from loadtest import drains, proof
from loadtest.drains import Drain
from loadtest.load import Load, doors_of, evidence, quiet
from loadtest.processes import ROOT, exit_code_of

LOOK_S = 0.04
"""Between two looks at the queues: each costs the machine some milliseconds that the load needs."""
FILL_S = 20.0
"""So long a SIGTERM waits for enough in hand; the row says so when it has waited in vain."""
IN_HAND_S = 2.0
"""The sender holds more than so many seconds' worth of its quota, about three (`docs/fairness.md`).
It begins a mail a tenth of a second before its instant: the rest is in hand and not begun."""
ANSWER_S = 0.2
"""An endpoint takes so long when it is the notifier that is drained: webhooks are then in hand."""
PER_STACK = 4
"""SIGTERMs to a service before everything is started afresh."""
GRACE_S = 2.0
"""So long after the deadline a process is killed, if it has not ended by then."""


def arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", nargs="+", default=list(SERVICES), choices=SERVICES)
    parser.add_argument("--sigterms", type=int, default=10, help="to each service")
    parser.add_argument("--rate", type=float, default=200.0, help="mails a second")
    parser.add_argument("--deadline", type=float, default=6.0, help="MAILPIPE_DRAIN_S")
    parser.add_argument("--slack", type=float, default=1.0, help="so many times as late is allowed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="prove-drain", help="of build/<name>.json, and folders")
    given = parser.parse_args(argv)
    if given.sigterms < 1 or given.rate < 8:
        parser.error("at least one SIGTERM and a rate of 8")
    return given


def plan(service: str, given: argparse.Namespace) -> Plan:
    """A stack whose sender keeps up, except when it is the sender that is drained."""
    settings = {
        "MAILPIPE_DRAIN_S": f"{given.deadline:g}",
        "MAILPIPE_SENDER_QUOTA_REFRESH_S": "0.5",
    }
    rate = 4 * given.rate
    if service == "sender":
        rate = given.rate / 4
        settings["MAILPIPE_SENDER_CONCURRENCY"] = f"{8 * rate:.0f}"
        # What it looks at behind a backlog and gives back for a while is hidden, and would count
        # as left in flight.
        settings["MAILPIPE_SENDER_DIG_EVERY_S"] = "60"
    if service == "notifier":
        # About 3.5 webhooks a mail: so many that slow answers do not hold it up.
        settings["MAILPIPE_NOTIFIER_CONCURRENCY"] = f"{max(64, given.rate):.0f}"
    name = f"{given.name}-{service}"
    return Plan(name=name, rate=rate, seed=given.seed, endpoints=ENDPOINTS, settings=settings)


class Drains:
    """The SIGTERMs of one service."""

    def __init__(self, stack: Stack, service: str, given: argparse.Namespace, load: Load) -> None:
        self._stack, self._service, self._given, self._load = stack, service, given, load
        self._depths = Depths(stack)
        self._pauses = random.Random(given.seed)  # noqa: S311 - a reproducible choice is the point
        self._in_flight = list[tuple[float, int]]()
        # Of the sender most of what it holds, of the notifier a third of what is usual.
        enough = {"sender": IN_HAND_S * stack.plan.rate, "notifier": given.rate / 4}
        self._enough = enough.get(service, 1.0)

    async def run(self) -> list[Drain]:
        """End and start again, as often as asked, after pauses of 0.5 to 1.5 s."""
        done = list[Drain]()
        for _ in range(self._given.sigterms):
            await asyncio.sleep(self._pauses.uniform(0.5, 1.5))
            done.append(await self._once())
        return done

    async def _once(self) -> Drain:
        child = self._stack.services[self._service][0]
        await self._enough_in_hand()
        looking = asyncio.create_task(self._look_on())
        sigterm_s, posts_open = time.time(), self._load.posts_open
        code = await child.stop(timeout_s=self._given.deadline + GRACE_S)
        ended_s = time.time()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        after = await self._look()
        await self._stack.restart_one(child)
        return Drain(
            sigterm_s=sigterm_s,
            ended_s=ended_s,
            exit_code=code,
            in_flight=tuple(self._in_flight),
            in_flight_after=after,
            posts_open=posts_open,
        )

    async def _enough_in_hand(self) -> None:
        """The last look before the signal is the first of what was in hand at it."""
        deadline = time.monotonic() + FILL_S
        while time.monotonic() < deadline:
            self._in_flight = []
            if max(await self._look(), self._load.posts_open * (not self._reads)) >= self._enough:
                return
            await asyncio.sleep(LOOK_S if self._reads else 0.001)

    async def _look_on(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(LOOK_S)

    @property
    def _reads(self) -> tuple[str, ...]:
        return READS[self._service]

    async def _look(self) -> int:
        count = await asyncio.to_thread(self._depths.in_flight, self._reads) if self._reads else 0
        self._in_flight.append((time.time(), count))
        return count

    async def flushed(self, run: Run) -> None:
        """The quota opens, and everything comes to its end."""
        account = {"maxSendRate": 4 * self._given.rate}
        url = f"{self._stack.ses_url}/_control/account"
        async with aiohttp.ClientSession() as session, session.put(url, json=account) as answer:
            answer.raise_for_status()
        await quiet(run, self._depths, within_s=120)


async def endpoints_answer_slowly(stack: Stack) -> None:
    """The receiver takes its time, as endpoints do."""
    fault = {"hang_s": ANSWER_S, "times": 1_000_000}
    async with aiohttp.ClientSession() as session:
        for name in ENDPOINTS:
            async with session.put(f"{stack.receiver_url}/control/{name}", json=fault) as answer:
                answer.raise_for_status()


async def prove_one(service: str, given: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of one service, a stack for every few SIGTERMs: what the load heaps up while a
    sender has little quota makes ministack slow, which looks for messages by going through them.
    """
    rows, left = list[dict[str, Any]](), given.sigterms
    while left > 0:
        few = argparse.Namespace(**vars(given) | {"sigterms": min(left, PER_STACK)})
        few.seed = given.seed + given.sigterms - left
        rows += await prove_few(service, few)
        left -= PER_STACK
    return rows


async def prove_few(service: str, given: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of one stack."""
    async with Stack(plan(service, given)) as stack:
        if service == "notifier":
            await endpoints_answer_slowly(stack)
        async with doors_of(stack) as doors:
            load = Load([doors], rate=given.rate, seed=given.seed)
            several = Drains(stack, service, given, load)
            async with load.flowing():
                done = await several.run()
            await several.flushed(Run(stack))
            known = await evidence(stack, doors, load.acks)
    load_of_it = {"emails": len(load.acks), "emails_per_s": round(load.rate, 1)}
    return [row | load_of_it for row in drains.judge(service, done, known)]


async def prove(given: argparse.Namespace) -> int:
    """All services; prints a row per SIGTERM, writes the proof."""
    console, rows, passed = Console(), list[dict[str, Any]](), True
    for service in given.services:
        rows += await prove_one(service, given)
    table = Table(
        "service", "exit", "drain s", "lost", "twice", "in hand", "not begun", "visible s"
    )
    for row in rows:
        shown = [row[name] for name in ("service", "exit", "drain_s", "lost", "duplicates")]
        shown += [row[name] for name in ("in_hand_at_sigterm", "unstarted", "unstarted_visible_s")]
        table.add_row(*("-" if one is None else str(one) for one in shown))
    console.print(table)
    for row in rows:
        for fault in drains.short(row, deadline_s=given.deadline, slack=given.slack):
            passed = False
            console.print(f"  {row['service']}: {fault}", markup=False)
        if row["emails_per_s"] < 0.9 * given.rate:
            passed = False
            console.print(f"  {row['service']}: only {row['emails_per_s']} mails a second")
    path = proof.write(given.name, seed=given.seed, runs=rows, passed=passed)
    print(f"{'passed' if passed else 'FAILED'}: {path.relative_to(ROOT)}")
    return 0 if passed else 1


def main() -> int:
    """The command."""
    return exit_code_of("prove-drain", prove(arguments(sys.argv[1:])))


if __name__ == "__main__":
    raise SystemExit(main())
