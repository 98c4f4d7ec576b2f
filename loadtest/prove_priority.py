"""`make prove-priority`: urgent mail beside a campaign, a small tenant beside a large one.

One sender over the local cloud; ingest, processors and notifiers are off, mail comes by the SDK.
The cases, one after the other: the small tenant `alone`; beside ten times as much of a large one,
together `below` the rate; `urgent` mail while a campaign is queued; and, the campaign still there,
the small tenant beside ten times as much, together `above` the rate.
"""

import argparse
import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.local.cloud import clients
from infra.local.stack import Plan, Stack
from loadtest import proof
from loadtest.checker import read_log
from loadtest.load import pointed_at
from loadtest.priority import Case, row, short
from loadtest.processes import ROOT, exit_code_of
from mailpipe import Email, Producer

SMALL, LARGE = "small", "large"
TIMES = 10
BELOW, ABOVE = 0.06, 0.2
"""Of the rate, the small tenant's mails: with ten times as many it is 0.66 and 2.2."""
LAST_S = 30.0
"""So long SES may take for the last mails of a case; then they are lost."""
LOOK_S = 0.2
NOBODY = {"ingest": 0, "processor": 0, "notifier": 0}


def arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaign", type=int, default=5000, help="bulk mails queued")
    parser.add_argument("--rate", type=float, default=50.0, help="SES's quota, recipients a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each case")
    parser.add_argument("--name", default="prove-priority", help="of build/<name>.json, and folder")
    return parser.parse_args(argv)


def mail(number: int) -> Email:
    """To a recipient of its own."""
    return Email(
        to=[f"success+{number}@simulator.amazonses.com"],
        from_="Proof <proof@example.com>",
        subject=f"Order {number} shipped",
        body_text="It is on its way.",
    )


class Tenants:
    """The producers of both tenants."""

    def __init__(self, small: Producer, large: Producer, *, seconds: float) -> None:
        self._producers = {SMALL: small, LARGE: large}
        self._seconds = seconds
        self._numbers = itertools.count()

    async def queue(self, count: int) -> frozenset[str]:
        """A campaign of the large tenant; the ids of its mails, all on the queue."""
        emails = [mail(next(self._numbers)) for _ in range(count)]
        many = self._producers[LARGE].send_many(emails, stream="bulk")
        return frozenset([str(fate.email_id) async for fate in many])

    async def flow(self, tenant: str, per_s: float) -> list[dict[str, Any]]:
        """Urgent mail at a steady pace; the acknowledgements."""
        clock = asyncio.get_running_loop().time
        begun_s, sending = clock(), list[asyncio.Task[dict[str, Any]]]()
        for index in range(round(self._seconds * per_s)):
            await asyncio.sleep(max(0.0, begun_s + index / per_s - clock()))
            sending.append(asyncio.create_task(self._send(tenant)))
        return await asyncio.gather(*sending)

    async def _send(self, tenant: str) -> dict[str, Any]:
        email_id = await self._producers[tenant].send(mail(next(self._numbers)))
        return {"emailId": email_id, "t": time.time()}


@asynccontextmanager
async def tenants_of(stack: Stack, *, seconds: float) -> AsyncIterator[Tenants]:
    """Both tenants, allowed to send."""
    dynamodb = clients(stack.cloud_url)("dynamodb")
    for name in (SMALL, LARGE):
        item = {"kind": {"S": "tenant"}, "id": {"S": name}, "enabled": {"BOOL": True}}
        await asyncio.to_thread(
            dynamodb.put_item, TableName=f"{stack.plan.prefix}Access", Item=item
        )
    with pointed_at(stack):
        async with Producer(tenant=SMALL) as small, Producer(tenant=LARGE) as large:
            yield Tenants(small, large, seconds=seconds)


async def cases(tenants: Tenants, given: argparse.Namespace) -> AsyncIterator[Case]:
    """The four, one after the other; each when all of its measured mail was accepted."""
    rate = given.rate
    yield Case("alone", await tenants.flow(SMALL, ABOVE * rate), frozenset(), rate)
    yield await both(tenants, "below", BELOW * rate, rate)
    campaign = await tenants.queue(given.campaign)
    yield Case("urgent", await tenants.flow(SMALL, ABOVE * rate), campaign, rate)
    yield await both(tenants, "above", ABOVE * rate, rate)


async def both(tenants: Tenants, name: str, per_s: float, rate: float) -> Case:
    """The small tenant beside ten times as much of the large one."""
    small, large = await asyncio.gather(
        tenants.flow(SMALL, per_s), tenants.flow(LARGE, TIMES * per_s)
    )
    return Case(name, small, frozenset(ack["emailId"] for ack in large), rate)


async def measured(given: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of a run."""
    plan = Plan(name=given.name, rate=given.rate, replicas=NOBODY, endpoints={})
    rows, alone = list[dict[str, Any]](), None
    async with Stack(plan) as stack, tenants_of(stack, seconds=given.seconds) as tenants:
        async for case in cases(tenants, given):
            await arrived(stack, case)
            found = row(case, read_log(stack.ses_log), alone=alone)
            alone = found["p95_ms"] if case.name == "alone" else alone
            rows.append(found)
    return rows


async def arrived(stack: Stack, case: Case) -> None:
    """Wait until SES has the mail that is measured, for a while."""
    for _ in range(round(LAST_S / LOOK_S)):
        if not row(case, read_log(stack.ses_log))["lost"]:
            return
        await asyncio.sleep(LOOK_S)


async def prove(given: argparse.Namespace) -> int:
    """Run, judge, print, write the proof."""
    console, rows = Console(), await measured(given)
    faults = [fault for found in rows for fault in short(found)]
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
