"""What a sender makes of mail that was cancelled or moved while its message was under way."""

from mailpipe.board import ACCOUNT
from mailpipe.outcomes import Done, Park
from mailpipe.partiql import update_in
from mailpipe.records import Record
from mailpipe.resources import EMAIL_TRACKING
from mailpipe.scheduled import scheduled_name
from mailpipe.timing import iso, now_ms
from tests.integration.conftest import PREFIX, Parts, message
from tests.integration.recall_rig import HOUR_MS, Recalls
from tests.integration.sender_rig import Rig, rig

__all__ = ["rig"]


async def test_a_cancelled_mail_is_not_sent_and_told_under_the_same_id(
    rig: Rig, parts: Parts
) -> None:
    recalls, one = Recalls(parts), message()
    await recalls.born(one)
    assert isinstance(await recalls.recall().cancel(one.email_id, None, reason="why"), Record)
    assert await rig.handle(one) == Done()
    assert rig.ses.sent == []
    (ours,), (theirs,) = await recalls.announced(), await rig.announced()
    assert (ours.id, ours.status, ours.reason) == (theirs.id, "cancelled", "why")


async def test_a_moved_mail_waits_for_its_new_time_whatever_its_message_says(
    rig: Rig, parts: Parts
) -> None:
    for said in (None, now_ms() + 3 * HOUR_MS):
        recalls = Recalls(parts)
        one = message(send_at=None if said is None else iso(said))
        await recalls.born(one)
        later = now_ms() + HOUR_MS
        await recalls.recall().reschedule(one.email_id, "default", later)
        outcome = await rig.handle(one)
        assert isinstance(outcome, Park)
        name = scheduled_name("default", one.email_id)
        assert (outcome.scope, outcome.due_ms, outcome.name) == (None, later, name)
        assert rig.ses.sent == []


async def test_a_mail_that_is_to_go_at_once_is_sent_once_however_many_messages_come(
    rig: Rig, parts: Parts
) -> None:
    recalls, one = Recalls(parts), message(send_at=iso(now_ms() + HOUR_MS))
    await recalls.born(one)
    assert isinstance(await rig.handle(one), Park)
    await recalls.recall().reschedule(one.email_id, "default", 0)
    for _ in range(3):
        assert await rig.handle(one) == Done()
    assert len(rig.ses.sent) == 1


async def paused(rig: Rig) -> None:
    await rig.board.pause(ACCOUNT, "daily_quota", code="x", probe_at=now_ms())


async def resumed(rig: Rig) -> None:
    for pause in [*rig.board.pauses.values()]:
        assert await rig.board.resume(pause)


async def test_mail_of_a_producer_that_waits_for_a_pause_can_be_cancelled(
    rig: Rig, parts: Parts
) -> None:
    await resumed(rig)
    one, recall = message(), Recalls(parts).recall()
    await paused(rig)
    assert isinstance(await rig.handle(one), Park)
    assert isinstance(await recall.cancel(one.email_id, "default", reason="why"), Record)
    assert await rig.handle(one) == Done()  # a second message of it need not wait
    await resumed(rig)
    assert await rig.handle(one) == Done()
    assert rig.ses.sent == []


async def test_mail_of_a_producer_that_waits_for_a_pause_can_be_moved(
    rig: Rig, parts: Parts
) -> None:
    await resumed(rig)
    one, later = message(), now_ms() + HOUR_MS
    await paused(rig)
    assert isinstance(await rig.handle(one), Park)
    moved = await Recalls(parts).recall().reschedule(one.email_id, "default", later)
    assert isinstance(moved, Record)
    await resumed(rig)
    outcome = await rig.handle(one)
    assert isinstance(outcome, Park)
    assert outcome.due_ms == later


async def test_a_hint_that_a_mail_is_recorded_is_no_evidence_of_it(rig: Rig, parts: Parts) -> None:
    await resumed(rig)
    one = message()
    one.recorded = True
    await paused(rig)
    assert isinstance(await rig.handle(one), Park)
    await resumed(rig)
    assert await parts.record(one.email_id) is not None


async def test_mail_in_doubt_still_waits_for_its_scope(rig: Rig, parts: Parts) -> None:
    await resumed(rig)
    one, recalls = message(), Recalls(parts)
    await recalls.born(one)
    await rig.store.claim(one)
    await paused(rig)
    key, over = {"emailId": one.email_id}, {"leaseUntil": now_ms() - 1}
    await parts.tables.write(update_in(PREFIX, EMAIL_TRACKING, over, key))
    outcome = await rig.handle(one)
    await resumed(rig)
    assert isinstance(outcome, Park)
    assert outcome.scope == ACCOUNT
