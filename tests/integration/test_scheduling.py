"""Mail for later: parked by its record, sent once and not before its time, whatever happens."""

import asyncio
from typing import Any

import msgspec
import pytest

from mailpipe import records, resources
from mailpipe.bodies import Bodies
from mailpipe.messages import EmailMessage, email_decoder
from mailpipe.outcomes import Dead, Done, Park, Retry
from mailpipe.parking import SCHEDULED
from mailpipe.partiql import insert_into
from mailpipe.resources import EMAIL_TRACKING
from mailpipe.scheduled import scheduled_name
from mailpipe.timing import iso, now_ms
from tests.integration.conftest import PREFIX, Parts, message
from tests.integration.scheduling_rig import (
    DAY_MS,
    HOUR_MS,
    Kept,
    at_ms,
    change,
    kept,
    later,
    record,
)
from tests.integration.sender_rig import Rig, rig

__all__ = ["kept", "rig"]  # fixtures


async def test_mail_for_later_has_a_record_and_waits_under_its_name(rig: Rig, kept: Kept) -> None:
    one = later()
    outcome = await rig.handle(one)
    name = scheduled_name("default", one.email_id)
    assert outcome == Park(None, "scheduled", due_ms=at_ms(one), name=name)
    found = await record(rig, one)
    assert (found.shown(now_ms()), found.attempt, found.send_at) == ("scheduled", 0, at_ms(one))
    await kept.park(one, outcome)
    item = await kept.of(one, at_ms(one))
    assert item is not None
    assert item.attributes[SCHEDULED] == "1"
    assert not rig.ses.sent


async def test_killed_between_put_and_delete_the_same_message_is_the_same_item(
    rig: Rig, kept: Kept
) -> None:
    one = later()
    for _ in range(3):
        await kept.park(one, await rig.handle(one))
    name = scheduled_name("default", one.email_id)
    assert [item.message_id for item in await kept.at(at_ms(one))].count(name) == 1


async def test_what_is_due_goes_once_whichever_copies_bring_it(rig: Rig) -> None:
    one = later()
    await rig.handle(one)
    await change(rig, one, sendAt=now_ms() - 1, version=1)  # given an earlier time
    stale, released = await asyncio.gather(
        rig.handle(one), rig.handle(one, attributes={SCHEDULED: "1"})
    )
    assert Done() in (stale, released)
    assert len(rig.ses.sent) == 1
    assert (await record(rig, one)).status == "sent"
    assert await rig.handle(one) == Done()
    assert len(rig.ses.sent) == 1


async def test_a_stale_release_waits_for_the_new_time(rig: Rig, kept: Kept) -> None:
    one = later(in_ms=200)
    new_ms = now_ms() + HOUR_MS
    await rig.store.make(one)
    await change(rig, one, sendAt=new_ms, version=1)
    outcome = await rig.handle(one, attributes={SCHEDULED: "1"})
    assert isinstance(outcome, Park)
    assert outcome.due_ms == new_ms
    await kept.park(one, outcome)
    assert await kept.of(one, new_ms) is not None
    assert not rig.ses.sent


async def test_cancelled_while_it_waits_it_is_never_sent(rig: Rig) -> None:
    one = later()
    await rig.handle(one)
    await change(rig, one, status="cancelled", rank=90, sendAt=now_ms() - 1)
    assert await rig.handle(one, attributes={SCHEDULED: "1"}) == Done()
    assert [event.status for event in await rig.announced()] == ["cancelled"]
    assert not rig.ses.sent


async def test_a_time_that_changes_during_the_put_is_followed(rig: Rig, kept: Kept) -> None:
    one, new_ms = later(), now_ms() + 2 * HOUR_MS
    outcome = await rig.handle(one)
    await change(rig, one, sendAt=new_ms, version=1)  # found no item to move
    await kept.park(one, outcome)
    assert await kept.of(one, new_ms) is not None


async def test_another_mail_of_the_same_id_or_key_does_not_wait(rig: Rig) -> None:
    mine = later()
    mine.fingerprint = "a"
    await rig.handle(mine)
    theirs = msgspec.structs.replace(mine, fingerprint="b")
    assert await rig.handle(theirs) == Dead("key_conflict")
    born = records.USUAL | records.born("taken", "other", records.fields_of(mine))
    await rig.parts.tables.write(insert_into(PREFIX, EMAIL_TRACKING, born))
    foreign = msgspec.structs.replace(mine, email_id="taken")
    assert await rig.handle(foreign) == Dead("tenant_mismatch")


async def test_what_comes_a_little_early_is_kept_until_its_time(rig: Rig) -> None:
    one = later(in_ms=300)
    assert await rig.handle(one) == Done()
    sent_at = (await record(rig, one)).sent_at
    assert sent_at is not None
    assert sent_at >= at_ms(one)


async def test_where_too_many_are_kept_it_comes_again(parts: Parts) -> None:
    rig = Rig(parts, due_kept_s=10)
    rig.slots.keep = lambda: False
    outcome = await rig.handle(later(in_ms=9_000))
    assert isinstance(outcome, Retry)
    assert (outcome.reason, 1 <= outcome.after_s <= 9) == ("scheduled", True)
    assert not rig.ses.sent


async def test_what_breaks_a_rule_is_rejected_now_and_not_in_a_year(rig: Rig) -> None:
    one = later(subject="")
    assert await rig.handle(one) == Done()
    assert (await record(rig, one)).status == "rejected"


async def test_an_ended_mail_is_known_as_long_as_a_message_of_it_may_come(rig: Rig) -> None:
    one = later(in_ms=300 * DAY_MS, subject="")
    assert await rig.handle(one) == Done()
    item = await rig.parts.tables.get(EMAIL_TRACKING, {"emailId": one.email_id})
    assert item is not None
    assert item["ttl"] == records.expiry(at_ms(one), 90)


