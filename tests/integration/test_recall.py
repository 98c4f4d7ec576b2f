"""Mail that is cancelled or goes at another time: what wins, and what a crash leaves."""

import asyncio
import itertools
from contextlib import suppress
from typing import Any

import pytest

from mailpipe.outcomes import CallFailed, Kind
from mailpipe.recall import Recall
from mailpipe.records import Record
from mailpipe.statements import EmailStatements
from mailpipe.testing import InMemoryQueue
from mailpipe.timing import now_ms
from mailpipe.unsent import TooLate
from tests.integration.conftest import PREFIX, Parts
from tests.integration.recall_rig import HOUR_MS, Interposed, Recalls

WRITES = EmailStatements(PREFIX)
LEASE_MS = 60_000


class Killed(BaseException):
    """The process ended here."""


async def killed() -> None:
    raise Killed


def claim(email_id: str, *, version: int = 0) -> Any:
    return WRITES.claim(
        *(email_id, "default"),
        attempts=0,
        version=version,
        fingerprint=None,
        token="me",
        lease_until_ms=now_ms() + LEASE_MS,
    )


async def cancel(recall: Recall, email_id: str) -> Record | TooLate | None:
    return await recall.cancel(email_id, "default", reason="why")


async def test_a_cancelled_mail_is_announced_closed_and_waits_no_more(parts: Parts) -> None:
    rig, at_ms = Recalls(parts), now_ms() + HOUR_MS
    email_id = await rig.scheduled(at_ms)
    for _ in range(2):
        outcome = await cancel(rig.recall(), email_id)
        assert isinstance(outcome, Record)
    record = await rig.record(email_id)
    assert (record.status, record.rank, record.reason) == ("cancelled", 90, "why")
    assert not record.is_open
    assert await rig.waiting(email_id, at_ms) is None
    (event,) = await rig.announced()
    assert (event.email_id, event.status, event.attempt) == (email_id, "cancelled", 0)
    assert event.record.send_at == at_ms


async def test_its_record_outlives_what_may_wait_for_it(parts: Parts) -> None:
    """A message without a record is sent as new mail."""
    rig, at_ms = Recalls(parts), now_ms() + 300 * 24 * HOUR_MS
    email_id = await rig.scheduled(at_ms)
    await rig.recall().reschedule(email_id, "default", now_ms() + HOUR_MS)
    await cancel(rig.recall(), email_id)
    item = await parts.tables.get("EmailTracking", {"emailId": email_id})
    assert item is not None
    assert isinstance(item["ttl"], int)
    assert item["ttl"] > at_ms // 1000


async def test_a_cancel_that_is_killed_anywhere_is_finished_by_the_next(parts: Parts) -> None:
    at_ms, announced = now_ms() + HOUR_MS, list[str]()
    for at in itertools.count(1):
        rig = Recalls(parts)
        email_id = await rig.scheduled(at_ms)
        first = Interposed(parts.tables, at, killed)
        with suppress(Killed):
            await cancel(rig.recall(first), email_id)
        announced = [one.status for one in await rig.announced()]
        assert (await rig.record(email_id)).status == "cancelled" or not announced
        assert isinstance(await cancel(rig.recall(), email_id), Record)
        record = await rig.record(email_id)
        assert (record.status, record.is_open) == ("cancelled", False)
        assert await rig.waiting(email_id, at_ms) is None
        assert {*announced, *(one.status for one in await rig.announced())} == {"cancelled"}
        if first.calls < at:
            break
    assert at > 5


async def test_a_queue_that_takes_no_event_keeps_the_end_open(parts: Parts) -> None:
    rig = Recalls(parts)
    email_id = await rig.scheduled(None)

    class Shut(InMemoryQueue):
        async def send(self, messages: Any) -> Any:
            return [CallFailed(Kind.THROTTLED, "Throttled") for _ in messages]

    rig.events, events = Shut("ses-events"), rig.events
    with pytest.raises(CallFailed):
        await cancel(rig.recall(), email_id)
    record = await rig.record(email_id)
    assert (record.status, record.is_open) == ("cancelled", True)
    rig.events = events
    await cancel(rig.recall(), email_id)
    assert len(await rig.announced()) == 1


async def test_of_a_cancel_and_a_claim_exactly_one_wins(parts: Parts) -> None:
    rig = Recalls(parts)
    ids = [await rig.scheduled(None) for _ in range(30)]

    async def race(email_id: str, *, claims_first: bool) -> tuple[bool, bool]:
        claims = parts.tables.write(claim(email_id))
        cancels = cancel(rig.recall(), email_id)
        if claims_first:
            claimed, outcome = await asyncio.gather(claims, cancels)
        else:
            outcome, claimed = await asyncio.gather(cancels, claims)
        record = await rig.record(email_id)
        won = (type(claimed).__name__ == "Applied", isinstance(outcome, Record))
        assert won == (record.attempt == 1, record.status == "cancelled")
        return won

    results = [
        *[await race(one, claims_first=False) for one in ids[:10]],
        *await asyncio.gather(*[race(one, claims_first=one < ids[20]) for one in ids[10:]]),
    ]
    assert set(results) <= {(True, False), (False, True)}
    assert len(await rig.announced()) == sum(cancelled for _, cancelled in results)


@pytest.mark.parametrize("order", ["claim", "cancel"])
async def test_who_comes_first_wins(parts: Parts, order: str) -> None:
    rig = Recalls(parts)
    email_id = await rig.scheduled(None)
    if order == "claim":
        await parts.tables.write(claim(email_id))
        outcome = await cancel(rig.recall(), email_id)
        assert outcome == TooLate("sending", ended=False)
        assert await rig.recall().reschedule(email_id, "default", now_ms()) == outcome
        await parts.tables.write(WRITES.release(email_id, "me"))
        assert await cancel(rig.recall(), email_id) == TooLate("pending", ended=False)
    else:
        await cancel(rig.recall(), email_id)
        assert type(await parts.tables.write(claim(email_id))).__name__ == "Refused"
        outcome = await rig.recall().reschedule(email_id, "default", now_ms())
        assert outcome == TooLate("cancelled", ended=True)
