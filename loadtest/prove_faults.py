"""`make prove-faults`: what the senders rely on fails for a while, under load, with two senders.

An identity is revoked, the configuration set is gone, the account is paused, the day's quota is
used up, the limiter's item is deleted, DynamoDB throttles a fifth of its calls. Mail goes from two
domains, so that something flows beside what stops. Each fault is judged by itself when all of its
mail was accepted; nobody helps.
"""

import argparse
import asyncio
import math
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple

import aiohttp
from rich.console import Console
from rich.table import Table

from infra.local.cloud import clients, ses_client
from infra.local.mails import Doors
from infra.local.observe import Metrics, scrape
from infra.local.stack import Plan, Stack
from loadtest import proof
from loadtest.checker import read_log
from loadtest.faults import ALL, NONE, Fault, row, short
from loadtest.load import Load, doors_of
from loadtest.processes import ROOT, exit_code_of

STOPPED, BESIDE = "example.com", "example.org"
QUOTAS = 8
SENDERS = 2
DAILY = 1_000_000
PROBE_S = 60
LOOK_S = 0.2
UNDER_WAY = 20
"""So many sends may be under way, in both senders, until they understand an answer."""
NO_EVENT_YET = {"pending", "sending", "sent"}
PAUSES = "mailpipe_quota_pauses_total"


class Case(NamedTuple):
    """A fault: which mail it stops, for which share of `--seconds`, which metric names it (with
    label values), where it is made, and there by what it is set and lifted.
    """

    name: str
    stops: str
    share: float
    named: tuple[str, ...]
    where: Literal["ses", "slots", "stores"] = "ses"
    wrong: dict[str, Any] = {}
    right: dict[str, Any] = {}


CASES = [
    Case(
        *("identity revoked", STOPPED, 1.0, (PAUSES, "identity_not_verified")),
        wrong={"revokedIdentities": [STOPPED]},
        right={"revokedIdentities": []},
    ),
    Case(
        *("configuration set removed", ALL, 0.5, (PAUSES, "set_missing")),
        wrong={"missingConfigurationSets": ["enterprise-email"]},
        right={"missingConfigurationSets": []},
    ),
    Case(
        *("account paused", ALL, 0.5, (PAUSES, "account_paused")),
        wrong={"sendingEnabled": False},
        right={"sendingEnabled": True},
    ),
    Case(
        *("day's quota used up", ALL, 0.5, (PAUSES, "daily_quota")),
        wrong={"max24HourSend": 1},
        right={"max24HourSend": DAILY},
    ),
    Case(
        *("limiter's item deleted", NONE, 0.5, ("mailpipe_quota_items_made_total", "account")),
        where="slots",
    ),
    Case(
        *("DynamoDB throttled", NONE, 0.5),
        ("mailpipe_aws_failures_total", "dynamodb", "throttled"),
        where="stores",
        wrong={"faults": [{"kind": "throttle", "operation": "dynamodb.*", "share": 0.2}]},
        right={"faults": []},
    ),
]


def arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long an identity is gone")
    parser.add_argument("--rate", type=float, default=20.0, help="mails a second")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of the protocol's durations; 0.02 in the tests"
    )
    parser.add_argument("--only", nargs="*", help="words that the faults' names begin with")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="prove-faults", help="of build/<name>.json")
    given = parser.parse_args(argv)
    if given.seconds <= 0 or given.rate <= 0 or not 0.01 <= given.scale <= 1:
        parser.error("seconds and a rate above 0, and a scale of 0.01 to 1")
    return given


def chosen(given: argparse.Namespace) -> list[Case]:
    """The faults to prove."""
    return [one for one in CASES if not given.only or one.name.startswith(tuple(given.only))]


def plan(given: argparse.Namespace) -> Plan:
    """The stack; the protocol's durations are scaled."""
    return Plan(
        name=given.name,
        rate=QUOTAS * given.rate,
        daily=DAILY,
        seed=given.seed,
        stores_proxy=any(case.where == "stores" for case in chosen(given)),
        replicas={"sender": SENDERS},
        settings={
            "MAILPIPE_SENDER_PROBE_S": f"{PROBE_S * given.scale:g}",
            "MAILPIPE_SENDER_QUOTA_REFRESH_S": f"{30 * given.scale:g}",
            "MAILPIPE_SENDER_BOARD_REFRESH_S": f"{max(0.2, 2 * given.scale):g}",
        },
    )


def made(count: int, seed: int, *, first: int = 0) -> list[dict[str, Any]]:
    """Mails from both domains, in turn through each door, to addresses that count for the day."""
    return [
        {
            "to": [f"reader+{seed}-{number}@example.net"],
            "from": f"demo@{(STOPPED, BESIDE)[number // 2 % 2]}",
            "subject": f"Mail {number}",
            "bodyText": "Hello.",
        }
        for number in range(first, first + count)
    ]


