"""`make bench-transport`: CPU per call of both sides of `call(operation, struct) -> struct`.

Each operation goes through both sides in turn, in rounds, against a server in another process that
answers at once; the figure is the process's own CPU time, the median of the rounds. First, and not
measured, both sides must give the same answer.
"""

import argparse
import asyncio
import os
import statistics
import time
from typing import Any

import uvloop
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from loadtest import proof
from loadtest.processes import instant_server
from loadtest.transport.requests import CLAIM, HOT, OTHERS
from mailpipe.aws.client import Aws, Client, Side
from mailpipe.aws.table import Tables

SIDES: tuple[Side, ...] = ("botocore", "typed")
LEAST_RATIO = 4.5
MOST_US = {"SendMessageBatch(10)": 130.0, "SendEmail": 130.0, "UpdateItem": 130.0}
MOST_US_PER_UPDATE = 12.0
FULL_BATCH = 25

Clients = dict[Side, dict[str, Client]]


async def cpu_us(client: Client, operation: Any, request: Any, *, calls: int) -> float:
    """CPU of this process for one call."""
    begun = time.process_time_ns()
    for _ in range(calls):
        await client.call(operation, request)
    return (time.process_time_ns() - begun) / 1000 / calls


async def compare(clients: Clients, name: str, *, rounds: int, calls: int) -> dict[str, float]:
    """Both sides' medians and their ratio."""
    operation, request = {**HOT, **OTHERS}[name]
    service = operation.service
    answers = [await clients[side][service].call(operation, request) for side in SIDES]
    if answers[0] != answers[1]:
        raise AssertionError(f"{name}: the two sides answer differently")
    found: dict[Side, list[float]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side in SIDES:
            us = await cpu_us(clients[side][service], operation, request, calls=calls)
            found[side].append(us)
    botocore, typed = (statistics.median(found[side]) for side in SIDES)
    return {
        "botocore_us": round(botocore, 1),
        "typed_us": round(typed, 1),
        "ratio": round(botocore / typed, 1),
    }


async def group_commit_us(client: Client, *, rounds: int, calls: int) -> float:
    """CPU of one conditional update that shares its call with 24 others: from the statement of
    each caller to its fate.
    """
    found = []
    for _ in range(rounds):
        tables = Tables(client, "mailpipe-")
        begun = time.process_time_ns()
        for _ in range(max(1, calls // 5)):
            statements = [replace(CLAIM, key=(index,)) for index in range(FULL_BATCH)]
            await asyncio.gather(*map(tables.write, statements))
        spent = (time.process_time_ns() - begun) / 1000
        found.append(spent / max(1, calls // 5) / FULL_BATCH)
        await tables.close()
    return round(statistics.median(found), 1)


def short_of(operations: dict[str, dict[str, float]], per_update_us: float) -> list[str]:
    """What is missing, in sentences."""
    faults = [
        f"{name}: {operations[name]['ratio']} times cheaper than botocore, at least {LEAST_RATIO}"
        for name in HOT
        if operations[name]["ratio"] < LEAST_RATIO
    ]
    faults += [
        f"{name}: {operations[name]['typed_us']} us, at most {most}"
        for name, most in MOST_US.items()
        if operations[name]["typed_us"] > most
    ]
    if per_update_us > MOST_US_PER_UPDATE:
        faults.append(f"an update in a full batch: {per_update_us} us, most {MOST_US_PER_UPDATE}")
    return faults


async def bench(given: argparse.Namespace) -> int:
    """Measure, print, write the proof."""
    async with (
        instant_server("loadtest.transport.answers") as url,
        Aws("botocore") as botocore,
        Aws("typed") as typed,
    ):
        os.environ.update(
            AWS_ENDPOINT_URL=url,
            AWS_ACCESS_KEY_ID="bench",
            AWS_SECRET_ACCESS_KEY="bench",  # noqa: S106 - of no account
            AWS_DEFAULT_REGION="us-east-1",
        )
        os.environ.pop("AWS_ENDPOINT_URL_SESV2", None)
        clients: Clients = {
            side: {
                service: await aws.client(service, connections=4, timeout_s=10)
                for service in ("sqs", "dynamodb", "sesv2")
            }
            for side, aws in zip(SIDES, (botocore, typed), strict=True)
        }
        pace = {"rounds": given.rounds, "calls": given.calls}
        operations = {name: await compare(clients, name, **pace) for name in {**HOT, **OTHERS}}
        per_commit_us = await group_commit_us(clients["typed"]["dynamodb"], **pace)
    per_update_us = round(operations["BatchExecuteStatement(25)"]["typed_us"] / FULL_BATCH, 1)
    run = {
        "operations": operations,
        "update_in_full_batch_us": per_update_us,
        "update_in_group_commit_us": per_commit_us,
    }
    faults = short_of(operations, per_update_us)
    path = proof.write(given.name, seed=0, runs=[run], passed=not faults)
    show(run, faults)
    print(f"{'FAILED' if faults else 'passed'}: {path.relative_to(proof.ROOT)}")
    return 1 if faults else 0


def show(run: dict[str, Any], faults: list[str]) -> None:
    """A table for people."""
    table = Table("operation", "botocore, µs", "typed, µs", "ratio", title="CPU per call")
    for name, row in run["operations"].items():
        marked = name if name in HOT else f"[dim]{name}[/dim]"
        table.add_row(marked, *(f"{row[key]:g}" for key in ("botocore_us", "typed_us", "ratio")))
    console = Console()
    console.print(table)
    console.print(
        f"an update in a full PartiQL batch: {run['update_in_full_batch_us']} µs of transport, "
        f"{run['update_in_group_commit_us']} µs with the group commit around it"
    )
    for fault in faults:
        console.print(f"  short of: {fault}", markup=False)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--name", default="bench-transport", help="of build/<name>.json")
    parser.add_argument("--calls", type=int, default=200, help="per side, operation and round")
    return uvloop.run(bench(parser.parse_args()))


if __name__ == "__main__":
    raise SystemExit(main())
