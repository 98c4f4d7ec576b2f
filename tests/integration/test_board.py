"""What senders know together, over the local cloud: the board, the elected poller, who lives."""

import asyncio
from typing import Any

import pytest

from mailpipe import resources
from mailpipe.aws.operations import A, Operation, Q
from mailpipe.aws.ses_operations import AccountAnswer, SendQuota
from mailpipe.board import KIND, Cap, Pause, Quota, cap_item, pause_item
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.partiql import delete_from, insert_into
from mailpipe.timing import now_ms
from sender.board import Board
from sender.day import DaySettings
from sender.quota import BoardRates, Presence, QuotaPoller
from tests.integration.conftest import PREFIX, Parts

DAY = DaySettings(0.1, 900.0, 60.0)
IDENTITY = "identity#shop.example"


@pytest.fixture
async def empty(parts: Parts) -> Parts:
    """Nobody has told anything yet."""
    for kind in (KIND, "sender"):
        for item in await parts.tables.partition(resources.COORDINATION, kind):
            key = {"kind": kind, "id": item["id"]}
            await parts.tables.write(delete_from(PREFIX, resources.COORDINATION, key))
    return parts


def board(parts: Parts) -> Board:
    return Board(parts.tables, PREFIX)


def quota(read_at: int, *, rate_milli: int = 14_000) -> Quota:
    return Quota(
        max_send_rate_milli=rate_milli,
        max_24_hour=50_000,
        sent_24_hours=7,
        sending_enabled=True,
        enforcement="HEALTHY",
        senders=2,
        read_at=read_at,
    )


async def test_one_sender_s_finding_holds_for_it_at_once_and_for_all_when_they_read_it(
    empty: Parts,
) -> None:
    one, other = board(empty), board(empty)
    await one.pause(IDENTITY, "identity_not_verified", code="MessageRejected", probe_at=5)
    assert one.stops([IDENTITY]) is not None
    assert other.stops([IDENTITY]) is None
    await other.refresh()
    assert other.pauses == one.pauses
    assert other.stops(["account", "identity#other.example"]) is None
    await one.refresh()
    assert one.pauses.keys() == {IDENTITY}


async def test_the_first_finding_stands_and_both_end_together(empty: Parts) -> None:
    one, other = board(empty), board(empty)
    await one.pause(IDENTITY, "identity_not_verified", code="x", probe_at=5)
    await other.pause(IDENTITY, "access_denied", code="y", probe_at=9)
    await other.refresh()
    (pause,) = other.pauses.values()
    assert (pause.reason, pause.probe_at) == ("identity_not_verified", 5)
    assert await other.resume(pause)
    assert await one.resume(pause)
    assert (one.pauses, other.pauses) == ({}, {})


async def test_a_late_resume_does_not_end_a_newer_pause(empty: Parts) -> None:
    one, other = board(empty), board(empty)
    await one.pause(IDENTITY, "identity_not_verified", code="x", probe_at=5)
    (pause,) = one.pauses.values()
    newer = Pause(scope=IDENTITY, reason="quiet", since=pause.since + 1, by="ana")
    await other.resume(pause)
    await empty.tables.write(insert_into(PREFIX, resources.COORDINATION, pause_item(newer)))
    assert not await one.resume(pause)
    await one.refresh()
    assert one.pauses == {IDENTITY: newer}


async def test_one_of_several_sends_the_probe(empty: Parts) -> None:
    one, other = board(empty), board(empty)
    await one.pause(IDENTITY, "identity_not_verified", code="x", probe_at=5)
    await other.refresh()
    (pause,) = other.due_probes()
    assert await asyncio.gather(one.postpone(pause, 7), other.postpone(pause, 8)) in (
        [True, False],
        [False, True],
    )


async def test_a_probe_passes_what_senders_have_paused_and_not_what_a_person_has(
    empty: Parts,
) -> None:
    known = board(empty)
    await known.pause(IDENTITY, "identity_not_verified", code="x", probe_at=5)
    by_hand = Pause(scope="domain#d.example", reason="quiet", since=1, by="ana")
    await empty.tables.write(insert_into(PREFIX, resources.COORDINATION, pause_item(by_hand)))
    await known.refresh()
    assert known.stops([IDENTITY], probe=IDENTITY) is None
    assert known.stops(["account", IDENTITY], probe="account") is not None
    assert known.stops(["domain#d.example"], probe="domain#d.example") == by_hand
    assert [one.scope for one in known.due_probes()] == [IDENTITY]


