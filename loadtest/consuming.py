"""What the benches of the consumers share: a real service before servers that answer at once, its
CPU for each of what it handles, and its memory, by its own word.
"""

import argparse
import asyncio
import statistics
import sys
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import aiohttp

from infra.local.children import Child, environment
from infra.local.observe import Metrics, scrape
from loadtest import proof
from loadtest.uploads import Memory
from loadtest.yardstick import yardstick_us

WAITING = 5_000
"""Messages that a bench keeps in the queue: it never runs empty."""
CPU = "mailpipe_process_time_seconds"


def parser(name: str, about: str | None) -> argparse.ArgumentParser:
    """The command line of a bench."""
    made = argparse.ArgumentParser(description=about)
    made.add_argument("--rounds", type=int, default=3, help="of which the median counts")
    made.add_argument("--seconds", type=float, default=4.0, help="of a round")
    made.add_argument("--warm-up", type=float, default=2.0, help="seconds before the first")
    made.add_argument("--name", default=name, help="of build/<name>.json")
    return made


class Round(NamedTuple):
    """A process: CPU for each in microseconds, how many a second, the most memory it held."""

    us: float
    per_s: float
    rss_mb: int


async def one_round(
    service: str,
    url: str,
    given: argparse.Namespace,
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
    child = Child(service, [sys.executable, "-m", service], environment=aws, log=path)
    async with aiohttp.ClientSession() as session:
        await child.start()
        try:
            await asyncio.sleep(given.warm_up)
            before = await scrape(session, child)
            await asyncio.sleep(given.seconds)
            after = await scrape(session, child)
            rss_mb = Memory(child.pid).most_mb()
        finally:
            await child.stop(timeout_s=40)
    count = handled(after) - handled(before)
    if not count:
        raise RuntimeError(f"the {service} handled nothing in {given.seconds:g} s: see {path}")
    spent_s = after.total(CPU) - before.total(CPU)
    return Round(spent_s * 1e6 / count, count / given.seconds, rss_mb)


async def measured(
    given: argparse.Namespace, one: Callable[[], Awaitable[Round]]
) -> dict[str, Any]:
    """Several rounds, each after a look at what the machine does now."""
    rounds, yardsticks = list[Round](), list[float]()
    for _ in range(given.rounds):
        yardsticks.append(await yardstick_us())
        rounds.append(await one())
    return {
        "us_each": round(statistics.median(one.us for one in rounds), 1),
        "per_s": round(statistics.median(one.per_s for one in rounds)),
        "rss_mb": max(one.rss_mb for one in rounds),
        "rounds_us": [round(one.us, 1) for one in rounds],
        "yardstick_us": statistics.median(yardsticks),
    }


def told(name: str, run: dict[str, Any], *, each: str, most_us: float) -> int:
    """Print, write the proof; the exit code."""
    passed = run["us_each"] <= most_us
    path = proof.write(name, seed=0, runs=[run], passed=passed)
    print(f"  CPU of {each}: {run['us_each']} us, at most {most_us:g} (rounds {run['rounds_us']})")
    print(f"  {run['per_s']} a second, {run['rss_mb']} MB; yardstick: {run['yardstick_us']} us")
    print(f"{'passed' if passed else 'FAILED'}: {path.relative_to(proof.ROOT)}")
    return 0 if passed else 1
