"""What SES's answer leads to while the stores fail."""

import asyncio
from typing import Any, cast

import pytest

from mailpipe import records, resources
from mailpipe.aws.queue import Received
from mailpipe.aws.table import Fate, Tables
from mailpipe.messages import Email, EmailMessage, OwnEvent, own_event_decoder
from mailpipe.outcomes import CallFailed, Done, Kind, Park, Retry
from mailpipe.partiql import Statement
from mailpipe.records import Record
from mailpipe.statements import EmailStatements
from mailpipe.status import REJECTED
from mailpipe.tenants import Retention
from mailpipe.testing import InMemoryQueue
from mailpipe.timing import iso
from sender.answers import RECORD_AGAIN_S, Answers
from sender.claims import Won
from sender.store import SenderStore
from tests.unit.claim_parts import Nobody
from tests.unit.memory_tables import MemoryTables

PREFIX, NOW = "t-", 1_795_514_400_000
LAST = Received("m", "r", "", receives=1, sent_at_ms=NOW)


class Throttled(MemoryTables):
    """Takes no write for so many tries."""

    failures = writes = 0
    kind = Kind.THROTTLED

    async def write(self, statement: Statement, *, heard_s: float = 0.0) -> Fate:
        self.writes += 1
        if self.failures > 0:
            self.failures -= 1
            raise CallFailed(self.kind, "ThrottlingException", operation="write")
        return await super().write(statement, heard_s=heard_s)


class Rig:
    """A mail that is claimed, and what SES answers to it."""

    def __init__(self) -> None:
        nobody, self.pauses = cast(Any, Nobody()), cast(Any, Nobody())
        self.events = InMemoryQueue(resources.SES_EVENTS)
        self.tables, self.waits = Throttled(PREFIX), list[float]()
        self.store = SenderStore(
            *(cast(Tables, self.tables), PREFIX),
            address_hash_key=b"k" * 32,
            lease_s=25,
            grace_s=150,
            retention=cast(Retention, nobody),
            wall_ms=lambda: NOW,
        )
        self.answers = Answers(
            self.store,
            slots=nobody,
            events=self.events,
            pauses=self.pauses,
            limiter=nobody,
            grace_s=150,
            wall_ms=lambda: NOW,
            sleep=lambda seconds: self.sleep(seconds),
        )
        email = Email(to=["a@b.example"], from_="b@b.example", subject="s", body_text="t")
        self.message = EmailMessage(
            email_id="e", tenant="default", stream="bulk", queued_at=iso(NOW), email=email
        )

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def claimed(self) -> Won:
        claim = await self.store.claim(self.message)
        assert isinstance(claim, Won)
        return claim

    async def again(self) -> list[OwnEvent]:
        """The message comes once more; what of ours is put then."""
        assert await self.answers.not_ours(await self.store.claim(self.message)) == Done()
        return [
            own_event_decoder.decode(one.body) for one in await self.events.receive(9, wait_s=0)
        ]

    @property
    def record(self) -> Record:
        return records.read(self.tables.items[PREFIX + resources.EMAIL_TRACKING, "e"])


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_ses_s_yes_is_not_forgotten_while_it_cannot_be_written(rig: Rig) -> None:
    claim = await rig.claimed()
    rig.tables.failures = 20
    assert await rig.answers.answered(LAST, rig.message, claim, "ses-1") == Done()
    assert (rig.record.status, rig.record.ids) == ("sent", {"a1": "ses-1"})
    assert len(rig.waits) == 20
    assert max(rig.waits) <= RECORD_AGAIN_S * 1.2
    assert sum(rig.waits) > 100


