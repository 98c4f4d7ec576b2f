"""`make run`: starts everything on this machine, sends sample mails, shows what happens."""

import argparse
import asyncio
import contextlib
import json
import os
import shlex
import signal
import sys
import time
from typing import Any

import aiohttp
from botocore.exceptions import BotoCoreError
from rich.console import Console
from rich.live import Live

from infra.local.children import ChildFailed
from infra.local.cloud import LOCAL_KEY
from infra.local.live import Look, line, screen
from infra.local.mails import mail_to, open_doors, send_paced
from infra.local.observe import Depths, Metrics, newest_events, scrape_all
from infra.local.stack import ROOT, SERVICES, Plan, Stack

SAMPLES = ("success", "bounce", "complaint", "ooto", "suppressionlist", "success")


def plan_from(argv: list[str]) -> Plan:
    """The ports that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("ingest", "cloud", "ses", "receiver", "admin"):
        parser.add_argument(f"--{name}-port", type=int, default=0, help="0 = a free port")
    parser.add_argument("--rate", type=float, default=14.0, help="SES's quota, recipients a second")
    given = parser.parse_args(argv)
    # localstack-client's own variable; with it nothing is started in its place.
    return Plan(name="run", cloud_host=os.environ.get("LOCALSTACK_HOST") or None, **vars(given))


async def run(plan: Plan) -> int:
    """Until Ctrl-C, or until something dies."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print("mailpipe: starting the local cloud, the SES simulator and the four services ...")
    stack = Stack(plan)
    failure = None
    try:
        await _unless(stop, stack.start())
        if not stop.is_set():
            os.environ.update(stack.aws_environment())
            (ROOT / "build" / "run.json").write_text(json.dumps(places(stack), indent=2) + "\n")
            (ROOT / "build" / "run.env").write_text(exports(stack.command_line_environment()))
            print(_welcome(stack))
            await _unless(stop, _samples(stack))
            failure = await _watch(stack, stop)
    except ChildFailed as error:
        failure = str(error)
    finally:
        await _end(stack)
    if failure:
        print(f"mailpipe: {failure}", file=sys.stderr)
    return 1 if failure else 0


async def _end(stack: Stack) -> None:
    """Drain and end everything, whatever has happened; a terminal that is gone stops nothing."""
    begun = time.monotonic()
    with contextlib.suppress(OSError):
        print("\nmailpipe: stopping (draining what is in hand) ...")
    codes = await stack.stop()
    bad = [f"{name} exit code {code}" for name, code in codes.items() if code and name in SERVICES]
    with contextlib.suppress(OSError):
        print(f"mailpipe: everything has ended after {time.monotonic() - begun:.1f} s.", *bad)


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


def exports(environment: dict[str, str]) -> str:
    """The environment as a shell reads it."""
    lines = (f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
    return "".join(lines)


def _welcome(stack: Stack) -> str:
    where = places(stack)
    metrics = "  ".join(f"{name} {url}/metrics" for name, url in where["admin"].items())
    return f"""
  REST API    {where["ingest"]}     API key: {LOCAL_KEY}     its pages: {where["ingest"]}/docs
  SES         {where["ses"]}     inbox of the mails that were sent: {where["ses"]}/inbox
  AWS         {where["cloud"]}     SQS, SNS, DynamoDB, S3, Secrets Manager
  receiver    {where["receiver"]}     verifies the webhooks of the endpoint "sample"
  metrics     {metrics}
  logs        {where["logs"]}/*.log; what runs where: build/run.json
  terminal    . build/run.env; .venv/bin/python -m mailpipe --help

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
    print("\nCtrl-C ends everything.")


async def _watch(stack: Stack, stop: asyncio.Event) -> str | None:
    """Show what happens until asked to stop; a sentence when a child has died."""
    console = Console()
    depths = await asyncio.to_thread(Depths, stack)
    before, at_s = Metrics(), time.monotonic()
    async with aiohttp.ClientSession() as session:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 1.0)
                    return None
                if died := stack.died():
                    return died
                try:
                    now = await scrape_all(session, stack)
                    waiting = await asyncio.to_thread(depths.read)
                    events = await asyncio.to_thread(newest_events, stack.ses_log)
                except (aiohttp.ClientError, BotoCoreError, OSError):
                    continue  # a child is just dying: the next look says which
                look = Look(waiting, now, before, time.monotonic() - at_s, events)
                before, at_s = now, time.monotonic()
                if console.is_terminal:
                    live.update(screen(look), refresh=True)
                else:
                    print(line(look))
    return None


if __name__ == "__main__":
    raise SystemExit(asyncio.run(run(plan_from(sys.argv[1:]))))
