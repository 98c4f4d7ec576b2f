"""`make bench-ingest`: CPU of the two doors per mail; latency of the REST door at half load, and
its memory while 100 MB of uploads are in flight.

The door is the real process, between a generator and an AWS that answers at once, each in a process
of its own. Of its rounds those count in which other users of the machine disturbed it the least
(`loadtest/neighbours.py`); the SDK is measured in one more process, whoever works beside it.
"""

import argparse
import asyncio
import functools
import itertools
import json
import statistics
import sys
import time
from typing import Any, NamedTuple

import aiohttp
import uvloop
from rich.console import Console
from rich.table import Table

from infra.local.children import Child, environment
from infra.local.observe import scrape
from loadtest import neighbours, proof
from loadtest.neighbours import Neighbours
from loadtest.posting import post_all, request
from loadtest.processes import instant_server
from loadtest.uploads import UPLOADS, Memory, upload, wave

MOST = {"single_us": 240.0, "batch_us_per_mail": 40.0, "sdk_us_per_mail": 60.0, "p99_ms": 50.0}
CONNECTIONS = 32
BATCH = 100
PATIENCE = 6
"""So many times the rounds may be taken until enough of them were undisturbed."""
MORE_IN_BATCHES = 4
"""Times the mails of a round of single requests: long enough for the probe, and so many recipients
that none is known from the round before."""
WAVES, MOST_MB = 8, 600
"""Waves of uploads; the most that the process may ever hold."""
FLAT, SPIKE = 1.1, 1.25
"""So much more than in the first half of the waves it may hold in the second, by their medians; so
much more than by the median of all in any."""
KEYS = 64
"""Each may send 1,000 a second: one would be too few."""


def mail(number: int) -> dict[str, Any]:
    """A mail of 1.2 KB as JSON, to a recipient of its own."""
    return {
        "to": [f"customer-{number}@shop-{number % 50}.example"],
        "from": "Shop <noreply@example.com>",
        "subject": f"Your order {number} is on its way",
        "bodyText": "It will be with you by tomorrow evening. " * 12,
        "bodyHtml": "<p>It will be with you by tomorrow evening.</p>" * 8,
        "metadata": {"order": str(number), "customer": number},
        "tags": {"campaign": "orders"},
    }


def posts(path: str, bodies: list[dict[str, Any]], keys: "itertools.cycle[str]") -> list[bytes]:
    """Requests with these bodies."""
    return [request(path, json.dumps(body).encode(), X_API_Key=next(keys)) for body in bodies]


class Round(NamedTuple):
    """What a round of requests has shown."""

    us_each: float
    """CPU of a request."""
    per_s: float
    """Requests that were answered."""


class Door:
    """The process, and what it has used."""

    def __init__(self, child: Child, session: aiohttp.ClientSession) -> None:
        self.port = child.port
        self._child = child
        self._session = session

    async def cpu_us(self) -> float:
        """CPU time since its start."""
        found = await scrape(self._session, self._child)
        return found.total("mailpipe_process_time_seconds") * 1e6

    async def memory_mb(self, uploads: list[bytes]) -> int:
        """The most memory that it holds while all of these are in flight, and until all are
        answered.
        """
        memory = Memory(self._child.pid)
        memory.forget()
        await wave(self.port, uploads)
        return memory.most_mb()

    async def round(self, requests: list[bytes]) -> Round:
        """All of them once."""
        before, begun = await self.cpu_us(), time.perf_counter()
        await post_all(self.port, requests, connections=CONNECTIONS)
        took_s = time.perf_counter() - begun
        return Round((await self.cpu_us() - before) / len(requests), len(requests) / took_s)


async def sdk_us(url: str, beside: Neighbours, *, mails: int, rounds: int) -> float:
    """CPU per mail of a producer in a process of its own."""
    child = await asyncio.create_subprocess_exec(
        *beside.command(sys.executable, "-m", "loadtest.transport.sdk", str(mails), str(rounds)),
        env=aws_of(url),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await child.communicate()
    if child.returncode:
        raise RuntimeError(f"the producer ended with exit code {child.returncode}")
    return float(said)


def aws_of(url: str) -> dict[str, str]:
    """What points a process of ours at this AWS."""
    return environment(
        AWS_ENDPOINT_URL=url,
        AWS_ACCESS_KEY_ID="bench",
        AWS_SECRET_ACCESS_KEY="bench",  # noqa: S106 - of no account
        AWS_DEFAULT_REGION="us-east-1",
        MAILPIPE_LOCAL="1",
        MAILPIPE_BODIES_BUCKET="bodies",
        MAILPIPE_ADDRESS_HASH_KEY="b" * 32,
        MAILPIPE_ADMIN_PORT="0",
        MAILPIPE_INGEST_PORT="0",
    )


async def measure(given: argparse.Namespace) -> dict[str, Any]:
    """The figures of one run."""
    log = proof.ROOT / "build" / given.name / "ingest.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    async with (
        Neighbours() as beside,
        instant_server("loadtest.transport.doors") as url,
        aiohttp.ClientSession() as session,
    ):
        argv = beside.command(sys.executable, "-m", "ingest")
        child = Child("ingest", argv, environment=aws_of(url), log=log)
        await child.start()
        try:
            run = await _of_rest(Door(child, session), given, beside)
        finally:
            await child.stop(timeout_s=10)
        run["sdk_us_per_mail"] = await sdk_us(url, beside, mails=given.mails, rounds=given.rounds)
        return {**run, "neighbours": beside.seen()}


