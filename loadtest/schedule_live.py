"""The live cases of `make prove-schedule`: mail for later through both doors, its owners change
their minds, and sometimes the senders are killed.
"""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from math import inf
from typing import Any, NamedTuple

import aiohttp

from infra.local.children import Child
from infra.local.cloud import LOCAL_KEY
from infra.local.mails import DOORS, Door, Doors, Refused, mail_to
from infra.local.observe import scrape
from infra.local.stack import Plan, Stack
from loadtest.checker import read_log
from loadtest.load import doors_of
from loadtest.once_cases import Durations
from loadtest.schedule_cases import SEVERAL
from loadtest.schedule_plan import Change, Planned, planned
from loadtest.schedules import (
    MAX_P95_MS,
    NO_ANSWER,
    NONE_YET,
    OK,
    UNAVAILABLE,
    Asked,
    Order,
    Terms,
    row,
)

SENDERS = 3
QUOTAS = 4
DAILY = 1_000_000
HOLDS = ("mailpipe_side_task_last_success_seconds", "release_due")
"""The sender for which this metric is newest releases what is due."""
KILLED_P95_MS = 5_000.0
"""Mail that a killed sender had in hand waits for its lease, and for the proof that SES has not
got it: 9.5 s. That is less than one of twenty mails; all others a new sender takes at once."""
AGAIN_S = 0.2
LOOK_S = 0.5
PATIENCE_S = 60.0
"""So long a door may say "come again", and mail of the SDK may have no record."""
WITHIN_S = 180.0
"""So long mail that is due may take."""
REST_S = 3.0
"""After the last send, to see whether any mail goes twice."""


class Case(NamedTuple):
    """`mails` are due at `per_s`, from `first_s` seconds on, and are handed over so much
    ahead. `soon_s`, `every_s`: how the release of what is due is set. A sender is killed every
    `kill_every_s` seconds (0: none), the protocol's durations then scaled by `scale`.
    """

    name: str
    mails: int
    per_s: float
    first_s: float
    ahead_s: tuple[float, float]
    soon_s: float = 60.0
    every_s: float = 10.0
    kill_every_s: float = 0.0
    scale: float = 0.1
    late_ms: float | None = MAX_P95_MS

    @property
    def settings(self) -> dict[str, str]:
        """Of the services."""
        own = {
            "MAILPIPE_SENDER_DUE_SOON_S": f"{self.soon_s:g}",
            "MAILPIPE_SENDER_DUE_EVERY_S": f"{self.every_s:g}",
        }
        if not self.kill_every_s:
            return own
        return self._durations.settings() | {"MAILPIPE_SENDER_SIDE_LEASE_S": "2"} | own

    @property
    def rest_s(self) -> float:
        """When all is sent and nobody is killed any more: a copy that must not be would come."""
        return self._durations.after_a_kill_s if self.kill_every_s else REST_S

    @property
    def terms(self) -> Terms:
        """What it has to show. A sender takes its time to start: half of the kills are enough."""
        often = self.mails / self.per_s / self.kill_every_s if self.kill_every_s else 0
        return Terms(
            due=round(SEVERAL * self.mails),
            kills=max(1, int(often / 2)) if often else 0,
            late_ms=self.late_ms,
        )

    @property
    def _durations(self) -> Durations:
        return Durations("schedule", self.scale)


class Owners:
    """Hand mail over and change their minds, as planned."""

    def __init__(self, doors: Doors, http: aiohttp.ClientSession, ingest: str) -> None:
        self._doors, self._http, self._ingest = doors, http, ingest
        self._begun_s = time.time()
        self.cut = 0

    async def carry_out(self, plan: list[Planned]) -> list[Order]:
        """All of it."""
        return await asyncio.gather(*map(self._carry_out, plan))

    async def _carry_out(self, one: Planned) -> Order:
        await self._until(one.born_s)
        send_at_s, text = self._time(one.due_s)
        mail = mail_to(f"success+{one.number}", one.number) | {"sendAt": text}
        expires_s = None
        if one.expires_s is not None:
            expires_s, mail["expiresAt"] = self._time(one.expires_s)
        ack = await self._handed_over(DOORS[one.number % 2], mail)
        asked = list[Asked]()
        for _, at_once in itertools.groupby(one.changes, key=lambda change: change.at_s):
            for told in await asyncio.gather(
                *[self._ask(ack["emailId"], change) for change in at_once]
            ):
                asked += told
        return Order(ack["emailId"], send_at_s, ack["t"], tuple(asked), expires_s)

    async def _handed_over(self, door: Door, mail: dict[str, Any]) -> dict[str, Any]:
        """The door's yes. What it has answered with 503 may be on the queue all the same: `cut`.
        Raises Refused if it does so for too long.
        """
        end_s = time.time() + PATIENCE_S
        while True:
            try:
                return await self._doors.send(door, mail)
            except Refused as refused:
                if refused.status != UNAVAILABLE or time.time() > end_s:
                    raise
                self.cut += 1
                await asyncio.sleep(AGAIN_S)

    async def _ask(self, email_id: str, change: Change) -> list[Asked]:
        """The answers. "Come again" is followed; a mail that never gets a record is told."""
        await self._until(change.at_s)
        end_s, told = time.time() + PATIENCE_S, list[Asked]()
        while True:
            one = await self._asked(email_id, change)
            over = time.time() > end_s
            if one.status != NONE_YET or over:
                told.append(one)
            if over or one.status not in (NONE_YET, UNAVAILABLE, NO_ANSWER):
                return told
            await asyncio.sleep(AGAIN_S)

    async def _asked(self, email_id: str, change: Change) -> Asked:
        to_s, text = self._time(change.to_s)
        body = {"sendAt": text} if change.what == "reschedule" else None
        url = f"{self._ingest}/emails/{email_id}/{change.what}"
        asked_s, status = time.time(), NO_ANSWER
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self._http.post(url, json=body, headers={"X-API-Key": LOCAL_KEY}) as answer:
                status = answer.status
        return Asked(change.what, asked_s, time.time(), status, to_s)

    async def _until(self, at_s: float) -> None:
        await asyncio.sleep(max(0.0, self._begun_s + at_s - time.time()))

    def _time(self, at_s: float) -> tuple[float, str]:
        """In epoch seconds, to the millisecond, and as the doors take it."""
        epoch_s = round(self._begun_s + at_s, 3)
        text = datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds")
        return epoch_s, text.replace("+00:00", "Z")


