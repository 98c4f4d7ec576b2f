"""Pages of a list: every mail once, the newest first, whatever the shards and the limit."""

import asyncio
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.cursors import MAX_CURSOR_CHARS, Cursors
from ingest.queries import PageQuery, emails, page
from ingest.waiting import MAX_WAIT_S, Waiters, preferred_wait_s
from mailpipe import records, resources
from mailpipe.aws.table import Page, Tables
from mailpipe.listing import MAX_DAYS, MAX_RECORDS, EmailQuery, Position, Walk
from mailpipe.messages import RecordFields, Stream
from mailpipe.records import Attributes
from mailpipe.rules import Violation

NOW = 1_795_514_400_000
DAY_MS = 86_400_000
KEPT_MS = 120 * DAY_MS


class FakeTables:
    """Answers pages of an index and reads of records, from memory; counts what it is asked."""

    def __init__(self) -> None:
        self.items = dict[str, Attributes]()
        self.pages = 0
        self.reads = 0
        self.lookups = 0

    def add(self, email_id: str, at_ms: int, *, stream: str = "bulk") -> None:
        fields = RecordFields(
            stream=stream, created_at=at_ms, from_="a@example.com", to=["b@example.net"]
        )
        self.items[email_id] = records.USUAL | records.born(email_id, "t", fields)

    async def page(
        self,
        table: str,
        value: str,
        *,
        index: str,
        between: tuple[int, int],
        newest_first: bool,
        after: Attributes | None,
        limit: int,
    ) -> Page:
        assert newest_first
        self.pages += 1
        form = resources.TABLES[table].indexes[index]
        keys: list[Any] = sorted(
            (
                (item["createdAt"], item["emailId"])
                for item in self.items.values()
                if item.get(form.partition) == value
            ),
            reverse=True,
        )
        keys = [key for key in keys if between[0] <= key[0] <= between[1]]
        if after is not None:
            assert between[0] <= cast(int, after["createdAt"]) <= between[1]
            keys = [key for key in keys if key < (after["createdAt"], after["emailId"])]
        shown: list[Attributes] = [{"createdAt": at, "emailId": one} for at, one in keys[:limit]]
        return Page(shown, shown[-1] if len(keys) > limit else None)

    async def get_all(self, _: str, keys: list[Attributes]) -> list[Attributes]:
        self.reads += len(keys)
        self.lookups += 1
        found = [self.items.get(str(key["emailId"])) for key in keys]
        return [item for item in reversed(found) if item is not None]


def turn(
    tables: FakeTables, query: EmailQuery, position: Position | None
) -> tuple[list[str], Position | None]:
    """One page, and where it ended, as a cursor would carry it."""
    walk = Walk(cast(Tables, tables), "t", query, now_ms=NOW, kept_ms=KEPT_MS)
    found, ended = asyncio.run(walk.run(position))
    if ended is not None:
        ended = msgspec.json.decode(msgspec.json.encode(ended), type=Position)
    return [record.email_id for record in found], ended


def all_pages(tables: FakeTables, query: EmailQuery) -> list[str]:
    found, position = turn(tables, query, None)
    while position is not None:
        more, position = turn(tables, query, position)
        assert len(more) <= query.limit
        found += more
    return found


ages = st.lists(st.integers(0, 40).map(lambda hours: hours * 3_600_000), max_size=25)


@settings(deadline=None, max_examples=50)
@given(
    ages=ages,
    limit=st.integers(1, 7),
    late=st.integers(0, 30),
    recipient=st.booleans(),
    stream=st.sampled_from([None, "bulk"]),
)
def test_pages_hold_every_mail_once_the_newest_first_while_new_mail_comes(
    ages: list[int], limit: int, late: int, recipient: bool, stream: Stream | None
) -> None:
    tables = FakeTables()
    for number, age_ms in enumerate(ages):
        tables.add(f"e{number}", NOW - age_ms)
    to = "b@example.net" if recipient else None
    query = EmailQuery(limit=limit, recipient=to, stream=stream)
    found, position = turn(tables, query, None)
    if len(found) == limit:  # else the rest of the list is still to be looked for
        for number in range(late):
            tables.add(f"late{number}", NOW + 1 + number)
    while position is not None:
        more, position = turn(tables, query, position)
        found += more
    times = [cast(int, tables.items[one]["createdAt"]) for one in found]
    assert times == sorted(times, reverse=True)
    assert sorted(found) == sorted(f"e{number}" for number in range(len(ages)))


def test_what_a_request_reads_is_bounded() -> None:
    tables = FakeTables()
    for number in range(MAX_RECORDS + 500):
        tables.add(f"e{number}", NOW - number)
    query = EmailQuery(stream="transactional", limit=100)
    assert turn(tables, query, None) == ([], turn(tables, query, None)[1])
    assert tables.reads <= 2 * (MAX_RECORDS + 100)
    assert all_pages(tables, query) == []


def test_a_rare_filter_costs_few_calls_however_small_the_page() -> None:
    tables = FakeTables()
    for number in range(MAX_RECORDS):
        tables.add(f"e{number}", NOW - number, stream="transactional" if number == 700 else "bulk")
    query = EmailQuery(stream="transactional", limit=1)
    found, position = turn(tables, query, None)
    assert found == ["e700"]
    assert tables.pages + tables.lookups < 100
    assert position is not None
    assert position.at_ms == NOW - 700
    assert all_pages(tables, EmailQuery(limit=60, stream="bulk")) == [
        f"e{number}" for number in range(MAX_RECORDS) if number != 700
    ]


