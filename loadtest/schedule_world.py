"""One case of `make prove-schedule` in virtual time: senders, mail for later, owners who change
their minds, and what SES took.
"""

import asyncio
import itertools
import time
from collections.abc import Coroutine
from contextvars import Context
from random import Random
from typing import Any

from loadtest.schedule_cases import SETTLE_S, Case
from loadtest.schedule_minute import released
from loadtest.schedule_plan import Change, Planned, planned
from loadtest.schedules import CONFLICT, NONE_YET, OK, Asked, Order, row
from loadtest.virtual import clock
from loadtest.virtual.account import Account
from loadtest.virtual.cloud import PREFIX, Cloud
from loadtest.virtual.life import Latency, Life
from loadtest.virtual.sender import HASH_KEY, VirtualSender
from loadtest.virtual.tables import MemoryTables
from mailpipe import records
from mailpipe.aws.queue import Outgoing
from mailpipe.aws.table import Applied, Fate
from mailpipe.leases import KIND
from mailpipe.lifecycle import Stop
from mailpipe.messages import Email, EmailMessage, Stream, encode, new_email_id
from mailpipe.partiql import Statement
from mailpipe.recall import recall_of
from mailpipe.records import Record
from mailpipe.resources import COORDINATION, DUE_ITEMS, physical
from mailpipe.statements import EmailStatements
from mailpipe.status import SENT
from mailpipe.timing import iso, now_ms
from sender.settings import SenderSettings

QUOTAS = 4
CALL_S = (0.003, 0.012)
EVENT_S = (0.2, 2.0)
"""From SES's yes to the raise by its event."""
AGAIN_S = 0.2
COMES_BACK_S = 5.0
AFTER_S = 90.0
AFTER_A_DEATH_S = 240.0
"""After the last is due: what a dead sender had in hand is decided, and nothing comes twice."""


class Passed(MemoryTables):
    """A bug: what was put into a minute that had been passed is not put into a later one, too."""

    def __init__(self, prefix: str, **more: Any) -> None:
        super().__init__(prefix, **more)
        self._first = dict[str, Any]()

    async def write(self, statement: Statement, *, heard_s: float = 0.0) -> Fate:
        """See MemoryTables.write."""
        table, partition, *due_key = statement.key
        put = table == physical(PREFIX, DUE_ITEMS) and statement.text.startswith("INSERT")
        if put and self._first.setdefault(str(due_key), partition) != partition:
            return Applied()
        return await super().write(statement, heard_s=heard_s)