async def test_the_end_of_the_process_ends_that(rig: Rig) -> None:
    claim = await rig.claimed()
    rig.tables.failures = 10**9
    waiting = asyncio.Event()

    async def sleep(_: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    rig.sleep = sleep  # type: ignore[method-assign]
    work = asyncio.create_task(rig.answers.answered(LAST, rig.message, claim, "ses-1"))
    await waiting.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert rig.record.lease_until > 0


async def test_a_write_that_no_repeat_can_help_is_not_repeated(rig: Rig) -> None:
    claim = await rig.claimed()
    rig.tables.failures, rig.tables.kind = 1, Kind.REFUSED
    with pytest.raises(CallFailed):
        await rig.answers.answered(LAST, rig.message, claim, "ses-1")
    assert not rig.waits


async def test_what_ses_has_rejected_is_not_announced_as_our_end(rig: Rig) -> None:
    claim = await rig.claimed()
    await rig.answers.answered(LAST, rig.message, claim, "ses-1")
    raised = EmailStatements(PREFIX).raise_to(
        *("e", REJECTED), source="hash", at_ms=NOW, proves=None, sent_at_ms=None, ttl=1
    )
    await rig.tables.write(raised)
    assert rig.record.status == "rejected"
    assert await rig.again() == []


async def test_what_we_have_rejected_is_announced_each_time(rig: Rig) -> None:
    claim = await rig.claimed()
    await rig.answers.end(rig.message, claim, (REJECTED, "composed: no"))
    first, second = await rig.again()
    assert (first.status, first.reason, first.id) == ("rejected", "composed: no", second.id)


@pytest.mark.parametrize("kind", [Kind.THROTTLED, Kind.CONFIGURATION, Kind.NOTHING_HAPPENED])
async def test_what_ses_has_not_got_is_given_back_although_its_pause_cannot_be_written(
    rig: Rig, kind: Kind
) -> None:
    async def fails(*_: object) -> None:
        raise CallFailed(Kind.THROTTLED, "ThrottlingException")

    claim, rig.pauses.found = await rig.claimed(), fails
    with pytest.raises(CallFailed):
        await rig.answers.answered(LAST, rig.message, claim, CallFailed(kind, "x"))
    assert (rig.record.status, rig.record.lease_until) == ("pending", 0)


@pytest.mark.parametrize("recorded", [True, False])
async def test_a_claim_of_which_nothing_is_heard_is_given_back(rig: Rig, recorded: bool) -> None:
    rig.message.recorded = recorded
    await rig.store.make(rig.message)
    written, write = asyncio.Event(), rig.tables.write

    async def unheard(statement: Statement, **_: float) -> Fate:
        fate = await write(statement)
        if rig.record.lease_until > 0:
            written.set()
            await asyncio.Event().wait()
        return fate

    rig.tables.write = unheard  # type: ignore[method-assign]
    work = asyncio.create_task(rig.store.claim(rig.message))
    await written.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert (rig.record.attempt, rig.record.lease_until) == (1, 0)


async def test_a_refusal_that_cannot_be_written_is_no_doubt(rig: Rig) -> None:
    claim = await rig.claimed()
    rig.tables.failures = 1
    with pytest.raises(CallFailed):
        await rig.answers.answered(LAST, rig.message, claim, CallFailed(Kind.REFUSED, "x"))
    assert (rig.record.status, rig.record.lease_until) == ("pending", 0)


@pytest.mark.parametrize(
    ("kind", "writes"),
    [(Kind.THROTTLED, 1), (Kind.NOTHING_HAPPENED, 1), (Kind.REFUSED, 1), (Kind.IN_DOUBT, 2)],
)
@pytest.mark.parametrize("recorded", [True, False])
async def test_only_a_claim_that_may_be_written_is_given_back(
    rig: Rig, kind: Kind, writes: int, recorded: bool
) -> None:
    rig.message.recorded, rig.tables.kind, rig.tables.failures = recorded, kind, 1
    with pytest.raises(CallFailed):
        await rig.store.claim(rig.message)
    assert rig.tables.writes == writes


async def test_a_mail_that_got_no_instant_comes_back_as_told_although_its_claim_stays(
    rig: Rig,
) -> None:
    claim = await rig.claimed()
    rig.tables.failures = 1
    assert isinstance(await rig.answers.answered(LAST, rig.message, claim, None), Retry)


async def test_what_waits_for_a_pause_is_parked_although_its_claim_stays(rig: Rig) -> None:
    waits = Park("account", "paused: account: x")

    async def found(*_: object) -> Park:
        return waits

    claim, rig.pauses.found = await rig.claimed(), found
    rig.tables.failures = 1
    failure = CallFailed(Kind.CONFIGURATION, "x")
    assert await rig.answers.answered(LAST, rig.message, claim, failure) == waits
