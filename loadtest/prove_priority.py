"""`make prove-priority`: urgent mail beside a campaign, a small tenant beside a large one.

One sender over the local cloud; ingest, processors and notifiers are off, mail comes by the SDK.
The cases, one after the other on one stack: the small tenant `alone`; beside ten times as much of a
large one, together `below` the rate; `urgent` mail while a campaign is queued; and, the campaign
still there, the small tenant beside ten times as much, together `above` the rate.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.local.stack import Plan, Stack
from infra.local.tenants import Tenant, open_tenants
from loadtest import proof
from loadtest.checker import read_log
from loadtest.load import pointed_at
from loadtest.priority import Case, accepted_s, row, short
from loadtest.processes import ROOT, exit_code_of

TIMES = 10
BELOW, ABOVE = 0.06, 0.2
"""Of the rate, the small tenant's mails: with ten times as many it is 0.66 and 2.2."""
LAST_S = 30.0
"""So long SES may take for the last mails of a case; then they are lost."""
LOOK_S = 0.2
CAMPAIGN_FLOWS = 10
"""Urgent mail is sent beside it from when so many of it are through."""
NOBODY = {"ingest": 0, "processor": 0, "notifier": 0}


def arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaign", type=int, default=5000, help="bulk mails queued")
    parser.add_argument("--rate", type=float, default=50.0, help="SES's quota, recipients a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each case")
    parser.add_argument("--slack", type=float, default=1.0, help="so many times as late is allowed")
    parser.add_argument("--name", default="prove-priority", help="of build/<name>.json, and folder")
    return parser.parse_args(argv)


async def flow(tenant: Tenant, per_s: float, *, seconds: float) -> list[dict[str, Any]]:
    """Urgent mail at a steady pace; the acknowledgements."""
    clock = asyncio.get_running_loop().time
    begun_s, sending = clock(), list[asyncio.Task[dict[str, Any]]]()
    for index in range(round(seconds * per_s)):
        await asyncio.sleep(max(0.0, begun_s + index / per_s - clock()))
        sending.append(asyncio.create_task(tenant.send()))
    return await asyncio.gather(*sending)


async def cases(
    stack: Stack, small: Tenant, large: Tenant, given: argparse.Namespace
) -> AsyncIterator[Case]:
    """The four, one after the other."""
    rate, seconds = given.rate, given.seconds

    async def beside(name: str, per_s: float) -> Case:
        acks, others = await asyncio.gather(
            flow(small, per_s, seconds=seconds), flow(large, TIMES * per_s, seconds=seconds)
        )
        ids = frozenset(ack["emailId"] for ack in others)
        return Case(name, acks, ids, rate, TIMES * per_s)

    yield Case("alone", await flow(small, ABOVE * rate, seconds=seconds), frozenset(), rate)
    yield await beside("below", BELOW * rate)
    campaign = await large.queue(given.campaign)
    await seen(stack, lambda accepted: len(campaign & accepted) >= CAMPAIGN_FLOWS)
    yield Case("urgent", await flow(small, ABOVE * rate, seconds=seconds), campaign, rate)
    yield await beside("above", ABOVE * rate)


@asynccontextmanager
async def running(given: argparse.Namespace) -> AsyncIterator[tuple[Stack, Tenant, Tenant]]:
    """The sender, the small tenant and the large one."""
    plan = Plan(name=given.name, rate=given.rate, replicas=NOBODY, endpoints={})
    async with Stack(plan) as stack:
        with pointed_at(stack):
            async with open_tenants(stack.cloud_url, plan.prefix, "small", "large") as both:
                yield stack, both[0], both[1]


async def measured(given: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of a run."""
    rows, alone = list[dict[str, Any]](), None
    async with running(given) as (stack, small, large):
        async for case in cases(stack, small, large, given):
            await seen(stack, {ack["emailId"] for ack in case.measured}.issubset)
            found = row(case, read_log(stack.ses_log), alone=alone)
            alone = found["p95_ms"] if case.name == "alone" else alone
            rows.append(found)
    return rows


async def seen(stack: Stack, enough: Callable[[set[str]], bool]) -> None:
    """Wait, for a while, until this is true of the ids that SES has accepted."""
    for _ in range(round(LAST_S / LOOK_S)):
        if enough(set(accepted_s(read_log(stack.ses_log)))):
            return
        await asyncio.sleep(LOOK_S)


async def prove(given: argparse.Namespace) -> int:
    """Run, judge, print, write the proof."""
    console, rows = Console(), await measured(given)
    faults = [fault for found in rows for fault in short(found, slack=given.slack)]
    table = Table("case", "p95 ms", "alone", "mails", "lost", "beside/s", "beside still waiting")
    names = ("case", "p95_ms", "alone_p95_ms", "mails", "lost", "beside_per_s")
    for found in rows:
        table.add_row(*(str(found[one]) for one in (*names, "beside_still_waiting")))
    console.print(table)
    for fault in faults:
        console.print(f"  not as it must be: {fault}", markup=False)
    path = proof.write(given.name, seed=0, runs=rows, passed=not faults)
    print(f"{'FAILED' if faults else 'passed'}: {path.relative_to(ROOT)}")
    return 1 if faults else 0


def main() -> int:
    """The command."""
    return exit_code_of("prove-priority", prove(arguments(sys.argv[1:])))


if __name__ == "__main__":
    raise SystemExit(main())