class Killer:
    """Kills senders, every second time the one that releases what is due."""

    def __init__(self, stack: Stack, http: aiohttp.ClientSession, seed: int) -> None:
        self.kills = 0
        self._stack, self._http = stack, http
        self._choice = random.Random(seed)  # noqa: S311 - a reproducible choice is the point

    @asynccontextmanager
    async def killing(self, every_s: float) -> Any:
        """While the body runs; not at all if `every_s` is 0."""
        task = asyncio.create_task(self._run(every_s)) if every_s else None
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _run(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            senders = self._stack.services["sender"]
            child = await self._holder() if self.kills % 2 else self._choice.choice(senders)
            await child.kill()
            self.kills += 1
            # Started to its end, whatever ends this: no replica may be missing afterwards.
            await asyncio.shield(self._stack.restart_one(child))

    async def _holder(self) -> Child:
        senders = self._stack.services["sender"]
        found = [(await scrape(self._http, one)).total(*HOLDS) for one in senders]
        return senders[found.index(max(found))]


async def ran(case: Case, *, name: str, seed: int) -> dict[str, Any]:
    """The row of a case, on a stack of its own."""
    plan = Plan(
        name=f"{name}-killed" if case.kill_every_s else name,
        rate=QUOTAS * case.per_s,
        daily=DAILY,
        seed=seed,
        endpoints={},
        replicas={"sender": SENDERS, "notifier": 0},
        settings=case.settings,
    )
    mails = planned(seed, case.mails, per_s=case.per_s, first_s=case.first_s, ahead_s=case.ahead_s)
    async with Stack(plan) as stack, doors_of(stack) as doors:
        connector = aiohttp.TCPConnector(limit=64)
        async with aiohttp.ClientSession(connector=connector) as http:
            killer = Killer(stack, http, seed)
            async with killer.killing(case.kill_every_s):
                owners = Owners(doors, http, stack.ingest_url)
                orders = await owners.carry_out(mails)
                left = await _all_over(stack, doors, orders)
            await asyncio.sleep(case.rest_s)
            ended = await _ended(doors, [one for one in orders if one.expires_s is not None])
            sent = list(_accepted(stack))
    return row(
        *(case.name, orders, sent),
        ended=ended,
        soon_s=case.soon_s,
        kills=killer.kills,
        cut=owners.cut,
        left=left,
    )


async def _all_over(stack: Stack, doors: Doors, orders: list[Order]) -> dict[str, int]:
    """Until SES has taken each mail that is to go and has not expired, or the time is over: then
    how many are left, by what the API says of them.
    """
    kept = {
        one.email_id: one
        for one in orders
        if not any(asked.what == "cancel" and asked.status == OK for asked in one.changes)
    }
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        for _, email_id in _accepted(stack):
            kept.pop(email_id, None)
        over = [one for one in kept.values() if (one.expires_s or inf) < time.time()]
        for email_id, told in (await _ended(doors, over)).items():
            if told & {"expired", "unknown"}:
                kept.pop(email_id)
        if not kept:
            break
        await asyncio.sleep(LOOK_S)
    said = await _ended(doors, list(kept.values()))
    return Counter(status for statuses in said.values() for status in statuses)


async def _ended(doors: Doors, orders: list[Order]) -> dict[str, set[str]]:
    """What the API says of them."""
    statuses = await doors.statuses(one.email_id for one in orders)
    return {email_id: {str(said.get("status"))} for email_id, said in statuses.items()}


def _accepted(stack: Stack) -> Iterator[tuple[float, str]]:
    for line in read_log(stack.ses_log):
        match line:
            case {"kind": "attempt", "verdict": "accepted", "tags": {"email_id": str(email_id)}}:
                yield float(line["t"]), email_id
