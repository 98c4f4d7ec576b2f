"""The sweeper over the local cloud: what is open for too long comes to its end."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from mailpipe import metrics, resources
from mailpipe.aws.table import Applied, Refused, Tables
from mailpipe.open_states import Terms, place_of
from mailpipe.outcomes import CallFailed, Done, Kind
from mailpipe.partiql import delete_from, insert_into
from mailpipe.records import Attributes, Value
from mailpipe.status import EXPIRED
from mailpipe.timing import now_ms
from tests.integration import test_processor
from tests.integration.conftest import PREFIX, message
from tests.integration.sweeping_rig import DAY, LOST, MINUTE, WRITES, Rig, rig
from tests.integration.waiting_rig import Killed, MortalQueue

__all__ = ["rig"]  # a fixture


@pytest.mark.parametrize(
    ("changes", "status", "why"),
    [
        ({}, "expired", "its message is gone"),
        ({"attempt": 3}, "expired", "its message is gone"),
        ({"attempt": 2, "possibleDuplicate": True}, "unknown", "attempt 2 was in doubt"),
        ({"attempt": 1, "token": "dead", "leaseUntil": 1}, "unknown", "attempt 1 was in doubt"),
    ],
)
async def test_mail_whose_message_is_gone_ends_and_is_announced(
    rig: Rig, changes: dict[str, Value], status: str, why: str
) -> None:
    email_id = await rig.record(age_ms=LOST, **changes)
    await rig.sweeper().work()
    item, (event,) = await rig.item(email_id), await rig.announced()
    assert (item["status"], item["leaseUntil"]) == (status, 0)
    assert why in str(item["reason"])
    assert item["ttl"] == pytest.approx(rig.now_ms // 1000 + 90 * 86_400, abs=5)
    assert not str(item.get("open", "")).startswith("open#")
    assert (event.email_id, event.status, event.attempt) == (email_id, status, item["attempt"])
    assert event.reason == item["reason"]


async def test_mail_is_ended_soon_after_its_expiry(rig: Rig) -> None:
    over, just = rig.now_ms - 11 * MINUTE, rig.now_ms - 9 * MINUTE
    late, early = [await rig.record(age_ms=DAY, expiresAt=at) for at in (over, just)]
    await rig.sweeper().work()
    assert [(await rig.item(one))["status"] for one in (late, early)] == ["expired", "pending"]
    assert [one.email_id for one in await rig.announced()] == [late]


@pytest.mark.parametrize(
    "changes",
    [
        lambda _: {"age_ms": LOST - 2 * MINUTE},
        lambda at: {"age_ms": 2 * LOST, "sendAt": at + DAY, "status": "scheduled", "rank": 1},
        lambda at: {"age_ms": LOST, "attempt": 1, "token": "t", "leaseUntil": at + MINUTE},
        lambda at: {"age_ms": DAY, "attempt": 1, "token": "t", "leaseUntil": at - 20 * DAY},
        lambda at: {"age_ms": DAY, "status": "sent", "rank": 20, "sentAt": at - 4 * DAY},
        lambda at: {"age_ms": DAY, "status": "cancelled", "rank": 90, "updatedAt": at - MINUTE},
        lambda _: {"age_ms": 9 * MINUTE, "expiresAt": 1},
    ],
)
async def test_what_is_open_for_good_reason_is_left_be(
    rig: Rig, changes: Callable[[int], dict[str, Any]]
) -> None:
    email_id = await rig.record(**changes(rig.now_ms))
    before = await rig.item(email_id)
    await rig.sweeper().work()
    assert await rig.item(email_id) == before
    assert await rig.announced() == []


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"status": "sent", "rank": 20}, None),
        ({"status": "delayed", "rank": 25}, None),
        ({"status": "delivered", "rank": 40, "ranks": {"r0": 40, "r1": 20}}, None),
        ({"status": "bounced", "rank": 50, "ranks": {"r0": 50, "r1": 20}}, "bounced#"),
    ],
)
async def test_mail_of_which_ses_says_no_more_is_closed_as_it_stands(
    rig: Rig, changes: dict[str, Value], key: str | None
) -> None:
    sent_ms = rig.now_ms - 5 * DAY - MINUTE
    email_id = await rig.record(age_ms=6 * DAY, to=2, sentAt=sent_ms, **changes)
    await rig.sweeper().work()
    item = await rig.item(email_id)
    assert (item["status"], item["outcome"]) == (changes["status"], "no_event")
    assert item["ttl"] == pytest.approx(rig.now_ms // 1000 + 90 * 86_400, abs=5)
    assert str(item.get("open")).startswith(str(key))
    assert await rig.announced() == []


@pytest.mark.parametrize(
    ("status", "rank", "events"), [("cancelled", 90, 1), ("unknown", 12, 1), ("delivered", 40, 0)]
)
async def test_an_end_that_was_not_closed_is_announced_again_and_closed(
    rig: Rig, status: str, rank: int, events: int
) -> None:
    ended_ms = rig.now_ms - 11 * MINUTE
    changes: dict[str, Value] = {"status": status, "rank": rank, "updatedAt": ended_ms}
    email_id = await rig.record(age_ms=DAY, **changes)
    await rig.sweeper().work()
    item = await rig.item(email_id)
    assert not str(item.get("open", "")).startswith("open#")
    assert "ttl" in item
    assert [one.status for one in await rig.announced()] == [status] * events


async def test_two_at_once_are_harmless(rig: Rig) -> None:
    lost = [await rig.record(age_ms=LOST) for _ in range(12)]
    ended = {"status": "cancelled", "rank": 90, "updatedAt": rig.now_ms - DAY}
    cancelled = [await rig.record(age_ms=LOST, **ended) for _ in range(12)]
    await asyncio.gather(*(rig.sweeper().work() for _ in range(2)))
    events = await rig.announced()
    assert {one.email_id for one in events} == {*lost, *cancelled}
    assert len({one.id for one in events}) == 24
    assert sum(one.email_id in lost for one in events) == 12
    for email_id in rig.ids:
        assert "open" not in await rig.item(email_id)


@pytest.mark.parametrize("when", ["before the event", "after the event"])
async def test_whoever_is_killed_anywhere_the_next_one_finishes_it(rig: Rig, when: str) -> None:
    email_id = await rig.record(age_ms=LOST)
    if when == "before the event":
        rig.events.fault = CallFailed(Kind.IN_DOUBT, "Timeout")
    else:
        rig.events.kills = True
    with pytest.raises((Killed, CallFailed)):
        await rig.sweeper().work()
    first = await rig.announced()
    assert str((await rig.item(email_id))["open"]).startswith("open#")
    rig.events.fault = None
    rig.now_ms += 11 * MINUTE
    await rig.sweeper().work()
    second = await rig.announced()
    assert len(second) == 1
    assert {one.id for one in first} <= {one.id for one in second}
    assert "open" not in await rig.item(email_id)


@pytest.mark.parametrize(
    ("changes", "closed"),
    [
        ({"attempt": 1, "status": "sent", "rank": 20, "sentAt": now_ms() - 6 * DAY}, "sent"),
        ({"attempt": 1, "token": "dead", "leaseUntil": 1}, "unknown"),
    ],
)
async def test_ses_s_later_word_still_raises_what_was_closed(
    rig: Rig, changes: dict[str, Value], closed: str
) -> None:
    email_id = await rig.record(age_ms=LOST, **changes)
    await rig.sweeper().work()
    assert (await rig.item(email_id))["status"] == closed
    processor = test_processor.Rig(rig.parts)
    for kind, status in (("Send", "sent"), ("Delivery", "delivered")):
        assert await processor.handle(test_processor.event(email_id, kind)) == Done()
        assert (await rig.item(email_id))["status"] == status
    item = await rig.item(email_id)
    assert "open" not in item
    assert "ttl" in item
    after = await rig.parts.record(email_id)
    assert after is not None
    assert (place_of(after, rig.now_ms, Terms()), after.ids) == (None, {"a1": "ses-1"})


class Raced:
    """Tables in which somebody writes right after the records were read."""

    def __init__(self, tables: Tables, write: Any) -> None:
        self._tables = tables
        self._write = write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tables, name)

    async def get_all(self, table: str, keys: list[Attributes]) -> list[Attributes]:
        found = await self._tables.get_all(table, keys)
        if table == resources.EMAIL_TRACKING and self._write is not None:
            assert await self._tables.write(self._write) == Applied()
            self._write = None
        return found


async def test_a_claim_or_an_event_that_comes_first_stands(rig: Rig) -> None:
    claimed, sent = [await rig.record(age_ms=LOST) for _ in range(2)]
    claim = WRITES.claim(
        *(claimed, "default"),
        attempts=0,
        version=0,
        fingerprint=None,
        token="me",
        lease_until_ms=rig.now_ms + MINUTE,
    )
    await rig.sweeper(tables=Raced(rig.parts.tables, claim)).work()
    assert (await rig.item(claimed))["status"] == "pending"
    assert [one.email_id for one in await rig.announced()] == [sent]
    doubted = await rig.record(age_ms=LOST, attempt=1, token="dead", leaseUntil=1)
    proof = WRITES.sent(doubted, 1, "ses-1", at_ms=rig.now_ms)
    await rig.sweeper(tables=Raced(rig.parts.tables, proof)).work()
    assert (await rig.item(doubted))["status"] == "sent"
    assert await rig.announced() == []


@pytest.mark.parametrize(
    "stored", [{"token": "x"}, {"attempt": 2}, {"version": 1}, {"rank": 20, "status": "sent"}]
)
async def test_only_what_stands_as_it_was_read_is_ended(rig: Rig, stored: dict[str, Value]) -> None:
    email_id = await rig.record(**stored)
    found = await rig.parts.record(email_id)
    assert found is not None
    read = msgspec.structs.replace(found, token="-", attempt=0, version=0)
    end = WRITES.give_up(read, EXPIRED, reason="why", at_ms=1)
    assert isinstance(await rig.parts.tables.write(end), Refused)


async def test_a_run_is_bounded_and_the_next_goes_on_where_it_stopped(rig: Rig) -> None:
    later: dict[str, Value] = {"status": "scheduled", "rank": 1, "sendAt": rig.now_ms + DAY}
    ids = list[str]()
    while len(ids) < 6:  # the oldest of the first shard, so that what others have left comes later
        changes = later if len(ids) < 3 else {}
        email_id = await rig.record(age_ms=rig.now_ms - len(rig.ids), **changes)
        if resources.shard(email_id) == 0:
            ids.append(email_id)
    sweeper = rig.sweeper(most=2)
    for swept in (0, 1, 3):
        assert await sweeper.work()
        items = [await rig.item(one) for one in ids[3:]]
        assert ["open" in item for item in items] == [False] * swept + [True] * (3 - swept)


async def test_what_fails_or_cannot_be_read_keeps_nothing_else_from_being_swept(rig: Rig) -> None:
    class Refusing(MortalQueue):
        async def send(self, messages: Any) -> Any:
            self.fault = CallFailed(Kind.REFUSED, "No") if broken in messages[0].body else None
            return await super().send(messages)

    unreadable: Attributes = {
        "emailId": message().email_id,
        "open": resources.open_key_of_shard(0),
        "createdAt": 1,
    }
    await rig.parts.tables.write(insert_into(PREFIX, resources.EMAIL_TRACKING, unreadable))
    broken, good = [await rig.record(age_ms=LOST) for _ in range(2)]
    await rig.sweeper(events=Refusing("ses-events")).work()
    assert (await rig.item(broken))["open"]
    assert "open" not in await rig.item(good)
    key: Attributes = {"emailId": unreadable["emailId"]}
    await rig.parts.tables.write(delete_from(PREFIX, resources.EMAIL_TRACKING, key))


async def test_the_oldest_of_each_state_is_told_while_it_is_known(rig: Rig) -> None:
    await rig.record(age_ms=27 * DAY)
    sweeper = rig.sweeper()
    gauge = metrics.OPEN_OLDEST.labels("pending")
    assert gauge.collect()[0].samples[0].value == 0
    await sweeper.work()
    assert gauge.collect()[0].samples[0].value >= 27 * 86_400
    assert metrics.OPEN_MAILS.labels("pending").collect()[0].samples[0].value >= 1


async def test_a_sender_whose_clock_is_wrong_ends_nothing(rig: Rig) -> None:
    email_id = await rig.record(age_ms=LOST)
    sweeper = rig.sweeper()
    sweeper._time_is_right = lambda: False
    with pytest.raises(CallFailed):
        await sweeper.work()
    assert (await rig.item(email_id))["status"] == "pending"
