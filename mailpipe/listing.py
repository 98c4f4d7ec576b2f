"""A tenant's e-mails, by recipient or by day, the newest first.

The indexes hold keys only and are read in pages; the records behind the keys are read in batches
and filtered. What one walk reads is bounded, so it may find little, or nothing, and have a next.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import msgspec

from mailpipe import records, resources
from mailpipe.aws.table import Tables
from mailpipe.messages import Stream
from mailpipe.records import DAY_S, Attributes, Record, Value
from mailpipe.timing import iso

MAX_DAYS = 14
MAX_RECORDS = 1_000
"""What one walk looks at, at most."""
MAX_S = 3.0
"""Then a walk ends where it is: a client waits for its answer."""
TOGETHER = 100
"""So many keys and records are read at a time where a filter may leave most of them out."""
DAY_MS = DAY_S * 1000
END_OF_TIME_MS = 253_402_300_800_000
"""The year 10000, which RFC 3339 cannot write."""
DEFAULT_LIMIT = 50


class EmailQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which e-mails: times are epoch milliseconds, from `created_from` on, before `created_to`."""

    recipient: str | None = None
    status: str | None = None
    stream: Stream | None = None
    created_from: int | None = None
    created_to: int | None = None
    limit: int = DEFAULT_LIMIT
    cursor: str | None = None

    @property
    def question(self) -> str:
        """What a cursor is bound to: everything but the place and the size of the page."""
        asked = msgspec.structs.replace(self, limit=0, cursor=None)
        return "emails " + msgspec.json.encode(asked).decode()


class Position(msgspec.Struct, kw_only=True):
    """Where a page ended: the day (`""`: a list by recipient), the time of the last mail that was
    looked at, and by shard the last key, as createdAt and id of the item.
    """

    day: str
    at_ms: int | None = None
    last: dict[str, tuple[int, str]] = {}