@pytest.mark.parametrize("send_at", ["9999-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "soon"])
async def test_a_time_that_breaks_a_rule_is_rejected_with_its_record(
    rig: Rig, send_at: str
) -> None:
    one = message(send_at=send_at)
    assert await rig.handle(one) == Done()
    found = await record(rig, one)
    assert (found.status, found.send_at) == ("rejected", None)
    assert found.reason is not None
    assert found.reason.startswith("sendAt: ")


async def test_mail_that_goes_now_is_not_looked_up(rig: Rig) -> None:
    async def never(_: EmailMessage) -> None:
        raise AssertionError("one call more for each mail")

    waited = later(in_ms=200)
    await rig.store.make(waited)
    rig.store.look = never  # type: ignore[method-assign, assignment]
    assert await rig.handle(message()) == Done()
    assert await rig.handle(later(in_ms=200)) == Done()
    assert await rig.handle(waited, attributes={SCHEDULED: "1"}) == Done()
    assert len(rig.ses.sent) == 3


async def test_what_its_message_takes_for_expired_goes_when_its_record_says(rig: Rig) -> None:
    one = message(send_at=iso(now_ms() - 20 * DAY_MS))
    one.queued_at = iso(now_ms() - 30 * DAY_MS)
    await rig.store.make(one)
    await change(rig, one, sendAt=now_ms() - 1, version=1)
    assert await rig.handle(one, attributes={SCHEDULED: "1"}) == Done()
    assert (await record(rig, one)).status == "sent"


async def test_a_mail_that_was_moved_on_its_queue_does_not_end_by_its_old_time(rig: Rig) -> None:
    """A backlog of days, of which its owner wants this mail a little later."""
    one = message()
    one.queued_at = iso(now_ms() - 3 * DAY_MS - HOUR_MS)
    await rig.store.make(one)
    await change(rig, one, sendAt=now_ms() - HOUR_MS, version=1)
    assert await rig.handle(one) == Done()
    assert (await record(rig, one)).status == "sent"


async def test_mail_that_is_moved_while_it_is_ended_is_judged_again(rig: Rig) -> None:
    one = message()
    one.queued_at = iso(now_ms() - 3 * DAY_MS - HOUR_MS)
    await rig.store.make(one)
    claim = rig.store.claim

    async def moved_before(*arguments: Any, **named: Any) -> Any:
        rig.store.claim = claim  # type: ignore[method-assign]
        await change(rig, one, sendAt=now_ms() - HOUR_MS, version=1)
        return await claim(*arguments, **named)

    rig.store.claim = moved_before  # type: ignore[method-assign]
    assert isinstance(await rig.handle(one), Retry)
    assert await rig.handle(one) == Done()
    assert (await record(rig, one)).status == "sent"


async def test_mail_without_a_time_of_its_own_is_given_one_by_its_record(
    rig: Rig, kept: Kept
) -> None:
    one, new_ms = message(), now_ms() + HOUR_MS
    await rig.store.make(one)
    await change(rig, one, status="scheduled", rank=1, sendAt=new_ms, version=1)
    outcome = await rig.handle(one)
    assert isinstance(outcome, Park)
    assert outcome.due_ms == new_ms
    await kept.park(one, outcome)
    item = await kept.of(one, new_ms)
    assert item is not None
    await kept.due.send([item])
    await change(rig, one, sendAt=now_ms() - 1, version=2)
    assert await rig.handle(one, attributes=item.attributes) == Done()
    assert len(rig.ses.sent) == 1


async def test_a_copy_that_finds_no_record_long_after_its_mail_is_no_new_mail(rig: Rig) -> None:
    one = later(in_ms=-100 * DAY_MS)
    one.queued_at = iso(now_ms() - 101 * DAY_MS)
    assert await rig.handle(one, attributes={SCHEDULED: "1"}) == Done()
    assert await rig.parts.record(one.email_id) is None
    assert await rig.announced() == []
    assert await rig.handle(one) == Done()  # one that has never waited is a mail, and ends as such
    assert (await record(rig, one)).status == "expired"


async def test_a_large_body_is_kept_with_the_mail_that_waits_longest(rig: Rig, kept: Kept) -> None:
    one = later(body_text="x" * 10_000)
    await kept.park(one, await rig.handle(one))
    item = await kept.of(one, at_ms(one))
    assert item is not None
    assert item.body_key is not None
    assert item.body_key.startswith(resources.SCHEDULED_PARKED_PREFIX)


async def test_a_claim_check_of_mail_for_later_is_moved_to_where_it_is_kept(
    rig: Rig, kept: Kept
) -> None:
    whole_mail = message(body_text="x" * 60_000)  # without a time, so its body is kept 30 days
    outgoing = await Bodies(rig.bucket).outgoing(whole_mail)
    one = email_decoder.decode(outgoing.body)
    new_ms = now_ms() + HOUR_MS
    await rig.store.make(one)
    await change(rig, one, status="scheduled", rank=1, sendAt=new_ms, version=1)
    await kept.park(one, await rig.handle(one))
    item = await kept.of(one, new_ms)
    assert item is not None
    assert item.body is not None
    moved = email_decoder.decode(item.body)
    assert moved.body is not None
    assert moved.body.s3_key.startswith(f"{resources.SCHEDULED_PREFIX}default/{one.email_id}/")
    await change(rig, one, sendAt=now_ms() - 1, version=2)
    assert await rig.handle(moved, attributes=item.attributes) == Done()
    assert len(rig.ses.sent) == 1
