"""`make demo`: sends mails with every simulated outcome through both doors, waits until all has
come to its end, and judges the run from outside logs alone.

Exit code 0 only if nothing was lost, sent twice, misreported or left unverified.
"""

import argparse
import asyncio
import os
import random
import sys
import time
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from infra.local.children import ChildFailed
from infra.local.mails import Doors, mails, open_doors, send_paced
from infra.local.observe import spent
from infra.local.stack import ROOT, SERVICES, Plan, Stack
from loadtest import proof
from loadtest.checker import Verdict, figures, judge, read_log
from loadtest.processes import exit_code_of

ENDPOINTS = {
    "shop": [
        *("email.sent", "email.delivered", "email.bounced", "email.delayed", "email.rejected"),
        *("email.failed", "email.cancelled", "email.expired", "email.unknown"),
    ],
    "subscribers": ["email.bounced", "email.complained", "email.suppressed"],
}
"""A shop that follows its mails, and who keeps its list of subscribers: every type is wanted, and
bounces by both. 2.5 webhooks a mail.
"""

QUIET_S = 1.5
"""So long neither log may grow before the run is judged."""


def arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--emails", type=int, default=200)
    parser.add_argument("--rate", type=float, default=50.0, help="mails a second")
    parser.add_argument("--quota", type=float, default=0.0, help="SES's; 0 = four times the rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="demo", help="of build/<name>.json and its folder")
    given = parser.parse_args(argv)
    if given.emails < 20 or given.rate <= 0:
        parser.error("the demo needs EMAILS of at least 20 and a RATE above 0")
    return given


class Run:
    """One run: what was acknowledged, and where the outside logs are."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.acks = list[dict[str, Any]]()

    async def settle(self, *, at_least_s: float = QUIET_S) -> None:
        """Until neither the simulator's nor the receiver's log has grown for a while."""
        logs, size, since = (self.stack.ses_log, self.stack.receiver_log), -1, time.monotonic()
        while time.monotonic() - since < at_least_s:
            if died := self.stack.died():
                raise ChildFailed(died)
            await asyncio.sleep(0.1)
            now = sum(log.stat().st_size for log in logs if log.exists())
            if now != size:
                size, since = now, time.monotonic()

    async def judge(self, doors: Doors) -> tuple[Verdict, dict[str, Any]]:
        """The verdict, and the figures of the run."""
        known: dict[str, Any] = {
            "receiver": read_log(self.stack.receiver_log),
            "statuses": await doors.statuses(ack["emailId"] for ack in self.acks),
            "endpoints": ENDPOINTS,
        }
        simulator = read_log(self.stack.ses_log)
        return judge(self.acks, simulator, **known), figures(self.acks, simulator, **known)

    def bounced(self) -> list[str]:
        """Addresses that have bounced for good: nothing may go to them any more."""
        return [
            event["recipients"][0]
            for event in read_log(self.stack.ses_log)
            if event.get("kind") == "event" and event.get("bounceType") == "Permanent"
        ]


async def demo(given: argparse.Namespace) -> int:
    """Run, judge, print, write the proof."""
    plan = Plan(
        name=given.name,
        rate=given.quota or 4 * given.rate,
        seed=given.seed,
        endpoints=ENDPOINTS,
        settings={"MAILPIPE_DRAIN_S": "6"},
    )
    console = Console()
    console.print(f"demo: {given.emails} mails at {given.rate:g}/s, SES quota {plan.rate:g}/s")
    async with Stack(plan) as stack:
        os.environ.update(stack.aws_environment())
        run = Run(stack)
        async with open_doors(stack.ingest_url) as doors, aiohttp.ClientSession() as session:
            before = await spent(session, stack)
            emails_per_s = await _send(run, doors, given)
            after = await spent(session, stack)
            verdict, numbers = await _judge_in_the_end(run, doors)
    used = {name: after[name] - before[name] for name in SERVICES}
    cpu = {name: round(one.cpu_s * 1e6 / given.emails) for name, one in used.items()}
    numbers["cpu_us_per_email"] = {**cpu, "total": sum(cpu.values())}
    calls = {name: round(one.aws_calls / given.emails, 2) for name, one in used.items()}
    numbers["aws_calls_per_email"] = {**calls, "total": round(sum(calls.values()), 2)}
    numbers["memory_mb"] = {name: round(after[name].memory_mb) for name in SERVICES}
    numbers["emails_per_s"] = round(emails_per_s, 1)
    passed = verdict.ok and len(run.acks) == given.emails and verdict.terminal == given.emails
    path = proof.write(given.name, seed=given.seed, runs=[numbers], passed=passed)
    _show(console, numbers, verdict)
    console.print(f"{'passed' if passed else 'FAILED'}: {path.relative_to(ROOT)}")
    if not passed:
        console.print(f"logs: {stack.folder.relative_to(ROOT)}/")
    return 0 if passed else 1


async def _send(run: Run, doors: Doors, given: argparse.Namespace) -> float:
    """Send everything; mails a second, from the first mail to the last event.

    The last fiftieth goes, later and not counted in the rate, to addresses that have bounced
    before: it must end as suppressed.
    """
    again = max(2, given.emails // 50)
    first = mails(given.emails - again, given.seed)
    begun = time.time()
    run.acks += await send_paced(doors, first, rate=given.rate)
    await run.settle()
    ended = max(float(line["t"]) for line in read_log(run.stack.ses_log))
    choice = random.Random(given.seed)  # noqa: S311 - a reproducible choice is the point
    bounced = run.bounced()
    second = [dict(mail, to=[choice.choice(bounced)]) for mail in first[:again] if bounced]
    run.acks += await send_paced(doors, second, rate=given.rate)
    await run.settle()
    return len(first) / (ended - begun)


async def _judge_in_the_end(run: Run, doors: Doors) -> tuple[Verdict, dict[str, Any]]:
    """Judge; if something is missing, give it time to come (a retry may be on its way)."""
    deadline = time.monotonic() + 60
    verdict, numbers = await run.judge(doors)
    while not verdict.ok and time.monotonic() < deadline:
        await run.settle(at_least_s=5)
        verdict, numbers = await run.judge(doors)
    return verdict, numbers


def _show(console: Console, numbers: dict[str, Any], verdict: Verdict) -> None:
    table = Table(title="what happened, by outside logs", show_header=False)
    webhooks, latency = numbers["webhooks"], numbers["latency_ms"]
    rows = {
        "mails acknowledged, accepted by SES": f"{numbers['emails']}, {numbers['accepted']}",
        "ended, lost, sent twice": (
            f"{numbers['terminal']}, {numbers['lost']}, {numbers['duplicates']}"
        ),
        "by status": ", ".join(f"{name} {n}" for name, n in numbers["by_status"].items()),
        "webhooks expected, verified": f"{webhooks['expected']}, {webhooks['verified']}",
        **{
            f"{name.replace('_', ' ')}, p50 p95 p99": " ".join(
                f"{one[key]:.0f} ms" for key in ("p50", "p95", "p99")
            )
            for name, one in latency.items()
        },
        "CPU per mail": ", ".join(
            f"{name} {us} µs" for name, us in numbers["cpu_us_per_email"].items()
        ),
        "calls to AWS per mail": ", ".join(
            f"{name} {n:g}" for name, n in numbers["aws_calls_per_email"].items()
        ),
        "memory at the end": ", ".join(
            f"{name} {mb} MB" for name, mb in numbers["memory_mb"].items()
        ),
        "mails a second, first to last event": f"{numbers['emails_per_s']}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
    for fault in verdict.faults:
        console.print(f"  fault: {fault}", markup=False)


def main() -> int:
    """The command."""
    return exit_code_of("demo", demo(arguments(sys.argv[1:])))


if __name__ == "__main__":
    raise SystemExit(main())