async def _of_rest(door: Door, given: argparse.Namespace, beside: Neighbours) -> dict[str, Any]:
    keys = itertools.cycle([f"mp_bench_{number}" for number in range(KEYS)])
    single = posts("/send-email", [mail(number) for number in range(given.mails)], keys)
    batches = [
        {"emails": [mail(number * BATCH + index) for index in range(BATCH)]}
        for number in range(max(2, MORE_IN_BATCHES * given.mails // BATCH))
    ]
    await post_all(door.port, single[: len(single) // 4], connections=CONNECTIONS)
    batch = posts("/send-emails", batches, keys)
    singles, of_batches = list[Round](), list[Round]()
    for requests, found in ((single, singles), (batch, of_batches)):
        found += await beside.while_undisturbed(
            functools.partial(door.round, requests),
            wanted=given.rounds,
            at_most=PATIENCE * given.rounds,
        )
    half = statistics.median(one.per_s for one in singles) / 2
    took = await post_all(door.port, single, connections=CONNECTIONS, rate=half)
    single_us = statistics.median(one.us_each for one in singles)
    batch_us = statistics.median(one.us_each for one in of_batches) / BATCH
    uploads = [upload(mail(number), next(keys), seed=number) for number in range(given.uploads)]
    return {
        "single_us": round(single_us, 1),
        "batch_us_per_mail": round(batch_us, 1),
        "p99_ms": round(statistics.quantiles(took, n=100)[98] * 1000, 1),
        "half_load_per_s": round(half),
        "uploads_mb": round(sum(map(len, uploads)) / 1e6),
        "rss_mb": [await door.memory_mb(uploads) for _ in range(WAVES)],
    }


def short_of(run: dict[str, Any]) -> list[str]:
    """What is missing, in sentences."""
    faults = [
        f"{name}: {run[name]}, at most {most}" for name, most in MOST.items() if run[name] > most
    ]
    half = len(run["rss_mb"]) // 2
    first, second = run["rss_mb"][:half], run["rss_mb"][half:]
    if statistics.median(second) > statistics.median(first) * FLAT:
        faults.append(f"rss_mb: {run['rss_mb']}, it must not grow from wave to wave")
    if max(run["rss_mb"]) > statistics.median(run["rss_mb"]) * SPIKE:
        faults.append(f"rss_mb: {run['rss_mb']}, one wave must take no more than another")
    if max(run["rss_mb"]) > MOST_MB:
        faults.append(f"rss_mb: {run['rss_mb']}, at most {MOST_MB}")
    return faults


async def bench(given: argparse.Namespace) -> int:
    """Measure, print, write the proof."""
    run = await measure(given)
    faults = short_of(run)
    path = proof.write(given.name, seed=0, runs=[run], passed=not faults)
    table = Table("figure", "found", "at most", title="the two doors")
    for name, value in run.items():
        if name == "neighbours":
            continue
        table.add_row(name, str(value), f"{MOST[name]:g}" if name in MOST else "")
    console = Console()
    console.print(table)
    console.print(f"  {neighbours.told(run['neighbours'])}")
    for fault in faults:
        console.print(f"  short of: {fault}", markup=False)
    print(f"{'FAILED' if faults else 'passed'}: {path.relative_to(proof.ROOT)}")
    return 1 if faults else 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=3000, help="a round")
    parser.add_argument("--rounds", type=int, default=15, help="undisturbed, of each kind")
    parser.add_argument("--uploads", type=int, default=UPLOADS, help="in flight at a time")
    parser.add_argument("--name", default="bench-ingest", help="of build/<name>.json")
    return uvloop.run(bench(parser.parse_args()))


if __name__ == "__main__":
    raise SystemExit(main())
