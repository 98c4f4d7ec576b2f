"""Parked mail: put before deleted, sent before removed, harmless wherever the process ends."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from mailpipe import origins
from mailpipe.aws.queue import Received
from mailpipe.aws.table import Fate, Tables
from mailpipe.due import FORGET_S, NO_QUEUE_S, DueItems
from mailpipe.messages import MAX_MESSAGE_BYTES
from mailpipe.outcomes import CallFailed, Kind, Park
from mailpipe.parked_items import WATERMARK
from mailpipe.parking import KEPT_S, PROBE, SET_ASIDE, Waits, attributes_of
from mailpipe.partiql import Statement, delete_from, insert_into
from mailpipe.resources import DUE_ITEMS, MAIL_BULK, MAIL_TRANSACTIONAL, shard, waits_for_time
from tests.integration.conftest import PREFIX, Parts
from tests.integration.waiting_rig import Killed, Rig


@pytest.fixture
def rig(parts: Parts) -> Rig:
    return Rig(parts)


class Slow:
    """Tables with something else after each write of an item."""

    def __init__(self, tables: Tables, then: Callable[[], Awaitable[None]]) -> None:
        self._tables = tables
        self._then = then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tables, name)

    async def write(self, statement: Statement) -> Fate:
        fate = await self._tables.write(statement)
        await self._then()
        return fate


async def parked(rig: Rig, *mails: Received, queue: str = MAIL_BULK) -> None:
    for mail in mails:
        await rig.due.park(mail, queue, Park(rig.scope, "paused"))


async def aside(rig: Rig, mail: Received) -> object:
    """Why it was set aside."""
    found = await rig.parts.tables.partition(DUE_ITEMS, SET_ASIDE)
    (why,) = [one["why"] for one in found if one["messageId"] == mail.message_id]
    return why


async def test_a_mail_that_waits_comes_back_whole_and_once(rig: Rig) -> None:
    mail = rig.mail()
    await parked(rig, mail)
    assert await rig.due.send(await rig.due.first(rig.scope, MAIL_BULK, 10))
    (back,) = await rig.on_queue()
    assert back.body == mail.body
    assert back.attributes[origins.ATTRIBUTE] == "AIDASHOP"
    assert await rig.waiting() == 0


async def test_a_message_that_comes_again_after_it_was_parked_is_the_same_item(rig: Rig) -> None:
    mail = rig.mail()
    await parked(rig, mail, mail)
    assert await rig.waiting() == 1


async def test_the_oldest_come_first_over_all_shards_and_each_queue_by_itself(rig: Rig) -> None:
    mails = [rig.mail(age_s=age) for age in range(20)]
    await parked(rig, *mails)
    urgent = rig.mail()
    await parked(rig, urgent, queue=MAIL_TRANSACTIONAL)
    found = await rig.due.first(rig.scope, MAIL_BULK, 5)
    assert found
    oldest_first = [one.message_id for one in reversed(mails)]
    assert [one.message_id for one in found] == oldest_first[: len(found)]
    (only,) = await rig.due.first(rig.scope, MAIL_TRANSACTIONAL, 5)
    assert only.message_id == urgent.message_id


async def test_killed_between_send_and_removal_it_is_there_twice(rig: Rig) -> None:
    await parked(rig, rig.mail())
    rig.queues[MAIL_BULK].kills = True
    with pytest.raises(Killed):
        await rig.due.send(await rig.due.first(rig.scope, MAIL_BULK, 1))
    assert len(await rig.on_queue()) == 1
    assert await rig.waiting() == 1


async def test_parked_anew_before_its_old_item_is_removed_it_stays(rig: Rig) -> None:
    await parked(rig, rig.mail())
    old = await rig.due.first(rig.scope, MAIL_BULK, 1)
    rig.queues[MAIL_BULK].kills = True
    with pytest.raises(Killed):
        await rig.due.send(old)
    (back,) = await rig.on_queue()
    await parked(rig, back)  # the scope is paused again
    await rig.due.send(old)  # and only now the first item goes
    assert await rig.waiting() == 1


async def test_what_its_queue_refuses_stays(rig: Rig) -> None:
    await parked(rig, rig.mail())
    rig.queues[MAIL_BULK].fault = CallFailed(Kind.THROTTLED, "Slow")
    assert await rig.due.send(await rig.due.first(rig.scope, MAIL_BULK, 1)) == []
    assert await rig.waiting() == 1


async def test_a_probe_is_the_first_mail_the_urgent_lane_before_the_other(rig: Rig) -> None:
    assert not await rig.due.probe(rig.scope)
    await parked(rig, rig.mail(age_s=60))
    await parked(rig, rig.mail(), queue=MAIL_TRANSACTIONAL)
    assert await rig.due.probe(rig.scope)
    (probe,) = await rig.on_queue(MAIL_TRANSACTIONAL)
    assert probe.attributes[PROBE] == rig.scope
    assert await rig.waiting() == 1


async def test_large_mail_lies_in_the_bucket(rig: Rig) -> None:
    mail = rig.mail(body_text="\u20ac" * 3000)
    await parked(rig, mail)
    assert len(rig.bucket.objects) == 1
    (found,) = await rig.due.first(rig.scope, MAIL_BULK, 1)
    assert found.body is None
    await rig.due.send([found])
    (back,) = await rig.on_queue()
    assert back.body == mail.body


async def test_nothing_waits_behind_a_mail_whose_body_is_gone(rig: Rig) -> None:
    lost = rig.mail(age_s=60, body_text="x" * 5000)
    await parked(rig, lost, rig.mail())
    rig.bucket.objects.clear()
    assert len(await rig.due.send(await rig.due.first(rig.scope, MAIL_BULK, 10))) == 1
    assert await rig.waiting() == 0
    assert await aside(rig, lost) == "body_missing"


async def test_what_sqs_refuses_for_good_stands_in_the_way_of_no_probe(rig: Rig) -> None:
    mail = rig.mail()
    # With what we add to a message it is more than SQS takes.
    room = MAX_MESSAGE_BYTES - len(rig.mail(body_text="").body)
    crowded = rig.mail(age_s=60, body_text="x" * room)
    await parked(rig, crowded, mail)
    assert await rig.due.probe(rig.scope)
    (probe,) = await rig.on_queue()
    assert probe.body == mail.body
    assert await aside(rig, crowded) == "refused"
    assert not await rig.due.probe(rig.scope)


async def test_an_item_that_cannot_be_read_is_set_aside_and_kept_whole(rig: Rig) -> None:
    mails = [rig.mail(age_s=60), rig.mail()]
    await parked(rig, *mails)
    (first, _) = await rig.due.first(rig.scope, MAIL_BULK, 10)
    broken = attributes_of(first) | {"receives": "many"}
    await rig.parts.tables.write(delete_from(PREFIX, DUE_ITEMS, first.key))
    await rig.parts.tables.write(insert_into(PREFIX, DUE_ITEMS, broken))
    (read,) = await rig.due.first(rig.scope, MAIL_BULK, 10)
    assert read.message_id == mails[1].message_id
    found = await rig.parts.tables.get(DUE_ITEMS, first.key | {"waitsFor": SET_ASIDE})
    assert found is not None
    assert found.items() >= {"waitedFor": first.waits_for, "body": first.body}.items()
    assert found["ttl"] == rig.now_ms // 1000 + KEPT_S


async def test_a_body_that_cannot_be_read_now_keeps_no_other_mail_back(rig: Rig) -> None:
    large = rig.mail(age_s=60, body_text="x" * 5000)
    await parked(rig, large, rig.mail())
    rig.bucket.fault = CallFailed(Kind.THROTTLED, "SlowDown")
    assert await rig.due.probe(rig.scope)
    assert await rig.due.probe(rig.scope)  # somebody waits, who cannot try it now
    rig.bucket.fault = None
    assert len(await rig.due.send(await rig.due.first(rig.scope, MAIL_BULK, 10))) == 1


async def test_what_no_sender_has_a_queue_for_is_set_aside_in_the_end(rig: Rig) -> None:
    mail = rig.mail()
    await rig.due.park(mail, "mail-of-tomorrow", Park(rig.scope, "paused"))
    (one,) = await rig.due.first(rig.scope, "mail-of-tomorrow", 1)
    assert await rig.due.send([one]) == []
    assert await rig.due.first(rig.scope, "mail-of-tomorrow", 1)
    rig.now_ms += round(NO_QUEUE_S * 1000)
    assert await rig.due.send([one]) == []
    assert await aside(rig, mail) == "no_queue"


async def test_a_minute_that_was_passed_gets_nothing_more(rig: Rig) -> None:
    tables, minute = rig.parts.tables, rig.now_ms // 60_000 + 60
    await tables.write(delete_from(PREFIX, DUE_ITEMS, WATERMARK))
    await tables.write(insert_into(PREFIX, DUE_ITEMS, WATERMARK | {"minute": minute}))
    mail = rig.mail()
    due_ms = rig.now_ms + 600_000
    await rig.due.park(mail, MAIL_BULK, Park(None, "later", due_ms=due_ms))
    partition = waits_for_time(minute + 1, shard(mail.message_id))
    (moved,), _ = await rig.due.page(partition, ("0", "~"), limit=10)
    assert (moved.message_id, moved.at_ms) == (mail.message_id, due_ms)
    await tables.write(delete_from(PREFIX, DUE_ITEMS, WATERMARK))


async def test_a_put_that_took_long_gets_as_much_time_as_any_and_is_looked_at_again(
    rig: Rig,
) -> None:
    """Each look at the watermark finds the minutes of the put before it passed."""
    tables, mail, minutes = rig.parts.tables, rig.mail(), list[int]()

    async def passed() -> None:
        if len(minutes) < 2:
            rig.now_ms += 600_000
            minutes.append(rig.now_ms // 60_000)
        mark = WATERMARK | {"minute": minutes[-1] - 2}
        await tables.write(delete_from(PREFIX, DUE_ITEMS, WATERMARK))
        await tables.write(insert_into(PREFIX, DUE_ITEMS, mark))

    due = DueItems(
        *(cast(Tables, Slow(tables, passed)), PREFIX, rig.queues),
        waits=Waits(),
        wall_ms=lambda: rig.now_ms,
    )
    await due.park(mail, MAIL_BULK, Park(None, "later", due_ms=rig.now_ms + 61_000))
    partition = waits_for_time(rig.now_ms // 60_000, shard(mail.message_id))
    (kept,), _ = await rig.due.page(partition, ("0", "~"), limit=10)
    assert kept.message_id == mail.message_id
    assert len(minutes) == 2
    await tables.write(delete_from(PREFIX, DUE_ITEMS, WATERMARK))


async def test_what_cannot_be_sent_anew_does_not_come_for_ever(rig: Rig) -> None:
    often = rig.mail(body_text="x" * MAX_MESSAGE_BYTES)
    await rig.due.park(often, MAIL_BULK, Park(None, "often", due_ms=rig.now_ms))
    assert await aside(rig, often) == "refused"


async def test_what_is_due_soon_goes_back_at_once_with_a_new_clock(rig: Rig) -> None:
    mail = rig.mail()
    await rig.due.park(mail, MAIL_BULK, Park(None, "often", due_ms=rig.now_ms + 29_500))
    assert await rig.on_queue() == []
    rig.now_ms += 30_000
    (back,) = await rig.on_queue()
    assert (back.body, back.receives) == (mail.body, 1)
    assert back.attributes[origins.ATTRIBUTE] == "AIDASHOP"


async def test_a_failed_put_is_told(rig: Rig) -> None:
    rig.queues[MAIL_BULK].fault = CallFailed(Kind.THROTTLED, "Slow")
    with pytest.raises(CallFailed):
        await rig.due.park(rig.mail(), MAIL_BULK, Park(None, "often", due_ms=rig.now_ms))


async def test_a_scope_is_known_as_long_as_mail_may_wait_for_it(rig: Rig) -> None:
    await parked(rig, rig.mail())
    assert rig.scope in await rig.due.scopes()
    at = (await rig.due.scopes())[rig.scope]
    await rig.due.forget(rig.scope, at)  # somebody has parked just now
    assert rig.scope in await rig.due.scopes()
    rig.now_ms += round(FORGET_S * 1000) + 1
    await rig.due.forget(rig.scope, at - 1)  # somebody has parked meanwhile
    assert rig.scope in await rig.due.scopes()
    await rig.due.forget(rig.scope, at)
    assert rig.scope not in await rig.due.scopes()
