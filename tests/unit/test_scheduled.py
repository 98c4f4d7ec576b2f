"""Mail for later: where its items lie, and when its messages come."""

from collections import Counter
from random import Random
from typing import cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Gauge

from mailpipe.aws.queue import MAX_DELAY_S, Outgoing, Received
from mailpipe.aws.table import Applied, Tables
from mailpipe.due import DueItems
from mailpipe.due_times import PAGE, DueTimes
from mailpipe.metrics import PARKED_OLDEST, Told
from mailpipe.outcomes import CallFailed, Kind, Park
from mailpipe.parked_items import Watermark
from mailpipe.parking import (
    MINUTE_MS,
    PAUSED_MS,
    SCHEDULED,
    Parked,
    Waits,
    delay_of,
    item_of,
    released,
    scheduled,
)
from mailpipe.partiql import Statement
from mailpipe.resources import SHARDS
from mailpipe.scheduled import email_id_of, key_of_time, moved, scheduled_name

NINE = 1_798_362_000_000  # 2026-12-27T09:00:00Z
NOW = NINE - 3_600_000
MESSAGE = Received("m", "r", '{"queuedAt":"2026-01-01T00:00:00Z"}', receives=1, sent_at_ms=NOW)
IDS = st.from_regex(r"\A[A-Za-z0-9_-]{1,64}\Z")


def waiting(name: str = "t.e", at_ms: int = NINE) -> Parked:
    """The item of a mail that waits for this time."""
    park = Park(None, "scheduled", due_ms=at_ms, name=name)
    return item_of(scheduled(MESSAGE), "mail-bulk", park, now_ms=NOW, body_key=None)


def sent(parked: Parked, now_ms: int) -> Outgoing:
    """As it goes back to its queue."""
    assert parked.body is not None
    return released(parked, parked.body, now_ms=now_ms)


def test_mails_for_one_instant_are_spread_evenly_over_the_shards() -> None:
    """By the real key, of ids as producers make them: time in front, random behind (UUIDv7)."""
    random, count = Random(7), 1_000_000
    shards = Counter[str]()
    for number in range(count):
        head, tail = f"{NOW - 86_400_000 + number // 50:012x}", random.randbytes(8).hex()
        email_id = f"{head[:8]}-{head[8:]}-7{tail[:3]}-8{tail[3:6]}-{tail[4:]}"
        shards[str(key_of_time(scheduled_name("shop", email_id), NINE)["waitsFor"])] += 1
    even = count / SHARDS
    assert len(shards) == SHARDS
    assert all(abs(there - even) / even < 0.01 for there in shards.values())


