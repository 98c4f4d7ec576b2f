"""`make prove-quota`: many senders, one quota: never exceeded, never wasted.

Real sender processes over the local cloud, with mail always waiting in both lanes: one sender, then
MOST, then LAST. Some are killed with `kill -9` (and started again), one is stopped by SIGSTOP for
two seconds. At each quota once with SES's refusals off, so that every attempt is seen and judged,
and once with them on. No processor and no notifier runs, and SES publishes no events.

Judged from the simulator's log alone (`loadtest/windows.py`).
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from rich.console import Console

from infra.local.children import Child, ChildFailed
from infra.local.cloud import ses_client
from infra.local.stack import Plan, Stack
from loadtest import proof, windows
from loadtest.backlog import Backlog
from loadtest.checker import read_log
from loadtest.processes import ROOT, exit_code_of

AT_LEAST = {True: 0.92, False: 0.85}
"""Of the quota that must be used: from FINE on, and below, where one slot is much of a second."""
FINE = 50.0
BACK_S = 1.0
"""After a kill the same sender is started again."""
FIRST_S = 30.0
SETTLE_S = 1.0
IN_HAND = 64
"""What a sender that starts takes of a lane at once."""
MAX_EMPTY = 0.02
"""Of the looks at a lane: senders have mail in hand, so one empty look is no lack of mail."""
TRIES = 3
"""A run in which the simulator stood still for too long is made again, at most twice."""


def arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quotas", default="14,100,300", help="recipients a second, by commas")
    parser.add_argument("--first", type=int, default=1, help="senders at the start")
    parser.add_argument("--most", type=int, default=8, help="senders at the height")
    parser.add_argument("--last", type=int, default=3, help="senders in the end")
    parser.add_argument("--phase", type=float, default=10.0, help="seconds of each of four phases")
    parser.add_argument("--frozen", type=float, default=2.0, help="seconds of the SIGSTOP")
    parser.add_argument(
        "--clock-budget", type=float, default=2.0, help="seconds; one machine has one clock"
    )
    parser.add_argument(
        "--use",
        type=float,
        help="share that must be used, else as documented; then the return is told, not judged",
    )
    parser.add_argument("--enforced", choices=("both", "on", "off"), default="both")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="prove-quota", help="of build/<name>.json and its folder")
    given = parser.parse_args(argv)
    given.quotas = [float(one) for one in given.quotas.split(",")]
    if given.phase <= given.frozen or not 1 <= given.last <= given.most >= given.first >= 1:
        parser.error("phases longer than the SIGSTOP, and 1 <= first, last <= most")
    return given


class Run:
    """One quota, one run."""

    def __init__(self, stack: Stack, given: argparse.Namespace) -> None:
        self._stack, self._given = stack, given
        self._senders = stack.services["sender"]
        self._choice = random.Random(given.seed)  # noqa: S311 - a reproducible choice is the point
        self._killed = list[Child]()
        self._coming = list[asyncio.Task[None]]()
        self._kills_ns = list[int]()

    async def play(self, backlog: Backlog) -> windows.Marks:
        """All phases; what was done when."""
        phase_s, frozen_s = self._given.phase, self._given.frozen
        await self._first_attempt()
        await asyncio.sleep(SETTLE_S)
        backlog.watch()
        begun_ns = time.monotonic_ns()
        await asyncio.sleep(phase_s)
        while len(self._senders) < self._given.most:
            await self._stack.add_one("sender")
        await self._with_a_kill(phase_s)
        async with self._one().frozen():
            await asyncio.sleep(frozen_s)
        await asyncio.sleep(phase_s - frozen_s)
        if self._given.last < self._given.most:
            await asyncio.gather(*self._coming)
            away = self._senders[self._given.last :]
            await asyncio.gather(*(self._stack.take_away(one) for one in away))
            await self._with_a_kill(phase_s)
        ended_ns = time.monotonic_ns()
        await asyncio.gather(*self._coming)
        return windows.Marks(begun_ns, ended_ns, self._kills_ns)

    def _one(self) -> Child:
        return self._choice.choice([one for one in self._senders if one not in self._killed])

    async def _with_a_kill(self, seconds: float) -> None:
        """Somewhere in the first half of a phase; it is started again a second later."""
        before_s = self._choice.uniform(0, seconds / 2)
        await asyncio.sleep(before_s)
        victim = self._one()
        self._kills_ns.append(time.monotonic_ns())
        await victim.kill()
        self._killed.append(victim)
        self._coming.append(asyncio.create_task(self._again(victim)))
        await asyncio.sleep(seconds - before_s)

    async def _again(self, killed: Child) -> None:
        await asyncio.sleep(BACK_S)
        await self._stack.restart_one(killed)

    async def _first_attempt(self) -> None:
        deadline = time.monotonic() + FIRST_S
        while b'"attempt"' not in self._stack.ses_log.read_bytes():
            if time.monotonic() > deadline:
                raise ChildFailed(f"nothing was sent within {FIRST_S:g} s")
            await asyncio.sleep(0.05)


@asynccontextmanager
async def started(
    given: argparse.Namespace, quota: float, *, enforced: bool
) -> AsyncIterator[Stack]:
    """A cloud whose SES publishes no events, and the first senders."""
    plan = Plan(
        name=given.name,
        rate=quota,
        daily=-1,
        seed=given.seed,
        services=("sender",),
        replicas={"sender": given.first},
        endpoints={},
        settings={"MAILPIPE_SENDER_CLOCK_BUDGET_S": f"{given.clock_budget:g}"},
    )
    async with Stack(plan) as stack:
        await asyncio.to_thread(_unsubscribe, stack.ses_url)
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            account = f"{stack.ses_url}/_control/account"
            async with session.put(account, json={"enforced": enforced}):
                yield stack


def _unsubscribe(ses_url: str) -> None:
    ses: Any = ses_client(ses_url)
    for name in ses.list_configuration_sets()["ConfigurationSets"]:
        found = ses.get_configuration_set_event_destinations(ConfigurationSetName=name)
        for one in found["EventDestinations"]:
            ses.delete_configuration_set_event_destination(
                ConfigurationSetName=name, EventDestinationName=one["Name"]
            )


async def judged(given: argparse.Namespace, quota: float, *, enforced: bool) -> dict[str, Any]:
    """The row of one run."""
    depth = round(2 * quota) + IN_HAND
    async with started(given, quota, enforced=enforced) as stack:
        backlog = Backlog(stack, {"transactional": depth, "bulk": depth})
        async with backlog.kept():
            marks = await Run(stack, given).play(backlog)
        died = stack.died()
        log = windows.read(read_log(stack.ses_log))
    row = windows.judge(log, marks, quota=quota)
    if died:
        row["faults"].append(died)
    if backlog.empty_share > MAX_EMPTY:
        row["faults"].append(f"a lane was empty at {backlog.empty_share:.1%} of the looks")
    return row | {
        "enforced": enforced,
        "senders": f"{given.first}-{given.most}-{given.last}",
        "seconds": round((marks.ended_ns - marks.begun_ns) / windows.SECOND_NS, 1),
    }


async def prove(given: argparse.Namespace) -> int:
    """Run, judge, print, write the proof."""
    console, runs, failed = Console(), list[dict[str, Any]](), False
    enforced = {"both": (False, True), "on": (True,), "off": (False,)}[given.enforced]
    for quota in given.quotas:
        for refuses in enforced:
            for tries in range(1, TRIES + 1):
                row = await judged(given, quota, enforced=refuses) | {"tries": tries}
                if row["invalid_share"] <= windows.MAX_INVALID:
                    break
                console.print(f"  again: {row['invalid_share']:.1%} invalid", markup=False)
            runs.append(row)
            at_least = given.use or AT_LEAST[quota >= FINE]
            faults = windows.short(row, at_least=at_least, back=given.use is None)
            failed = failed or bool(faults)
            console.print(f"{quota:g}/s, SES {'refuses' if refuses else 'takes all'}:")
            for name, value in row.items():
                console.print(f"  {name.replace('_', ' ')}: {value}", markup=False)
            for fault in faults:
                console.print(f"  not as it must be: {fault}", markup=False)
    path = proof.write(given.name, seed=given.seed, runs=runs, passed=not failed)
    print(f"{'FAILED' if failed else 'passed'}: {path.relative_to(ROOT)}")
    return 1 if failed else 0


def main() -> int:
    """The command."""
    return exit_code_of("prove-quota", prove(arguments(sys.argv[1:])))


if __name__ == "__main__":
    raise SystemExit(main())