class Walk:
    """A bounded way through an index."""

    def __init__(
        self,
        tables: Tables,
        tenant: str,
        query: EmailQuery,
        *,
        now_ms: int,
        kept_ms: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tables = tables
        self._tenant = tenant
        self._query = query
        self._now_ms = now_ms
        self._from_ms = 0 if query.created_from is None else query.created_from
        self._last_ms = END_OF_TIME_MS if query.created_to is None else query.created_to - 1
        if query.recipient is None:
            # Producers stamp their mail themselves: days begin one ahead of our clock.
            self._from_ms = max(self._from_ms, now_ms - kept_ms)
            self._last_ms = min(self._last_ms, now_ms + DAY_MS)
        self._looked_at = 0
        self._clock = clock
        self._until_s = clock() + MAX_S
        filtered = query.stream is not None or query.status is not None
        self._together = max(query.limit, TOGETHER) if filtered else query.limit

    async def run(self, position: Position | None) -> tuple[list[Record], Position | None]:
        """The records of a page, and where it ended; None when there is nothing more."""
        found = list[Record]()
        days = list(islice(self._days(position), MAX_DAYS + 1))
        for day in days[:MAX_DAYS]:
            here = position if position is not None and position.day == day else None
            shards = self._shards(day, here)
            while True:
                if len(found) == self._query.limit or self._worn_out():
                    return found, _position(day, shards)
                heads = await _newest(shards, self._together)
                if not heads:
                    break
                self._looked_at += len(heads)
                await self._take(heads, found)
        more = days[MAX_DAYS:]
        return found, Position(day=more[0]) if more else None

    def _worn_out(self) -> bool:
        return self._looked_at >= MAX_RECORDS or self._clock() > self._until_s

    async def _take(self, heads: "list[_Head]", found: list[Record]) -> None:
        """Add what matches, until the page is full: what comes after that is of the next one."""
        ids = list(dict.fromkeys(head.email_id for head in heads))
        matching = {record.email_id: record for record in await self._matching(ids)}
        for head in heads:
            if len(found) == self._query.limit:
                return
            head.shard.last = head.key
            if record := matching.pop(head.email_id, None):
                found.append(record)

    def _days(self, position: Position | None) -> Iterator[str]:
        """The days to look at, the newest first; `""` alone for a recipient."""
        if self._query.recipient is not None:
            yield ""
            return
        at_ms = self._last_ms
        while at_ms >= self._from_ms:
            day = iso(at_ms)[:10]
            if position is None or day <= position.day:
                yield day
            at_ms = at_ms // DAY_MS * DAY_MS - 1

    def _shards(self, day: str, position: Position | None) -> "list[_Shard]":
        ends = {} if position is None else position.last
        untouched_ms = self._last_ms
        if position is not None and position.at_ms is not None:
            # In a shard of which nothing was taken yet, what has come since is not of this list.
            untouched_ms = min(untouched_ms, position.at_ms)
        recipient = self._query.recipient
        if recipient is not None:
            partitions = {"": records.recipient_key(self._tenant, recipient)}
            index = "byRecipient"
        else:
            partitions = {
                str(n): resources.day_key_of_shard(self._tenant, day, n)
                for n in range(resources.SHARDS)
            }
            index = "byDay"
        return [
            _Shard(
                self._tables,
                index,
                name,
                key=key,
                between=(self._from_ms, self._last_ms if name in ends else untouched_ms),
                limit=self._together,
                last=ends.get(name),
            )
            for name, key in partitions.items()
        ]

    async def _matching(self, ids: list[str]) -> list[Record]:
        """Their records in this order, without those that the filters leave out."""
        keys: list[Attributes] = [{"emailId": one} for one in ids]
        items = await self._tables.get_all(resources.EMAIL_TRACKING, keys)
        by_id = {str(item["emailId"]): item for item in items}
        kept = [records.read(by_id[one]) for one in ids if one in by_id]
        return [record for record in kept if self._matches(record)]

    def _matches(self, record: Record) -> bool:
        query = self._query
        return (
            record.tenant == self._tenant
            and query.stream in (None, record.stream)
            and query.status in (None, _status(record, self._now_ms))
        )


class _Shard:
    """One partition of an index, read page by page, from the newest key on."""

    def __init__(
        self,
        tables: Tables,
        index: str,
        name: str,
        *,
        key: str,
        between: tuple[int, int],
        limit: int,
        last: tuple[int, str] | None,
    ) -> None:
        self.name = name
        self.last = last
        self._tables = tables
        self._index = index
        self._key = key
        self._between = between
        self._limit = limit
        self._after = None if last is None else self._start_key(last)
        self.waiting = deque[tuple[int, str]]()
        self._ended = between[0] > between[1]

    @property
    def dry(self) -> bool:
        """Whether the next key has to be read."""
        return not self.waiting and not self._ended

    async def fill(self) -> None:
        """Read until a key waits, or there is none."""
        while self.dry:
            page = await self._tables.page(
                resources.EMAIL_TRACKING,
                self._key,
                index=self._index,
                between=self._between,
                newest_first=True,
                after=self._after,
                limit=self._limit,
            )
            self.waiting.extend(map(_key_of, page.items))
            self._after, self._ended = page.last, page.last is None

    def pop(self) -> "_Head":
        """Take the head; `last` is for who has looked at it."""
        return _Head(self, self.waiting.popleft())

    def _start_key(self, last: tuple[int, str]) -> Attributes:
        index = resources.TABLES[resources.EMAIL_TRACKING].indexes[self._index]
        return {index.partition: self._key, index.sort: last[0], "emailId": last[1]}


class _Head(NamedTuple):
    """A key, and where it was read."""

    shard: _Shard
    key: tuple[int, str]

    @property
    def email_id(self) -> str:
        """The mail's id."""
        return records.email_id_of(self.key[1])


async def _newest(shards: list[_Shard], most: int) -> list[_Head]:
    """The next keys of all shards."""
    heads = list[_Head]()
    while len(heads) < most:
        if dry := [shard for shard in shards if shard.dry]:
            await asyncio.gather(*(shard.fill() for shard in dry))
        left = [shard for shard in shards if shard.waiting]
        if not left:
            break
        heads.append(max(left, key=lambda shard: shard.waiting[0]).pop())
    return heads


def _position(day: str, shards: list[_Shard]) -> Position:
    last = {shard.name: shard.last for shard in shards if shard.last is not None}
    return Position(
        day=day, at_ms=min((at_ms for at_ms, _ in last.values()), default=None), last=last
    )


def _key_of(item: Attributes) -> tuple[int, str]:
    created_at: Value = item["createdAt"]
    assert isinstance(created_at, int)  # noqa: S101 - the index's type
    return created_at, str(item["emailId"])


def _status(record: Record, now_ms: int) -> str:
    return record.shown(now_ms)
