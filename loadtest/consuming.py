"""What the benches of the consumers share: a real service before servers that answer at once, its
CPU for each of what it handles, by its own word, and its memory. The stretches count in which other
users of the machine disturbed it the least: see `loadtest/neighbours.py`.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import aiohttp

from infra.local.children import Child, environment
from infra.local.observe import Metrics, scrape
from loadtest import neighbours, proof
from loadtest.neighbours import Neighbours
from loadtest.uploads import Memory

WAITING = 5_000
"""Messages that a bench keeps in the queue: it never runs empty."""
CPU = "mailpipe_process_time_seconds"
STRETCH_S = 0.5
"""Neighbours come and go within seconds."""
BEGINS_WITHIN_S = 20
PATIENCE = 6
"""So many times the seconds of a round may pass until enough of them were undisturbed."""


def parser(name: str, about: str | None) -> argparse.ArgumentParser:
    """The command line of a bench."""
    made = argparse.ArgumentParser(description=about)
    made.add_argument("--rounds", type=int, default=3, help="of which the median counts")
    made.add_argument("--seconds", type=float, default=4.0, help="undisturbed, of a round")
    made.add_argument("--warm-up", type=float, default=2.0, help="seconds before the first")
    made.add_argument("--name", default=name, help="of build/<name>.json")
    return made


class Stretch(NamedTuple):
    """CPU in some moments, how much was handled in them, and how long they took."""

    cpu_s: float
    handled: float
    took_s: float


class Round(NamedTuple):
    """A process: CPU for each in microseconds, how many a second, the most memory it held."""

    us: float
    per_s: float
    rss_mb: int


async def one_round(
    service: str,
    url: str,
    given: argparse.Namespace,
    beside: Neighbours,
    *,
    handled: Callable[[Metrics], float],
    log: str,
    **more: str,
) -> Round:
    """A process of its own against the AWS at this URL; everything else is as it is by default, or
    as `more` says. `handled` counts by its metrics.
    """
    path = proof.ROOT / "build" / given.name / f"{log}.log"
    aws = environment(
        AWS_ENDPOINT_URL=url,
        AWS_ENDPOINT_URL_SESV2=url,
        AWS_ACCESS_KEY_ID="bench",
        AWS_SECRET_ACCESS_KEY="bench",  # noqa: S106 - of no account
        AWS_DEFAULT_REGION="us-east-1",
        MAILPIPE_BODIES_BUCKET="bodies",
        MAILPIPE_ADDRESS_HASH_KEY="b" * 32,
        MAILPIPE_ADMIN_PORT="0",
        **more,
    )
    argv = beside.command(sys.executable, "-m", service)
    child = Child(service, argv, environment=aws, log=path)
    async with aiohttp.ClientSession() as session:
        await child.start()
        try:
            await _begun(session, child, handled)
            await asyncio.sleep(given.warm_up)
            found = await _steady(session, child, given, beside, handled)
            rss_mb = Memory(child.pid).most_mb()
        finally:
            await child.stop(timeout_s=40)
    count, took_s = sum(one.handled for one in found), sum(one.took_s for one in found)
    if not count:
        raise RuntimeError(f"the {service} handled nothing in {took_s:.1f} s: see {path}")
    cpu_s = sum(one.cpu_s for one in found)
    return Round(cpu_s * 1e6 / count, count / took_s, rss_mb)


async def _begun(
    session: aiohttp.ClientSession, child: Child, handled: Callable[[Metrics], float]
) -> None:
    """Until it has handled something, or has had time enough for that."""
    for _ in range(BEGINS_WITHIN_S * 10):
        if handled(await scrape(session, child)):
            return
        await asyncio.sleep(0.1)


async def _steady(
    session: aiohttp.ClientSession,
    child: Child,
    given: argparse.Namespace,
    beside: Neighbours,
    handled: Callable[[Metrics], float],
) -> list[Stretch]:
    """The stretches that count."""
    seen = (time.monotonic(), await scrape(session, child))

    async def stretch() -> Stretch:
        nonlocal seen
        begun, before = seen
        await asyncio.sleep(STRETCH_S)
        now, after = seen = (time.monotonic(), await scrape(session, child))
        cpu_s = after.total(CPU) - before.total(CPU)
        return Stretch(cpu_s, handled(after) - handled(before), now - begun)

    wanted = max(1, round(given.seconds / STRETCH_S))
    return await beside.while_undisturbed(stretch, wanted=wanted, at_most=PATIENCE * wanted)


async def measured(
    given: argparse.Namespace, one: Callable[[Neighbours], Awaitable[Round]]
) -> dict[str, Any]:
    """Several rounds beside the same probe."""
    async with Neighbours() as beside:
        rounds = [await one(beside) for _ in range(given.rounds)]
    return {
        "us_each": round(statistics.median(one.us for one in rounds), 1),
        "per_s": round(statistics.median(one.per_s for one in rounds)),
        "rss_mb": max(one.rss_mb for one in rounds),
        "rounds_us": [round(one.us, 1) for one in rounds],
        "neighbours": beside.seen(),
    }


def told(name: str, run: dict[str, Any], *, each: str, most_us: float) -> int:
    """Print, write the proof; the exit code."""
    passed = run["us_each"] <= most_us
    path = proof.write(name, seed=0, runs=[run], passed=passed)
    print(f"  CPU of {each}: {run['us_each']} us, at most {most_us:g} (rounds {run['rounds_us']})")
    print(f"  {run['per_s']} a second, {run['rss_mb']} MB; {neighbours.told(run['neighbours'])}")
    print(f"{'passed' if passed else 'FAILED'}: {path.relative_to(proof.ROOT)}")
    return 0 if passed else 1