class Minute:
    """Everything that waits for some times, in place of the table: what `DueTimes` asks. What is
    `stuck` cannot be sent.
    """

    def __init__(self, names: list[str], at_ms: int = NINE) -> None:
        self.waits = Waits()
        self.items = dict[str, dict[str, Parked]]()
        self.pieces = list[int]()
        self.now_ms = NINE - 30_000
        self.sent = set[str]()
        self.stuck = set[str]()
        self.add(names, at_ms)

    def add(self, names: list[str], at_ms: int) -> None:
        for name in names:
            one = waiting(name, at_ms)
            self.items.setdefault(one.waits_for, {})[name] = one

    def wall_ms(self) -> int:
        return self.now_ms

    async def watermark(self) -> Watermark:
        return Watermark(NINE // MINUTE_MS - 2, NINE // MINUTE_MS - 2)

    async def page(
        self, partition: str, between: tuple[str, str], *, limit: int
    ) -> tuple[list[Parked], bool]:
        there = self.items.get(partition, {}).values()
        found = sorted(one.due_key for one in there if between[0] <= one.due_key)
        by_key = {one.due_key: one for one in there}
        return [by_key[key] for key in found[:limit]], len(found) > limit

    async def send(self, parked: list[Parked]) -> list[Parked]:
        self.pieces.append(len(parked))
        went = [one for one in parked if one.message_id not in self.stuck]
        for one in went:
            del self.items[one.waits_for][one.message_id]
            self.sent.add(one.message_id)
        return went


class Takes:
    """A table that takes every write."""

    async def write(self, _: Statement) -> Applied:
        return Applied()


def task(minute: Minute) -> DueTimes:
    return DueTimes(cast(DueItems, minute), cast(Tables, Takes()), "x-")


async def test_a_minute_of_many_is_sent_whole_and_piece_by_piece() -> None:
    minute = Minute([f"t.{number}" for number in range(5_000)])
    times, rounds = task(minute), 1
    while await times.work():
        rounds += 1
    assert sum(minute.pieces) == 5_000
    assert max(minute.pieces) <= SHARDS * PAGE
    assert rounds <= 5_000 // (SHARDS * PAGE) + 3


async def test_a_minute_of_many_keeps_no_later_one_waiting() -> None:
    minute = Minute([f"t.{number}" for number in range(5_000)])
    minute.add(["t.late"], NINE + MINUTE_MS)
    minute.now_ms = NINE + MINUTE_MS
    times = task(minute)
    for _ in range(2):
        assert await times.work()
    assert "t.late" in minute.sent
    assert len(minute.sent) <= SHARDS * PAGE + 1


async def test_a_later_minute_is_looked_at_while_one_of_many_is_still_being_sent() -> None:
    minute = Minute([f"t.{number}" for number in range(9_000)])
    times = task(minute)
    for _ in range(3):
        assert await times.work()
    minute.now_ms += MINUTE_MS
    minute.add(["t.late"], NINE + MINUTE_MS)
    for _ in range(2):
        assert await times.work()
    assert "t.late" in minute.sent


async def test_what_cannot_be_sent_keeps_nothing_of_its_minute_waiting() -> None:
    minute = Minute(names := [f"t.{number:05}" for number in range(4_000)])
    minute.stuck = {*names[:-1]}
    times, looks = task(minute), 0
    while not minute.sent:
        await times.work()
        looks += 1
    assert minute.sent == {names[-1]}
    assert looks <= 4_000 // (SHARDS * (PAGE - 1)) + 2
    minute.stuck.clear()
    for _ in range(20):
        await times.work()
    assert minute.sent == {*names}


async def test_where_nothing_can_be_sent_the_next_look_is_not_at_once() -> None:
    minute = Minute(names := [f"t.{number}" for number in range(4_000)])
    minute.stuck = {*names}
    assert not await task(minute).work()


async def test_how_late_the_oldest_is_shows_before_all_is_sent_and_where_nothing_can_be() -> None:
    def told() -> float:
        (found,) = (
            one for one in PARKED_OLDEST.collect()[0].samples if one.labels == {"kind": "time"}
        )
        return found.value

    minute = Minute([f"t.{number}" for number in range(5_000)])
    minute.now_ms = NINE + 90_000
    times = task(minute)
    assert await times.work()
    assert told() == 90

    async def failing(parked: list[Parked]) -> list[Parked]:
        if parked:
            raise CallFailed(Kind.THROTTLED, "Slow")
        return parked

    minute.now_ms += 10_000
    minute.send = failing  # type: ignore[method-assign]
    times = task(minute)
    with pytest.raises(CallFailed):
        await times.work()
    assert told() == 100


def test_what_the_holder_of_a_lease_told_counts_no_more_when_it_is_old() -> None:
    gauge, now_s = Gauge("told_test", "x", registry=None), [0.0]
    told = Told(gauge, clock=lambda: now_s[0])
    assert gauge.collect()[0].samples[0].value == 0
    told.set(300)
    assert gauge.collect()[0].samples[0].value == 300
    now_s[0] = Told.FRESH_S
    assert gauge.collect()[0].samples[0].value == 0


@given(IDS, IDS, st.integers(0, 2**45))
def test_the_item_lies_where_whoever_moves_the_mail_looks(tenant: str, mail: str, at: int) -> None:
    name = scheduled_name(tenant, mail)
    assert email_id_of(name) == mail
    assert waiting(name, max(NOW, at)).key == key_of_time(name, max(NOW, at))
    assert moved(waiting(name), at).key == key_of_time(name, at)
    assert moved(waiting(name), at).at_ms == at


@given(st.integers(0, 10**7))
def test_scheduled_mail_comes_less_than_a_second_early_and_never_late(early_ms: int) -> None:
    comes_ms = delay_of({SCHEDULED: "1"}, early_ms) * 1000
    assert comes_ms <= early_ms
    assert early_ms - comes_ms < 1000 or comes_ms == MAX_DELAY_S * 1000
    assert delay_of({}, early_ms) * 1000 >= min(early_ms, MAX_DELAY_S * 1000)
    assert sent(waiting(), NINE - early_ms).delay_s == comes_ms // 1000


def test_whoever_gets_it_knows_that_its_record_names_the_time() -> None:
    first = sent(waiting(), NINE)
    assert first.attributes[SCHEDULED] == "1"
    again = msgspec.structs.replace(waiting(), attributes=dict(first.attributes))
    assert sent(again, NINE).attributes == first.attributes


def test_for_a_scope_it_is_as_old_as_the_time_it_came_for_and_not_as_its_acceptance() -> None:
    attributes = {SCHEDULED: "1", PAUSED_MS: "5000"}
    late = Received(
        *("m", "r", MESSAGE.body), receives=1, sent_at_ms=NINE + 6000, attributes=attributes
    )
    parked = item_of(late, "mail-bulk", Park("account", "x"), now_ms=NINE + 9000, body_key=None)
    assert parked.at_ms == NINE + 1000