class Unreachable:
    """A table that does not answer, for as long as a test wants."""

    def __init__(self, tables: Any) -> None:
        self._tables, self.down = tables, True

    def __getattr__(self, name: str) -> Any:
        if self.down:
            raise CallFailed(Kind.IN_DOUBT, "TimeoutError")
        return getattr(self._tables, name)


async def test_without_the_table_the_last_reading_stands_and_findings_are_written_later(
    empty: Parts,
) -> None:
    tables: Any = Unreachable(empty.tables)
    known, other = Board(tables, PREFIX), board(empty)
    tables.down = False
    await known.tell(quota(1))
    tables.down = True
    await known.pause(IDENTITY, "identity_not_verified", code="x", probe_at=5)
    with pytest.raises(CallFailed):
        await known.refresh()
    assert known.stops([IDENTITY]) is not None
    assert known.quota == quota(1)
    tables.down = False
    await known.refresh()
    await other.refresh()
    assert other.pauses == known.pauses != {}


class ReadOnly:
    """A table that takes no writes."""

    def __init__(self, tables: Any) -> None:
        self.partition = tables.partition

    async def write(self, statement: object) -> None:
        raise CallFailed(Kind.CONFIGURATION, "AccessDeniedException")


async def test_a_sender_whose_writes_fail_reads_what_others_find(empty: Parts) -> None:
    tables: Any = ReadOnly(empty.tables)
    known, other = Board(tables, PREFIX), board(empty)
    await known.pause(IDENTITY, "identity_not_verified", code="x", probe_at=5)
    await other.pause("account", "account_paused", code="x", probe_at=5)
    await known.refresh()
    assert known.pauses.keys() == {IDENTITY, "account"}


async def test_nothing_is_sent_before_it_is_known_what_is_paused(empty: Parts) -> None:
    known = board(empty)
    await known.tell(quota(1))
    assert BoardRates(known, DAY).account() == 0.0
    await known.refresh()
    assert BoardRates(known, DAY).account() == 14.0


async def test_a_reading_of_tomorrow_does_not_stay_until_then(empty: Parts) -> None:
    one, other = board(empty), board(empty)
    await one.tell(quota(now_ms() + 86_400_000, rate_milli=1))
    await other.refresh()
    ses = Ses()
    await QuotaPoller(ses, other, Presence(empty.tables, PREFIX, "x", every_s=1), every_s=30).poll()
    await one.refresh()
    assert BoardRates(one, DAY).account() == 1.5


async def test_what_a_person_has_written_wrongly_counts_as_none(empty: Parts) -> None:
    wrong = {"kind": KIND, "id": "cap#tenant#acme", "perSecondMilli": "ten"}
    good = cap_item(Cap(scope="tenant#shop", per_second_milli=500))
    for item in (wrong, good):
        await empty.tables.write(insert_into(PREFIX, resources.COORDINATION, item))
    known = board(empty)
    await known.refresh()
    rates = BoardRates(known, DAY)
    assert (rates.cap("tenant#acme"), rates.cap("tenant#shop")) == (None, 0.5)
    assert rates.any_cap()


class Ses:
    """Answers GetAccount."""

    def __init__(self) -> None:
        self.asked = 0

    async def call(self, operation: Operation[Q, A], request: Q) -> A:
        self.asked += 1
        quota = SendQuota(max24_hour_send=200.0, max_send_rate=1.5, sent_last24_hours=3.0)
        answer: Any = AccountAnswer(send_quota=quota)
        return answer


async def test_one_reading_serves_all_and_without_one_nothing_may_be_sent(empty: Parts) -> None:
    boards = [board(empty) for _ in range(3)]
    rates = [BoardRates(one, DAY) for one in boards]
    await boards[1].refresh()
    assert [one.account() for one in rates] == [0.0, 0.0, 0.0]
    lives = [Presence(empty.tables, PREFIX, f"sender-{n}", every_s=10) for n in range(3)]
    for _ in range(2):
        await asyncio.gather(*(one.say() for one in lives))
    gone = Presence(empty.tables, PREFIX, "gone", every_s=10, wall_ms=lambda: 1)
    await gone.say()
    ses = Ses()
    for one, alive in zip(boards, lives, strict=True):
        await one.refresh()
        await QuotaPoller(ses, one, alive, every_s=30).poll()
    assert [one.account() for one in rates] == [1.5, 1.5, 1.5]
    assert [one.senders() for one in rates] == [3, 3, 3]
    assert ses.asked == 1
