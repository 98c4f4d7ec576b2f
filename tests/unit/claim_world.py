"""One mail, several senders and processors that share its record, SES, and a clock: all of our own
code that writes to the record, every write a step at which a process may stand still or die.
"""

from typing import Any, Literal, cast

from mailpipe import records, resources
from mailpipe.aws.queue import Queue, Received
from mailpipe.aws.table import Applied, Tables
from mailpipe.messages import Email, EmailMessage
from mailpipe.outcomes import CallFailed, Dead, Done, Kind, Outcome
from mailpipe.records import Attributes, Record
from mailpipe.statements import EmailStatements
from mailpipe.status import CANCELLED, DELIVERED, SENT, TERMINAL_RANKS, UNKNOWN
from mailpipe.tenants import Retention
from mailpipe.timing import iso
from mailpipe.unsent import too_late
from processor.events import Event
from processor.store import ProcessorStore
from sender.answers import Answers
from sender.claims import Answer, Doubtful, Won
from sender.limiter import Limiter
from sender.pauses import Pauses
from sender.slots import Slots
from sender.store import SenderStore
from sender.verdicts import DOUBTS_AT_MOST, Patience, Resend, Wait, of_doubt
from tests.unit.claim_parts import Nobody, Process
from tests.unit.memory_tables import MemoryTables, step

PREFIX, TENANT, EMAIL_ID = "t-", "default", "e1"
BEGIN = 1_795_514_400_000
SEND_MS, LEASE_MS, GRACE_MS, DECIDE_MS = 10_000, 25_000, 150_000, 3_600_000

Says = Literal["accepts", "accepts, unheard", "hears nothing", "refuses", "throttles"]
FAILURES = {
    "accepts, unheard": Kind.IN_DOUBT,
    "hears nothing": Kind.IN_DOUBT,
    "refuses": Kind.REFUSED,
    "throttles": Kind.THROTTLED,
}