class Run:
    """Faults in one running stack."""

    def __init__(self, stack: Stack, doors: Doors, http: aiohttp.ClientSession) -> None:
        self._stack, self._doors, self._http = stack, doors, http

    async def prove(self, case: Case, given: argparse.Namespace, *, seed: int) -> dict[str, Any]:
        """The row of one fault."""
        load = Load([self._doors], rate=given.rate, seed=seed, make=made)
        before = await self._metrics()
        async with load.flowing():
            await asyncio.sleep(max(0.5, 5 * given.scale))
            lift = await self._set(case)
            set_s = time.time()  # before that a mail may still have passed
            await asyncio.sleep(case.share * given.seconds)
            lifted_s = time.time()
            await lift()
            await asyncio.sleep(max(0.5, 5 * given.scale))
        statuses = await self._ended(load, within_s=30 + 240 * given.scale)
        after = await self._metrics()
        name = " ".join(case.named)
        rise = after.total(*case.named) - before.total(*case.named)
        fault = Fault(case.name, case.stops, set_s, lifted_s)
        simulator = read_log(self._stack.ses_log)
        return row(fault, load.acks, simulator, statuses, named={name: rise})

    async def _set(self, case: Case) -> Callable[[], Awaitable[None]]:
        """Begin the fault; what ends it."""
        if case.where == "slots":
            await asyncio.to_thread(self._delete_slots)
            return _nothing
        url = f"{self._stack.ses_url}/_control/account"
        if case.where == "stores":
            url = f"{self._stack.stores_url}/_control/faults"
        await self._put(url, case.wrong)
        return lambda: self._put(url, case.right)

    def _delete_slots(self) -> None:
        key = {"kind": {"S": "slots"}, "id": {"S": "account"}}
        table = f"{self._stack.plan.prefix}Coordination"
        clients(self._stack.cloud_url)("dynamodb").delete_item(TableName=table, Key=key)

    async def _put(self, url: str, wanted: dict[str, Any]) -> None:
        async with self._http.put(url, json=wanted) as answer:
            answer.raise_for_status()

    async def _metrics(self) -> Metrics:
        """Both senders' together."""
        together = Metrics()
        for child in self._stack.services["sender"]:
            for key, value in (await scrape(self._http, child)).items():
                together[key] = together.get(key, 0.0) + value
        return together

    async def _ended(self, load: Load, *, within_s: float) -> dict[str, Any]:
        """What the API says of all mail, as soon as SES has accepted it and its events have come,
        or when the time is over.
        """
        promised, deadline = {ack["emailId"] for ack in load.acks}, time.monotonic() + within_s
        statuses, waits = dict[str, Any](), promised
        while waits and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_S)
            if not statuses and not await self._accepted(promised):
                continue
            statuses |= await self._doors.statuses(waits)
            waits = {one for one in promised if statuses[one].get("status") in NO_EVENT_YET}
        return statuses or await self._doors.statuses(promised)

    async def _accepted(self, promised: set[str]) -> bool:
        lines = await asyncio.to_thread(read_log, self._stack.ses_log)
        accepted = [one for one in lines if one.get("verdict") == "accepted"]
        return promised <= {one["tags"].get("email_id") for one in accepted}


async def _nothing() -> None:
    """What was deleted stays deleted."""


async def prove(given: argparse.Namespace) -> int:
    """All faults one after the other; prints a row each, writes the proof."""
    rows, faults = list[dict[str, Any]](), list[str]()
    async with Stack(plan(given)) as stack:
        ses = ses_client(stack.ses_url)
        await asyncio.to_thread(ses.create_email_identity, EmailIdentity=BESIDE)
        async with doors_of(stack) as doors, aiohttp.ClientSession() as http:
            run = Run(stack, doors, http)
            for number, case in enumerate(chosen(given)):
                found = await run.prove(case, given, seed=given.seed + number)
                rows.append(found)
                within_s = 5 + 65 * given.scale
                asked = UNDER_WAY + math.ceil(found["lasted_s"] / (PROBE_S * given.scale))
                faults += short(found, case.stops, within_s=within_s, asked=asked)
    columns = ("fault", "failed", "lost", "resumed_after_s", "mails", "on_time_beside", "refused")
    table = Table(*(one.replace("_", " ") for one in columns))
    for found in rows:
        table.add_row(*(str(found[one]) for one in columns))
    console = Console()
    console.print(table)
    for sentence in faults:
        console.print(f"  not as it must be: {sentence}", markup=False)
    path = proof.write(given.name, seed=given.seed, runs=rows, passed=not faults)
    print(f"{'FAILED' if faults else 'passed'}: {path.relative_to(ROOT)}")
    return 1 if faults else 0


def main() -> int:
    """The command."""
    return exit_code_of("prove-faults", prove(arguments(sys.argv[1:])))


if __name__ == "__main__":
    raise SystemExit(main())
