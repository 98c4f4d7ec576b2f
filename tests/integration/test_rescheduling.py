"""Mail that goes at another time: what waits moves with it, whatever happens in between."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from mailpipe.aws.queue import Fault, Outgoing
from mailpipe.aws.table import Applied
from mailpipe.due import DueItems
from mailpipe.due_times import DueTimes
from mailpipe.messages import encode
from mailpipe.parked_items import WATERMARK
from mailpipe.parking import MINUTE_MS, Waits
from mailpipe.partiql import insert_into, update_in
from mailpipe.records import Record, stub_expiry
from mailpipe.resources import DUE_ITEMS, MAIL_BULK
from mailpipe.rules import Violation
from mailpipe.testing import InMemoryQueue
from mailpipe.times import DAY_MS, SEND_AT_MOST_DAYS
from mailpipe.timing import now_ms
from tests.integration.conftest import PREFIX, Parts, message
from tests.integration.recall_rig import HOUR_MS, Interposed, Recalls

NOW = now_ms()
OLD, LATER, EARLIER = NOW + 2 * HOUR_MS, NOW + 3 * HOUR_MS, NOW + HOUR_MS
Happens = Callable[[Recalls, str], Awaitable[object]]


class Killed(BaseException):
    """The process ended here."""


async def moved(rig: Recalls, email_id: str, to_ms: int, tables: Any = None) -> Any:
    return await rig.recall(tables).reschedule(email_id, "default", to_ms)


async def at_every_call(
    parts: Parts, to_ms: int, happens: Happens, judge: Happens, *, parked: bool = True
) -> None:
    """Move fresh mails, with something else after the first, the second, … call to the tables."""

    async def at_call(at: int) -> int:
        rig = Recalls(parts)
        email_id = await rig.scheduled(OLD, parked=parked)
        tables = Interposed(parts.tables, at, partial(happens, rig, email_id))
        with suppress(Killed):
            await moved(rig, email_id, to_ms, tables)
        if tables.calls >= at:
            await judge(rig, email_id)
        return tables.calls

    calls = await at_call(1000)
    assert calls > 4
    assert await asyncio.gather(*map(at_call, range(1, calls + 1)))


async def waits_in_time(rig: Recalls, email_id: str) -> None:
    """Something brings it to a sender when it is due, at the latest."""
    send_at = (await rig.record(email_id)).send_at or 0
    waiting = [at for at in (OLD, LATER, EARLIER) if await rig.waiting(email_id, at)]
    assert waiting
    assert min(waiting) <= send_at


async def test_what_waits_goes_to_the_new_time_and_twice_is_once(parts: Parts) -> None:
    rig = Recalls(parts)
    email_id = await rig.scheduled(OLD)
    before = await rig.waiting(email_id, OLD)
    for _ in range(2):
        answer = await moved(rig, email_id, LATER)
        assert (answer.send_at, answer.shown(NOW)) == (LATER, "scheduled")
    record, item = await rig.record(email_id), await rig.waiting(email_id, LATER)
    assert (record.status, record.send_at, record.moved_from) == ("scheduled", LATER, OLD)
    assert (record.version, record.is_open) == (1, True)
    assert item is not None
    assert before is not None
    assert (item.body, item.queue) == (before.body, MAIL_BULK)
    assert item.ttl - before.ttl == (LATER - OLD) // 1000
    assert await rig.waiting(email_id, OLD) is None


async def test_mail_that_waits_nowhere_yet_gets_its_time_in_the_record(parts: Parts) -> None:
    rig = Recalls(parts)
    email_id = await rig.scheduled(None)
    answer = await moved(rig, email_id, LATER)
    assert isinstance(answer, Record)
    record = await rig.record(email_id)
    assert (record.status, record.send_at, record.moved_from, record.version) == (
        *("scheduled", LATER),
        *(None, 1),
    )


async def test_it_is_found_by_its_further_recipients_as_long_as_by_the_first(
    parts: Parts,
) -> None:
    rig = Recalls(parts)
    email_id = await rig.scheduled(OLD, parked=False, to=["a@example.net", "b@example.net"])
    stub = f"{email_id}#1"
    await rig.insert("EmailTracking", {"emailId": stub, "ttl": NOW // 1000})
    far = NOW + 300 * DAY_MS
    for at_ms in (far, EARLIER):
        await moved(rig, email_id, at_ms)
        found = await parts.tables.get("EmailTracking", {"emailId": stub})
        assert found is not None
        assert found["ttl"] == stub_expiry(far, 90)


@pytest.mark.parametrize("to_ms", [LATER, EARLIER], ids=["later", "earlier"])
async def test_killed_anywhere_it_waits_in_time_and_the_next_finishes(
    parts: Parts, to_ms: int
) -> None:
    async def killed(_: Recalls, __: str) -> None:
        raise Killed

    async def judge(rig: Recalls, email_id: str) -> None:
        await waits_in_time(rig, email_id)
        await moved(rig, email_id, to_ms)
        assert (await rig.record(email_id)).send_at == to_ms
        assert await rig.waiting(email_id, to_ms)
        assert await rig.waiting(email_id, OLD) is None

    await at_every_call(parts, to_ms, killed, judge)


@pytest.mark.parametrize("to_ms", [LATER, EARLIER], ids=["later", "earlier"])
@pytest.mark.parametrize("other", [OLD, LATER, EARLIER], ids=["old", "later", "earlier"])
async def test_of_two_that_move_it_at_once_the_last_is_kept(
    parts: Parts, other: int, to_ms: int
) -> None:
    """Back to the old time, too: nobody deletes what somebody else has just put."""

    async def moves(rig: Recalls, email_id: str) -> None:
        await moved(rig, email_id, other)

    async def judge(rig: Recalls, email_id: str) -> None:
        assert await rig.waiting(email_id, (await rig.record(email_id)).send_at or 0)

    await at_every_call(parts, to_ms, moves, judge)


async def test_a_move_that_loses_leaves_nothing_at_a_time_that_no_record_knows(
    parts: Parts,
) -> None:
    """When it comes the record may be gone, and a copy without one would be a new mail."""
    outcomes = set[bool]()

    async def cancels(rig: Recalls, email_id: str) -> None:
        await rig.recall().cancel(email_id, "default", reason="x")

    async def judge(rig: Recalls, email_id: str) -> None:
        record = await rig.record(email_id)
        outcomes.add(lost := LATER not in record.times())
        if lost:
            assert await rig.waiting(email_id, LATER) is None

    await at_every_call(parts, LATER, cancels, judge)
    assert outcomes == {True, False}


async def test_what_a_sender_parks_meanwhile_moves_too(parts: Parts) -> None:
    """As senders do: by the record's time, and again if that has changed (here it has not)."""

    async def parks(rig: Recalls, email_id: str) -> None:
        await rig.park(email_id, (await rig.record(email_id)).send_at or 0)

    await at_every_call(parts, EARLIER, parks, waits_in_time, parked=False)


