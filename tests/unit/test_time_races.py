"""Whoever parks a mail for later, moves it or releases it, at once and killed anywhere: it is never
lost. The real code over tables in memory, whose calls come in every order that hypothesis finds.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, NamedTuple, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from loadtest.virtual.tables import MemoryTables
from mailpipe import records
from mailpipe.aws.queue import MAX_DELAY_S, Outgoing, Received
from mailpipe.bodies import Bodies
from mailpipe.due import DueItems
from mailpipe.messages import Email, EmailMessage, email_decoder, encode
from mailpipe.outcomes import Park
from mailpipe.parking import Waits, parked_of
from mailpipe.recall import recall_of
from mailpipe.records import Record
from mailpipe.resources import DUE_ITEMS, EMAIL_TRACKING, LANES, MAIL_BULK, SES_EVENTS
from mailpipe.scheduled import key_of_time, scheduled_name
from mailpipe.tenants import Retention, Tenants
from mailpipe.testing import InMemoryQueue
from mailpipe.timing import iso, now_ms
from sender.answers import Answers
from sender.scheduling import Scheduling, TimedParking
from sender.slots import Slots
from sender.store import SenderStore

PREFIX = "x-"
HOUR_MS = 3_600_000
CALLS = frozenset({"write", "write_all", "get", "get_all", "page"})
NEVER = 10**6
STALL = 200
"""Turns of others: all of their work."""


class Fate(NamedTuple):
    """At which of its calls a process stands still while the others work, and at which it dies."""

    stalls_at: int
    dies_at: int


class Killed(BaseException):
    """The process ended here."""


class Process:
    """The tables as one process has them."""

    def __init__(self, tables: MemoryTables, fate: Fate) -> None:
        self._tables, self._fate, self._calls = tables, fate, 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._tables, name)
        if name not in CALLS:
            return found

        async def call(*arguments: Any, **named: Any) -> Any:
            number, self._calls = self._calls, self._calls + 1
            for _ in range(STALL if number == self._fate.stalls_at else 1):
                await asyncio.sleep(0)
            if number >= self._fate.dies_at:
                raise Killed
            return await found(*arguments, **named)

        return call


class World:
    """One mail, its messages and its record."""

    def __init__(self) -> None:
        self.tables = MemoryTables(PREFIX)
        self.now_s = 0.0
        self.queue = InMemoryQueue(MAIL_BULK, clock=lambda: self.now_s)
        self.events = InMemoryQueue(SES_EVENTS)
        self.times = [now_ms() + hours * HOUR_MS for hours in (2, 3, 4)]
        email = Email(to=["a@b.example"], from_="b@b.example", subject="s", body_text="t")
        email.send_at = iso(self.times[0])
        self.mail = EmailMessage(
            email_id="e", tenant="default", stream="bulk", queued_at=iso(now_ms()), email=email
        )
        self.name = scheduled_name("default", "e")

    def due(self, tables: Any) -> DueItems:
        return DueItems(tables, PREFIX, {MAIL_BULK: self.queue}, waits=Waits())

    async def sends(self, copies: int) -> None:
        """Copies of the message are on the queue."""
        await self.queue.send([Outgoing(encode(self.mail))] * copies)

    async def handles(self, fate: Fate) -> None:
        """A sender takes what is on the queue; what it dies over comes back."""
        tables: Any = Process(self.tables, fate)
        for received in await self.queue.receive(10, wait_s=0, visibility_s=60):
            try:
                await self._handles(tables, received)
            except Killed:
                await self.queue.hide([(received.receipt, 0)])

    async def _handles(self, tables: Any, received: Received) -> None:
        retention = Retention(Tenants(tables), usual_days=90)
        store = SenderStore(
            *(tables, PREFIX),
            address_hash_key=b"k" * 32,
            lease_s=25,
            grace_s=150,
            retention=retention,
            wall_ms=now_ms,
        )
        scheduling = Scheduling(
            store, cast(Slots, None), kept_s=1.5, expire_after_s=60, wall_ms=now_ms
        )
        answers = Answers(
            store,
            slots=cast(Slots, None),
            events=self.events,
            pauses=cast(Any, None),
            limiter=cast(Any, None),
            grace_s=150,
            wall_ms=now_ms,
        )
        message = email_decoder.decode(received.body)
        looked = await scheduling.look(message, received, [])
        outcome = await answers.not_ours(cast(Any, looked))
        if isinstance(outcome, Park):
            parking = TimedParking(self.due(tables), tables, Bodies(None))
            await parking.park(replace(received, message_id=f"m{id(received)}"), MAIL_BULK, outcome)
        await self.queue.delete([received.receipt])

    async def moves(self, at_ms: int, fate: Fate) -> None:
        """Somebody gives the mail another time."""
        recall = recall_of(
            *(cast(Any, Process(self.tables, fate)), PREFIX),
            events=self.events,
            lanes=dict.fromkeys(LANES, self.queue),
            bucket=None,
            retention_days=90,
        )
        with contextlib.suppress(Killed):
            await recall.reschedule("e", "default", at_ms)

    async def releases(self, fate: Fate) -> None:
        """A sender whose clock is far ahead sends what waits, whenever it is due."""
        tables: Any = Process(self.tables, fate)
        with contextlib.suppress(Killed):
            items = await tables.get_all(
                DUE_ITEMS, [key_of_time(self.name, at) for at in self.times]
            )
            found = [one for one in map(parked_of, items) if one is not None]
            await self.due(tables).send(found)

    async def record(self) -> Record:
        item = await self.tables.get(EMAIL_TRACKING, {"emailId": "e"})
        assert item is not None
        return records.read(item)


async def run(world: World, *work: Coroutine[Any, Any, None]) -> None:
    """All at once; then a sender that lives takes what is left."""
    await asyncio.gather(*work)
    while sum(await world.queue.depth()):
        world.now_s += MAX_DELAY_S  # what was released too early comes, too
        await world.handles(Fate(NEVER, NEVER))


FATES = st.builds(Fate, st.integers(0, 12), st.just(NEVER) | st.integers(0, 12))
MOVES = st.lists(st.tuples(st.integers(0, 2), FATES), min_size=1, max_size=3)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 2), st.integers(2, 9), FATES, MOVES, FATES)
async def test_whatever_happens_at_once_a_message_waits_for_the_time_of_the_record(
    copies: int, dies_at: int, sender: Fate, moves: list[tuple[int, Fate]], releases: Fate
) -> None:
    world = World()
    await world.sends(copies)
    await world.handles(Fate(NEVER, dies_at))  # there is a record, and perhaps an item
    await run(
        world,
        world.handles(sender),
        *(world.moves(world.times[place], fate) for place, fate in moves),
        world.releases(releases),
    )
    record = await world.record()
    assert record.status == "scheduled"
    key = key_of_time(world.name, record.send_at or 0)
    assert await world.tables.get(DUE_ITEMS, key) is not None
