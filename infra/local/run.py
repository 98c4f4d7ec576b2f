"""`make run`: starts everything on this machine, sends sample mails, shows what happens."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from typing import Any

import aiohttp

from infra.local.children import ChildFailed
from infra.local.cloud import LOCAL_KEY
from infra.local.mails import mail_to, open_doors, send_paced
from infra.local.observe import QUEUES, Depths, Metrics, scrape_all
from infra.local.stack import ROOT, SERVICES, Plan, Stack
from mailpipe import resources

SAMPLES = ("success", "bounce", "complaint", "ooto", "suppressionlist", "success")


def plan_from(argv: list[str]) -> Plan:
    """The ports that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("ingest", "cloud", "ses", "receiver", "admin"):
        parser.add_argument(f"--{name}-port", type=int, default=0, help="0 = a free port")
    parser.add_argument("--rate", type=float, default=14.0, help="SES's quota, recipients a second")
    given = parser.parse_args(argv)
    return Plan(name="run", **vars(given))


async def run(plan: Plan) -> int:
    """Until Ctrl-C, or until something dies."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print("mailpipe: starting the local cloud, the SES simulator and the four services ...")
    stack = Stack(plan)
    failure = None
    try:
        await _unless(stop, stack.start())
        if not stop.is_set():
            os.environ.update(stack.aws_environment())
            (ROOT / "build" / "run.json").write_text(json.dumps(places(stack), indent=2) + "\n")
            print(_welcome(stack))
            await _unless(stop, _samples(stack))
            failure = await _watch(stack, stop)
    except ChildFailed as error:
        failure = str(error)
    begun = time.monotonic()
    print("\nmailpipe: stopping (draining what is in hand) ...")
    codes = await stack.stop()
    bad = [f"{name} exit code {code}" for name, code in codes.items() if code and name in SERVICES]
    print(f"mailpipe: everything has ended after {time.monotonic() - begun:.1f} s.", *bad)
    if failure:
        print(f"mailpipe: {failure}", file=sys.stderr)
    return 1 if failure else 0


async def _unless(stop: asyncio.Event, work: Any) -> None:
    """Do the work, but give it up when asked to stop."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        return
    working.result()


def places(stack: Stack) -> dict[str, Any]:
    """What runs where, as it is written to build/run.json."""
    return {
        "ingest": stack.ingest_url,
        "cloud": stack.cloud_url,
        "ses": stack.ses_url,
        "receiver": stack.receiver_url,
        "apiKey": LOCAL_KEY,
        "admin": {
            name: f"http://127.0.0.1:{stack.services[name][0].admin_port}" for name in SERVICES
        },
        "logs": str(stack.folder.relative_to(ROOT)),
    }


def _welcome(stack: Stack) -> str:
    where = places(stack)
    metrics = "  ".join(f"{name} {url}/metrics" for name, url in where["admin"].items())
    return f"""
  REST API    {where["ingest"]}     API key: {LOCAL_KEY}
  SES         {where["ses"]}     inbox of the mails that were sent: {where["ses"]}/inbox
  AWS         {where["cloud"]}     SQS, SNS and DynamoDB (ministack)
  receiver    {where["receiver"]}     verifies the webhooks of the endpoint "sample"
  metrics     {metrics}
  logs        {where["logs"]}/*.log; what runs where: build/run.json

  Try it:     curl -s {where["ingest"]}/send-email -H 'X-API-Key: {LOCAL_KEY}' \\
                -H 'Content-Type: application/json' -d '{{"to": ["success@simulator.amazonses.com"],
                "from": "you@example.com", "subject": "Hello", "bodyText": "It works."}}'
"""


async def _samples(stack: Stack) -> None:
    batch = [mail_to(f"{local}+sample{i}", i) for i, local in enumerate(SAMPLES)]
    async with open_doors(stack.ingest_url) as doors:
        acks = await send_paced(doors, batch, rate=20)
    for ack in acks:
        where = f"{stack.ingest_url}/status/{ack['emailId']}"
        print(f"  sent by {ack['door']:<4} to {ack['recipients'][0]:<48} {where}")
    print("\nOne line a second; Ctrl-C ends everything.")


async def _watch(stack: Stack, stop: asyncio.Event) -> str | None:
    """Print a line a second until asked to stop; a sentence when a child has died."""
    depths = await asyncio.to_thread(Depths, stack)
    before = Metrics()
    async with aiohttp.ClientSession() as session:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1.0)
                return None
            if died := stack.died():
                return died
            try:
                now = await scrape_all(session, stack)
                waiting = await asyncio.to_thread(depths.read)
            except (aiohttp.ClientError, OSError):
                continue  # a child is just dying: the next look says which
            print(line(waiting, now, before))
            before = now
    return None


def line(waiting: dict[str, int], now: Metrics, before: Metrics) -> str:
    """Depths, rate against quota, statuses, latency."""

    def since(name: str, *labels: str) -> float:
        return now.total(name, *labels) - before.total(name, *labels)

    def mean_ms(name: str) -> str:
        count = now.total(f"{name}_count")
        return f"{now.total(f'{name}_sum') / count * 1000:.0f} ms" if count else "-"

    queues = " ".join(f"{name} {waiting[name]}" for name in QUEUES)
    dead = sum(waiting[resources.dead(name)] for name in QUEUES)
    statuses = " ".join(
        f"{kind} {now.total('mailpipe_events_total', kind):.0f}"
        for kind in ("sent", "delivery", "bounce", "complaint", "suppressed")
    )
    return (
        f"{time.strftime('%H:%M:%S')} | {queues} dead {dead} "
        f"| SES {since('mailpipe_sends_total', 'accepted'):.0f}/s of "
        f"{now.total('mailpipe_quota_rate'):.0f} "
        f"| {statuses} webhooks {now.total('mailpipe_webhooks_total', 'delivered'):.0f} "
        f"| accept to SES {mean_ms('mailpipe_accept_to_send_seconds')}, "
        f"event to status {mean_ms('mailpipe_event_lag_seconds')}"
    )


if __name__ == "__main__":
    raise SystemExit(asyncio.run(run(plan_from(sys.argv[1:]))))