def test_a_walk_over_slow_tables_ends_where_it_is() -> None:
    tables = FakeTables()
    for number in range(500):
        tables.add(f"e{number}", NOW - number)
    query, now_s = EmailQuery(stream="transactional"), iter(range(10**6))
    walk = Walk(
        cast(Tables, tables), "t", query, now_ms=NOW, kept_ms=KEPT_MS, clock=lambda: next(now_s)
    )
    found, position = asyncio.run(walk.run(None))
    assert (found, tables.lookups) == ([], 2)
    assert position is not None
    assert all_pages(tables, query) == []


def test_empty_days_are_passed_a_bounded_number_at_a_time() -> None:
    tables = FakeTables()
    tables.add("old", NOW - 60 * DAY_MS)
    found, position = turn(tables, EmailQuery(), None)
    assert (found, position is not None) == ([], True)
    assert tables.pages == MAX_DAYS * resources.SHARDS
    assert all_pages(tables, EmailQuery()) == ["old"]


def test_a_time_far_away_costs_no_more() -> None:
    tables = FakeTables()
    tables.add("one", NOW)
    ages_ago = EmailQuery(created_from=-(10**14), created_to=10**15)
    assert all_pages(tables, ages_ago) == ["one"]
    assert tables.pages < 200 * resources.SHARDS


async def test_only_so_many_wait_at_a_time() -> None:
    class Never:
        async def get(self, *_: object) -> None:
            await asyncio.Event().wait()

    waiters = Waiters(cast(Tables, Never()), most=1)
    waiting = asyncio.create_task(waiters.ended("e", wait_s=60))
    await asyncio.sleep(0)
    assert waiters.full
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert not waiters.full


# --- cursors and queries --------------------------------------------------------------------------


def test_a_cursor_is_read_by_whom_it_was_made_for_only() -> None:
    cursors = Cursors(b"s" * 32)
    made = cursors.make(Position(day="2026-11-24"), tenant="t", question="q")
    assert cursors.read(made, Position, tenant="t", question="q") == Position(day="2026-11-24")
    for tenant, question in (("u", "q"), ("t", "r"), ("t\x00q", "")):
        refused = cursors.read(made, Position, tenant=tenant, question=question)
        assert isinstance(refused, Violation)
    other = Cursors(b"o" * 32).read(made, Position, tenant="t", question="q")
    assert isinstance(other, Violation)


@given(st.one_of(st.text(max_size=80), st.binary(max_size=60).map(lambda one: one.hex())))
def test_no_text_is_taken_for_a_cursor(text: str) -> None:
    read = Cursors(b"s" * 32).read(text, Position, tenant="t", question="q")
    assert isinstance(read, Violation)
    assert read.constraint == "cursor"


def test_a_cursor_that_was_changed_is_none() -> None:
    cursors = Cursors(b"s" * 32)
    made = cursors.make(Position(day="2026-11-24"), tenant="t", question="q")
    for place in range(len(made)):
        other = made[:place] + ("A" if made[place] != "A" else "B") + made[place + 1 :]
        assert isinstance(cursors.read(other, Position, tenant="t", question="q"), Violation)
    long = "A" * (MAX_CURSOR_CHARS + 1)
    assert isinstance(cursors.read(long, Position, tenant="t", question="q"), Violation)


def test_the_question_has_the_filters_and_not_the_place() -> None:
    one = emails([("limit", "5"), ("cursor", "x"), ("stream", "bulk")])
    two = emails([("stream", "bulk")])
    three = emails([("stream", "transactional")])
    assert isinstance(one, EmailQuery)
    assert isinstance(two, EmailQuery)
    assert isinstance(three, EmailQuery)
    assert one.question == two.question != three.question


def test_a_query_is_read() -> None:
    query = emails(
        [
            ("recipient", "Ana <ANA@Bücher.example>"),
            ("createdAfter", "2026-11-24T10:00:00+01:00"),
            ("limit", "7"),
        ]
    )
    assert query == EmailQuery(
        recipient="ana@xn--bcher-kva.example", created_from=1_795_510_800_000, limit=7
    )
    assert page([]) == PageQuery()


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "", "٣", "9" * 30])
def test_a_limit_is_a_number_in_its_range(limit: str) -> None:
    refused = page([("limit", limit)])
    assert isinstance(refused, Violation)
    assert refused.constraint == "range"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], 0),
        (["wait=5"], 5),
        (["respond-async, WAIT = 7"], 7),
        (["return=minimal", 'wait="3"; x=y'], 3),
        (["wait=2, wait=9"], 2),
        (["wait=999999999"], MAX_WAIT_S),
        (["wait=-1"], 0),
        (["wait=1.5"], 0),
        (["wait"], 0),
        (["xwait=5"], 0),
    ],
)
def test_a_preference_that_is_not_understood_is_passed_over(
    headers: list[str], seconds: int
) -> None:
    assert preferred_wait_s(headers) == seconds