class World:
    """A deployment, and what came of the case in it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.kills = 0
        self._put = set[str]()
        self._random = Random(case.seed)  # noqa: S311 - a reproducible world is the point
        latency = Latency(*CALL_S, case.seed)
        conditions = ("rank", "leaseUntil", "attempt", "version")
        tables = Passed if case.plant == "passed-minutes" else MemoryTables
        self.tables = tables(
            PREFIX,
            latency=latency,
            delays=self._delay,
            blind=frozenset(conditions if case.plant == "blind-claims" else ()),
        )
        self.account = Account(rate=QUOTAS * case.per_s, latency=latency, tells=self._taken)
        self.cloud = Cloud(latency=latency, tables=self.tables)
        self._senders = dict[str, tuple[Life, asyncio.Task[None]]]()
        self._stop = Stop()
        self._tasks = set[asyncio.Task[Any]]()
        self._recall = recall_of(
            *(self.tables, PREFIX),
            events=self.cloud.events,
            lanes=self.cloud.lanes,
            bucket=self.cloud.bucket,
            retention_days=90,
        )
        self._statements = EmailStatements(PREFIX)

    async def run(self) -> list[Order]:
        """What the owners were told, at the end of all."""
        case = self.case
        plan = planned(
            *(case.seed, case.mails),
            per_s=case.per_s,
            first_s=case.first_s,
            ahead_s=case.ahead_s,
        )
        for _ in range(case.senders):
            self._start()
        self._spawn(self._die())
        orders = await asyncio.gather(*map(self._owner, plan))
        after_s = AFTER_A_DEATH_S if case.dies_every_s else AFTER_S
        last_s = plan[-1].due_s + case.slow_s + after_s
        await asyncio.sleep(max(0.0, last_s - time.monotonic()))
        for one in self._tasks:
            one.cancel()
        self._stop.set()
        living = [task for life, task in self._senders.values() if not life.dead]
        await asyncio.gather(*living)
        if self._stop.failure is not None:
            raise AssertionError(f"{self._stop.failure} has died")
        return orders

    def _spawn(self, what: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        # Of no process: what SES tells and what owners ask outlives the sender that was behind it.
        task = asyncio.create_task(what, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- senders ----------------------------------------------------------------------------------
    def _start(self) -> None:
        name, life = f"s{len(self._senders)}", Life()

        async def lives() -> None:
            life.begin()
            sender = VirtualSender(name, self.cloud, self.account, self._settings(), parks=True)
            await sender.run(self._stop)

        self._senders[name] = life, asyncio.create_task(lives())

    def _settings(self) -> SenderSettings:
        return SenderSettings(
            address_hash_key=HASH_KEY,
            trust_sender_id=False,
            in_doubt_grace_s=20.0,
            in_doubt_decide_s=30.0,
            in_doubt_every_s=5.0,
            due_settle_s=SETTLE_S,
        )

    async def _die(self) -> None:
        """The sender that releases what is due dies; another one is started later."""
        await asyncio.sleep(self.case.first_s)
        while self.case.dies_every_s:
            await asyncio.sleep(self.case.dies_every_s)
            lease = await self.tables.get(COORDINATION, {"kind": KIND, "id": "release_due"})
            if lease is not None and not (life := self._senders[str(lease["holder"])][0]).dead:
                life.dead = True
                self.kills += 1
                self._spawn(self._replace())

    async def _replace(self) -> None:
        await asyncio.sleep(COMES_BACK_S)
        self._start()

    def _taken(self, email_id: str, attempt: int, message_id: str) -> None:
        """SES's event raises the record, as the processor does."""

        async def raised() -> None:
            await asyncio.sleep(self._random.uniform(*EVENT_S))
            statement = self._statements.raise_to(
                *(email_id, SENT),
                source=message_id,
                at_ms=now_ms(),
                proves=(attempt, message_id),
                sent_at_ms=now_ms(),
                ttl=None,
            )
            await self.tables.write(statement)

        self._spawn(raised())

    def _delay(self, statement: Statement) -> float:
        """An item is put late for its minute, perhaps, but once: what mends that comes in time."""
        if not self.case.slow_s or not statement.text.startswith("INSERT"):
            return 0.0
        table, partition, *due_key = statement.key
        if table != physical(PREFIX, DUE_ITEMS) or partition == "scopes":
            return 0.0
        if (put := str(due_key)) in self._put:
            return 0.0
        self._put.add(put)
        slow = self._random.random() < self.case.slow_share
        return self._random.uniform(0.5, 1.0) * self.case.slow_s if slow else 0.0

    # --- owners -----------------------------------------------------------------------------------
    async def _owner(self, one: Planned) -> Order:
        await _until(one.born_s)
        message = _message(one)
        await self.cloud.lanes[message.stream].send([Outgoing(encode(message), group="default")])
        if one.number % 2:  # by REST, which records what it has enqueued
            fields = records.fields_of(message)
            born = records.born(message.email_id, message.tenant, fields)
            await self.tables.write(self._statements.insert(born))
        accepted_s, asked = time.time(), list[Asked]()
        for _, at_once in itertools.groupby(one.changes, key=lambda change: change.at_s):
            asked += await asyncio.gather(*[self._ask(message.email_id, each) for each in at_once])
        return Order(
            *(message.email_id, _epoch_s(one.due_s), accepted_s, tuple(asked)),
            expires_s=None if one.expires_s is None else _epoch_s(one.expires_s),
        )

    async def _ask(self, email_id: str, change: Change) -> Asked:
        await _until(change.at_s)
        asked_s, to_s = time.time(), _epoch_s(change.to_s)
        status = await self._answer(email_id, change, to_s)
        while status == NONE_YET:
            await asyncio.sleep(AGAIN_S)
            status = await self._answer(email_id, change, to_s)
        return Asked(change.what, asked_s, time.time(), status, to_s)

    async def _answer(self, email_id: str, change: Change, to_s: float) -> int:
        if change.what == "cancel":
            told: Any = await self._recall.cancel(email_id, "default", reason="no longer wanted")
        else:
            told = await self._recall.reschedule(email_id, "default", round(to_s * 1000))
        if told is None:
            return NONE_YET
        return OK if isinstance(told, Record) else CONFLICT


def _epoch_s(at_s: float) -> float:
    """To the millisecond."""
    return round(clock.EPOCH_S + at_s, 3)


async def _until(at_s: float) -> None:
    await asyncio.sleep(max(0.0, at_s - time.monotonic()))


def _message(one: Planned) -> EmailMessage:
    stream: Stream = "transactional" if one.number % 3 == 0 else "bulk"
    return EmailMessage(
        email_id=new_email_id(),
        tenant="default",
        stream=stream,
        queued_at=iso(now_ms()),
        email=Email(
            to=[f"reader+{one.number}@example.net"],
            from_="demo@example.com",
            subject=f"Mail {one.number}",
            body_text="Hello.",
            send_at=iso(round(_epoch_s(one.due_s) * 1000)),
            expires_at=None
            if one.expires_s is None
            else iso(round(_epoch_s(one.expires_s) * 1000)),
        ),
    )


def simulated(case: Case) -> dict[str, Any]:
    """The row of the case. Raises what has ended a sender."""
    if case.release_only:
        return clock.run(released(case))
    world = World(case)
    orders = clock.run(world.run())
    return row(
        *(case.name, orders, world.account.accepted),
        ended=world.cloud.events.ended,
        soon_s=case.soon_s,
        kills=world.kills,
    )