class World:
    """What has happened to the mail so far."""

    def __init__(self, policy: Literal["resend", "unknown"], *, recorded: bool) -> None:
        self.now = BEGIN
        self.says: Says = "accepts"
        self.proved = False
        self.tables = MemoryTables(PREFIX, stepwise=True)
        self.tables.watch = self._changes
        self.current: Process | None = None
        self.running = list[Process]()
        self.on_queue = True
        self.calls = list[int]()
        self.accepted = list[int]()
        self.events = list[Event]()
        self.faults = 0
        self.cancelled = False
        email = Email(
            to=["a@example.com"],
            from_="b@example.com",
            subject="Hi",
            body_text="x",
            in_doubt=policy,
        )
        self.message = EmailMessage(
            email_id=EMAIL_ID,
            tenant=TENANT,
            stream="bulk",
            queued_at=iso(BEGIN),
            email=email,
            recorded=recorded,
        )
        nobody, tables = Nobody(), cast(Tables, self.tables)
        key, retention = b"k" * 32, cast(Retention, nobody)
        self.statements = EmailStatements(PREFIX)
        self.store = SenderStore(
            *(tables, PREFIX),
            address_hash_key=key,
            lease_s=LEASE_MS / 1000,
            grace_s=GRACE_MS / 1000,
            retention=retention,
            wall_ms=lambda: self.now,
        )
        self.store.let_go = self.store.release  # type: ignore[method-assign]  # no time runs out here
        self.processor = ProcessorStore(tables, PREFIX, address_hash_key=key, retention=retention)
        self.answers = Answers(
            self.store,
            slots=cast(Slots, nobody),
            events=cast(Queue, nobody),
            pauses=cast(Pauses, nobody),
            limiter=cast(Limiter, nobody),
            grace_s=GRACE_MS / 1000,
            wall_ms=lambda: self.now,
        )

    @property
    def record(self) -> Record | None:
        """As it stands."""
        item = self.tables.items.get((PREFIX + resources.EMAIL_TRACKING, EMAIL_ID))
        return None if item is None else records.read(item)

    # --- processes --------------------------------------------------------------------------------

    def take_mail(self) -> Process:
        """One more sender has the message."""
        process = Process(self._send(), self.now)
        self.running.append(process)
        return process

    def take_event(self, event: Event) -> Process:
        """One more processor has the event."""
        process = Process(self._process(event), self.now, event)
        self.running.append(process)
        return process

    def go_on(self, process: Process, *, until: str | None = None) -> None:
        """Until it stands before or after something that is called so, or to the end."""
        self.current = process
        while True:
            try:
                stands = process.work.send(None)
            except StopIteration as end:
                self.running.remove(process)
                self._ended(process, end.value)
                return
            if stands == until:
                return

    def kill(self, process: Process) -> None:
        """It dies where it stands. What it had in hand comes again."""
        process.work.close()
        self.running.remove(process)
        if process.event is None and not process.slow:
            self.faults += 1

    def pass_time(self, ms: int) -> None:
        """A claim whose sender stands still runs out like that of a dead one."""
        self.now += ms
        for one in self.running:
            if one.event is None and not one.slow and self.now >= one.since_ms + LEASE_MS - SEND_MS:
                one.slow = True
                self.faults += 1

    def _ended(self, process: Process, outcome: Outcome | bool) -> None:
        assert not isinstance(outcome, Dead), outcome
        if process.event is not None:
            if outcome and process.event in self.events:
                self.events.remove(process.event)
        elif isinstance(outcome, Done):
            self.on_queue = False

    async def _send(self) -> Outcome:
        claim = await self.store.claim(self.message)
        if isinstance(claim, Doubtful):
            claim = await self._decided(claim)
        if not isinstance(claim, Won):
            return await self.answers.not_ours(claim)
        await step("before the instant")
        answer = None
        if self.now + SEND_MS <= claim.lease_until_ms:
            answer = await self._ses(claim)
        received = Received("m", "r", "", receives=1, sent_at_ms=self.now)
        return await self.answers.answered(received, self.message, claim, answer)

    async def _decided(self, doubt: Doubtful) -> Answer:
        verdict = of_doubt(
            doubt,
            self.message.email.in_doubt,
            missing=None if self.proved else "nobody says so",
            ending=None,
            now_ms=self.now,
            patience=Patience(30_000, DECIDE_MS),
        )
        if isinstance(verdict, Wait):
            return doubt
        await step("before the verdict is carried out")
        if isinstance(verdict, Resend):
            return await self.store.take_over(doubt, self.message)
        return await self.store.end_in_doubt(doubt, self.message, reason=verdict.reason)

    async def _process(self, event: Event) -> bool:
        record = await self.processor.record(EMAIL_ID)
        if record is None:
            return False
        await self.processor.raise_status(event, record)
        return True

    # --- the others -------------------------------------------------------------------------------

    async def _ses(self, claim: Won) -> str | CallFailed:
        """It is judged here what may be sent."""
        record, says, begun_ms = self.record, self.says, self.now
        assert record is not None
        assert claim.attempt <= record.attempt, "a call before its attempt was written"
        assert claim.attempt not in self.calls, "two calls under one attempt"
        assert not self.cancelled
        assert record.send_at is None or record.send_at <= self.now
        self.calls.append(claim.attempt)
        message_id = f"ses-{claim.attempt}"
        if says.startswith("accepts"):
            assert not self.accepted or record.possible_duplicate, "sent twice and nobody says so"
            self.accepted.append(claim.attempt)
            self.events += [self._event(one, claim.attempt) for one in ("sent", "delivery")]
        await step("before SES's answer")
        if says in FAILURES or self.now > begun_ms + SEND_MS:
            kind = FAILURES.get(says, Kind.IN_DOUBT)
            self.faults += kind is Kind.IN_DOUBT
            return CallFailed(kind, says)
        return message_id

    def _event(self, kind: str, attempt: int) -> Event:
        return Event(
            hash=f"{kind}-{attempt}",
            kind=kind,
            webhook_type=None,
            email_id=EMAIL_ID,
            tenant=TENANT,
            occurred_at=iso(self.now),
            happened_ms=self.now,
            standing=SENT if kind == "sent" else DELIVERED,
            attempt=attempt,
            message_id=f"ses-{attempt}",
            sent_at_ms=self.now,
        )

    def door(self) -> None:
        """Inserts the record, soon or late."""
        born = records.USUAL | records.born(EMAIL_ID, TENANT, records.fields_of(self.message))
        self._at_once(self.statements.insert(born))

    def cancel(self, record: Record) -> None:
        """The customer does, by the record as it was read."""
        if too_late(record, now_ms=self.now) is None:
            end = self.statements.give_up(record, CANCELLED, reason="", at_ms=self.now)
            self.cancelled |= self._at_once(end)

    def reschedule(self, record: Record, in_ms: int) -> None:
        """The same with another time."""
        if too_late(record, now_ms=self.now) is None:
            moved = self.statements.reschedule(record, self.now + in_ms, at_ms=self.now)
            self._at_once(moved)

    def _at_once(self, statement: Any) -> bool:
        self.current = None
        write = self.tables.write(statement)
        while True:
            try:
                write.send(None)
            except StopIteration as end:
                return isinstance(end.value, Applied)

    # --- what must hold ---------------------------------------------------------------------------

    def _changes(self, before: Attributes | None, after: Attributes) -> None:
        """At every write."""
        new = records.read(after)
        if new.rank not in TERMINAL_RANKS:
            assert new.is_open, "nobody looks after it"
            assert "ttl" not in after, "it vanishes before its end"
        if before is None:
            if self.current is not None:
                self.current.token = new.token
            return
        old = records.read(before)
        assert new.rank >= old.rank, "a rank fell"
        if new.attempt > old.attempt:
            assert old.rank < UNKNOWN.rank, "it reopened"
            free = old.lease_until == 0 or self.now > old.lease_until + GRACE_MS
            assert free, "claimed while another may be sending, or an event may come"
            if self.current is not None:
                self.current.token = new.token
        elif old.lease_until > new.lease_until == 0 and new.rank < UNKNOWN.rank:
            assert self.current is not None
            assert self.current.token == old.token, "somebody else's claim was released"

    def holds(self) -> None:
        """At every step."""
        record = self.record
        assert len(self.accepted) <= 1 or (record is not None and record.possible_duplicate)
        if self.faults == 0:
            assert len(self.accepted) <= 1
        if record is None:
            assert not self.calls
            return
        assert len(self.calls) <= record.attempt
        assert len(self.accepted) <= DOUBTS_AT_MOST
        assert record.doubts <= self.faults
        if record.rank < SENT.rank or record.rank == 90:
            no = record.status in ("failed", "rejected", "suppressed", "expired", "cancelled")
            assert not (no and self.accepted), "SES has it, and we say that it was not sent"
        if record.status == UNKNOWN.status:
            assert self.faults
