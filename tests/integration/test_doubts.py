"""Mail of which nobody knows whether SES has it, over the local cloud."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from mailpipe import evidence, resources
from mailpipe.evidence import CLOCKS_MS, Figures
from mailpipe.lifecycle import Stop
from mailpipe.outcomes import CallFailed, Done, Kind, Outcome, Park
from mailpipe.parking import IN_DOUBT
from mailpipe.partiql import delete_from, insert_into, update_in
from mailpipe.records import Attributes, Record
from mailpipe.timing import iso, now_ms
from sender.claims import Doubtful, Won
from tests.integration.conftest import PREFIX, Parts, message
from tests.integration.sender_rig import Rig, rig, suppress

__all__ = ["rig"]

LOST = CallFailed(Kind.IN_DOUBT, "ReadTimeoutError")


@pytest.fixture(autouse=True)
async def nobody_publishes(parts: Parts) -> None:
    for item in await parts.tables.partition(resources.COORDINATION, evidence.KIND):
        key = evidence.key_of(str(item["id"]))
        await parts.tables.write(delete_from(PREFIX, resources.COORDINATION, key))


async def published(parts: Parts, *, handled: int) -> None:
    figures = Figures(at=now_ms(), every_ms=60_000, visibility_ms=60_000, handled=handled)
    changes = {k: v for k, v in evidence.changes_of(figures).items() if v is not None}
    item = evidence.key_of("p1") | changes
    await parts.tables.write(insert_into(PREFIX, resources.COORDINATION, item))


@asynccontextmanager
async def at_work(rig: Rig) -> AsyncIterator[None]:
    """Its slots are handed out."""
    stop = Stop()
    running = asyncio.create_task(rig.slots.run(stop))
    yield
    stop.set()
    await running


async def recorded(rig: Rig, email_id: str) -> Record:
    record = await rig.parts.record(email_id)
    assert record is not None
    return record


async def over(rig: Rig, email_id: str) -> None:
    """The lease of the claim has run out, a while ago."""
    lapsed = {"leaseUntil": now_ms() - 2_000}
    key = {"emailId": email_id}
    await rig.parts.tables.write(update_in(PREFIX, resources.EMAIL_TRACKING, lapsed, key))


def due_ms(outcome: Outcome) -> int:
    assert isinstance(outcome, Park)
    assert (outcome.scope, outcome.in_doubt) == (None, True)
    assert outcome.due_ms is not None
    return outcome.due_ms


async def test_a_send_in_doubt_keeps_its_claim_and_is_sent_again_only_after_the_lease(
    rig: Rig,
) -> None:
    one = message()
    rig.ses.script = [LOST]
    assert due_ms(await rig.handle(one)) == (await recorded(rig, one.email_id)).lease_until
    assert not isinstance(await rig.handle(one), Done)
    assert len(rig.ses.sent) == 1
    await over(rig, one.email_id)
    assert await rig.handle(one) == Done()
    assert len(rig.ses.sent) == 2
    record = await recorded(rig, one.email_id)
    assert (record.attempt, record.possible_duplicate, record.doubts) == (2, True, 1)


async def test_a_refusal_after_a_doubt_is_unknown_not_failed(rig: Rig) -> None:
    one = message()
    rig.ses.script = [LOST, CallFailed(Kind.REFUSED, "MessageRejected", "virus")]
    await rig.handle(one)
    await over(rig, one.email_id)
    assert await rig.handle(one) == Done()
    (event,) = await rig.announced()
    assert event.status == "unknown"
    assert "virus" in event.reason


async def test_a_doubt_is_remembered_over_releases(rig: Rig) -> None:
    """Taken over, given back, and then refused: the first attempt may still have arrived."""
    one = message()
    throttled = CallFailed(Kind.THROTTLED, "TooManyRequestsException")
    rig.ses.script = [LOST, throttled, CallFailed(Kind.REFUSED, "MessageRejected", "virus")]
    await rig.handle(one)
    await over(rig, one.email_id)
    await rig.handle(one)
    assert await rig.handle(one, receives=2) == Done()
    assert (await recorded(rig, one.email_id)).status == "unknown"


async def test_the_third_doubt_ends_whatever_the_policy(rig: Rig) -> None:
    one = message(in_doubt="resend")
    rig.ses.script = [LOST, LOST, LOST]
    for _ in range(3):
        due_ms(await rig.handle(one))
        await over(rig, one.email_id)
    assert await rig.handle(one) == Done()
    record = await recorded(rig, one.email_id)
    assert (record.status, record.doubts, record.attempt) == ("unknown", 3, 3)
    assert len(rig.ses.sent) == 3
    assert [event.status for event in await rig.announced()] == ["unknown"]


async def test_a_mail_that_must_not_go_twice_ends_and_says_so_at_each_repeat(rig: Rig) -> None:
    one = message(in_doubt="unknown")
    rig.ses.script = [LOST]
    await rig.handle(one)
    await over(rig, one.email_id)
    assert await rig.handle(one) == Done()
    assert await rig.handle(one) == Done()
    first, second = await rig.announced()
    assert (first.status, first.id) == ("unknown", second.id)
    assert len(rig.ses.sent) == 1
    record = await recorded(rig, one.email_id)
    assert record.reason is not None
    assert "send number 1" in record.reason
    assert (record.lease_until, record.possible_duplicate) == (0, False)


async def test_what_has_expired_in_doubt_is_unknown_not_expired(rig: Rig) -> None:
    one = message()
    rig.ses.script = [LOST]
    await rig.handle(one)
    await over(rig, one.email_id)
    aged = replace(one, queued_at=iso(days_ago := now_ms() - 5 * 86_400_000))
    key: Attributes = {"emailId": one.email_id}
    made = update_in(PREFIX, resources.EMAIL_TRACKING, {"createdAt": days_ago}, key)
    await rig.parts.tables.write(made)
    assert await rig.handle(aged) == Done()
    record = await recorded(rig, one.email_id)
    assert record.status == "unknown"
    assert "expired after a send in doubt" in (record.reason or "")
    assert len(rig.ses.sent) == 1


async def test_a_suppression_between_the_doubt_and_the_copy_is_obeyed(rig: Rig) -> None:
    one = message(to=["out-after-doubt@example.net", "in@example.net"])
    rig.ses.script = [LOST]
    await rig.handle(one)
    await suppress(rig.parts, "out-after-doubt@example.net")
    await over(rig, one.email_id)
    assert await rig.handle(one) == Done()
    assert rig.ses.sent[1].destination.to_addresses == ["in@example.net"]
    assert (await recorded(rig, one.email_id)).ranks == {"r0": 12, "r1": 0}


async def test_within_the_grace_a_doubtful_mail_waits_for_its_event(parts: Parts) -> None:
    one, rig = message(), Rig(parts, grace_s=60)
    claim = await rig.store.claim(one)
    assert isinstance(claim, Won)
    await over(rig, one.email_id)
    answer = await rig.store.claim(one)
    assert isinstance(answer, Doubtful)
    assert answer.look_ms == answer.record.lease_until + 60_000


async def test_without_evidence_it_waits_and_takes_nobodys_slot(parts: Parts) -> None:
    """Nobody hands out slots here: a mail that is known to be in doubt does not ask for one."""
    one, rig = message(), Rig(parts, decide_s=3600)
    assert isinstance(await rig.store.claim(one), Won)
    await over(rig, one.email_id)
    async with asyncio.timeout(10):
        outcome = await rig.handle(one, attributes={IN_DOUBT: "1"})
    assert now_ms() + 25_000 < due_ms(outcome) <= now_ms() + 30_000
    assert (await recorded(rig, one.email_id)).attempt == 1


async def test_with_evidence_it_goes_again(parts: Parts) -> None:
    one, first, second = message(), Rig(parts, decide_s=3600), Rig(parts, decide_s=3600)
    async with at_work(first), at_work(second):
        first.ses.script = [LOST]
        lease_until_ms = due_ms(await first.handle(one))
        await over(first, one.email_id)
        due_ms(await first.handle(one))
        await published(parts, handled=lease_until_ms + CLOCKS_MS)
        assert await second.handle(one, attributes={IN_DOUBT: "1"}) == Done()
    assert (len(first.ses.sent), len(second.ses.sent)) == (1, 1)
    assert (await recorded(first, one.email_id)).possible_duplicate


async def test_with_evidence_the_policy_applies(parts: Parts) -> None:
    one, rig = message(in_doubt="unknown"), Rig(parts, decide_s=3600)
    claim = await rig.store.claim(one)
    assert isinstance(claim, Won)
    await published(parts, handled=claim.lease_until_ms + CLOCKS_MS)
    await over(rig, one.email_id)
    assert await rig.handle(one, attributes={IN_DOUBT: "1"}) == Done()
    assert (await recorded(rig, one.email_id)).status == "unknown"


async def test_what_an_event_has_proved_is_done(parts: Parts) -> None:
    one, rig = message(), Rig(parts)
    claim = await rig.store.claim(one)
    assert isinstance(claim, Won)
    await rig.store.sent(one.email_id, 1, "ses-1", at_ms=now_ms())
    assert await rig.handle(one, attributes={IN_DOUBT: "1"}) == Done()
    assert rig.ses.sent == []


async def test_two_that_decide_at_once_make_one_copy(rig: Rig) -> None:
    one = message()
    claim = await rig.store.claim(one)
    assert isinstance(claim, Won)
    await over(rig, one.email_id)
    await asyncio.gather(*(rig.handle(one) for _ in range(4)))
    assert len(rig.ses.sent) == 1
    assert (await recorded(rig, one.email_id)).attempt == 2