async def test_a_mail_that_comes_back_to_a_time_is_not_deleted_with_its_last_release(
    parts: Parts,
) -> None:
    """The release has read an item, and the mail is moved there again before it deletes it."""
    rig = Recalls(parts)
    email_id = await rig.scheduled(LATER)
    await rig.park(email_id, OLD)

    class Slow(InMemoryQueue):
        async def send(self, messages: Sequence[Outgoing]) -> list[Fault]:
            await moved(rig, email_id, OLD)
            return await super().send(messages)

    due = DueItems(parts.tables, PREFIX, {MAIL_BULK: Slow(MAIL_BULK)}, waits=Waits())
    item = await rig.waiting(email_id, OLD)
    assert item is not None
    await due.send([item])
    assert await rig.waiting(email_id, OLD)
    assert await rig.waiting(email_id, LATER) is None


async def on_queue(queue: InMemoryQueue) -> list[str]:
    """The bodies of what can be received now; they are taken."""
    found = list[str]()
    while some := await queue.receive(10, wait_s=0):
        found += [one.body for one in some]
        await queue.delete([one.receipt for one in some])
    return found


@pytest.mark.parametrize("size", [10, 50_000])
async def test_what_is_past_or_due_soon_is_on_its_queue_at_once(parts: Parts, size: int) -> None:
    """A large body, too: it lies in the bucket."""
    rig = Recalls(parts)
    email_id = await rig.scheduled(OLD, parked=False)
    body = encode(message()).replace("Hello", "x" * size)
    await rig.bucket.put("parked", body.encode())
    await rig.park(email_id, OLD, body=body, body_key="parked" if size > 4096 else None)
    answer = await moved(rig, email_id, 7)
    assert (answer.shown(now_ms()), answer.send_at) == ("pending", answer.created_at)
    # Twice where another test has left a watermark that is ahead.
    assert set(await on_queue(rig.queue)) == {body}
    assert await rig.waiting(email_id, OLD) is None
    other = await rig.scheduled(OLD)
    await moved(rig, other, soon := now_ms() + 30_000)
    assert (await rig.queue.depth()).delayed >= 1
    assert await rig.waiting(other, soon) is None


@pytest.mark.parametrize("behind", [False, True])
async def test_killed_on_the_way_to_at_once_it_goes_with_the_next_look(
    parts: Parts, behind: bool
) -> None:
    """Also where who looks for what is due is ahead of this clock."""
    minute = now_ms() // MINUTE_MS + (1 if behind else -1)
    mark = {"minute": minute}
    if await parts.tables.write(insert_into(PREFIX, DUE_ITEMS, {**WATERMARK, **mark})) != Applied():
        await parts.tables.write(update_in(PREFIX, DUE_ITEMS, mark, WATERMARK))
    rigs = dict[str, Recalls]()

    async def killed(rig: Recalls, email_id: str) -> None:
        rigs[email_id] = rig
        raise Killed

    async def judge(_: Recalls, __: str) -> None:
        pass

    await at_every_call(parts, 7, killed, judge)
    queue, later = InMemoryQueue(MAIL_BULK), now_ms() + 3 * MINUTE_MS
    due = DueItems(parts.tables, PREFIX, {MAIL_BULK: queue}, waits=Waits(), wall_ms=lambda: later)
    times = DueTimes(due, parts.tables, PREFIX)
    while await times.work():
        pass
    sent = "".join(await on_queue(queue))
    for email_id, rig in rigs.items():
        sent += "".join(await on_queue(rig.queue))
        record = await rig.record(email_id)
        assert (record.send_at == record.created_at) <= (email_id in sent)


async def test_a_mail_does_not_go_after_it_has_expired_nor_in_more_than_a_year(
    parts: Parts,
) -> None:
    rig = Recalls(parts)
    email_id = await rig.scheduled(OLD, expiresAt=LATER, createdAt=NOW)
    most = NOW + SEND_AT_MOST_DAYS * DAY_MS
    for far in (LATER, most, most + 1):
        refused = await moved(rig, email_id, far)
        assert isinstance(refused, Violation)
        assert (refused.field, refused.constraint) == ("sendAt", "too_far")
    assert isinstance(await moved(rig, email_id, LATER - 1), Record)
    other = await rig.scheduled(OLD, createdAt=NOW)
    assert isinstance(await moved(rig, other, most + 1), Violation)
    assert isinstance(await moved(rig, other, most), Record)
