"""The sweeper: a side task of one sender at a time that ends, announces or closes what is open for
too long, so that every mail comes to an end although its message is lost.

Every write has its own condition, and our own event of the same end has the same id: two sweepers
at once, or one that was killed anywhere, do no harm.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import randrange

import msgspec

from mailpipe import logs, metrics, records, resources
from mailpipe.aws.queue import Queue
from mailpipe.aws.table import Applied, Tables
from mailpipe.ending import Ends
from mailpipe.open_states import OPEN_STATES, Terms, place_of
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.records import Attributes, Record
from mailpipe.statements import EmailStatements
from mailpipe.status import Standing
from mailpipe.tenants import Retention
from sender.sweeps import Announce, Close, End, step_of

PAGE = 100
RUNS_AT_ONCE = 10
"""So many follow each other while a lap goes on: each record that is only looked at costs a
consistent read."""

_Fate = bool | CallFailed
"""Whether something was done about a mail, or what has failed."""

log = logs.get()


@dataclass
class _Lap:
    """One walk through all shards from one of them on, each from its oldest mail on."""

    begun_ms: int
    first: int
    walked: int = 0
    after: Attributes | None = None
    oldest_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(OPEN_STATES, 0.0))
    mails: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OPEN_STATES, 0))

    @property
    def shard(self) -> int:
        return (self.first + self.walked) % resources.SHARDS

    @property
    def over(self) -> bool:
        return self.walked == resources.SHARDS


class Sweeper:
    """`events` gets our own events. `most`: records that one run reads. `paused_since_ms` tells
    since when a scope of a mail is paused. Nothing is done while the time may not be right. Figures
    that are older than `fresh_s` count no more: another sender has them. A lap begins at any shard,
    so that none is always the last when senders come and go within one.
    """

    def __init__(
        self,
        tables: Tables,
        prefix: str,
        events: Queue,
        *,
        retention: Retention,
        terms: Terms,
        most: int,
        fresh_s: float,
        paused_since_ms: Callable[[Record], int | None],
        wall_ms: Callable[[], int],
        time_is_right: Callable[[], bool] = lambda: True,
        any_shard: Callable[[], int] = lambda: randrange(resources.SHARDS),  # noqa: S311
    ) -> None:
        self._tables = tables
        self._statements = EmailStatements(prefix)
        self._ends = Ends(tables, prefix, events=events, retention=retention)
        self._retention = retention
        self._terms = terms
        self._most = most
        self._paused_since_ms = paused_since_ms
        self._wall_ms = wall_ms
        self._time_is_right = time_is_right
        self._any_shard = any_shard
        self._lap: _Lap | None = None
        self._in_a_row = 0
        self._oldest_s = dict.fromkeys(OPEN_STATES, 0.0)
        self._mails = dict.fromkeys(OPEN_STATES, 0)
        self._fresh_s = fresh_s
        self._told_s: float | None = None
        for state in OPEN_STATES:
            oldest, mails = metrics.OPEN_OLDEST.labels(state), metrics.OPEN_MAILS.labels(state)
            oldest.set_function(partial(self._told, lambda: self._oldest_s, state))
            mails.set_function(partial(self._told, lambda: self._mails, state))

    async def work(self) -> bool:
        """One run, which goes on where the last one stopped; True: the next one should not wait,
        since there was much to do, or there is more to look at. Raises CallFailed.
        """
        if not self._time_is_right():
            raise CallFailed(Kind.NOTHING_HAPPENED, "ClockWrong", "another may have the time")
        lap = self._lap = self._lap or _Lap(self._wall_ms(), self._any_shard())
        read, fates = 0, list[_Fate]()
        while read < self._most and not lap.over:
            found, page_fates = await self._page(lap, min(self._most - read, PAGE))
            read += found
            fates += page_fates
        self._note(lap)
        if lap.over:
            self._lap = None
        done = sum(fate is True for fate in fates)
        faults = [fate for fate in fates if isinstance(fate, CallFailed)]
        if faults and not done:
            raise faults[0]
        goes_on = not lap.over and self._in_a_row + 1 < RUNS_AT_ONCE
        self._in_a_row = self._in_a_row + 1 if goes_on else 0
        return goes_on or 2 * done > self._most

    async def _page(self, lap: _Lap, limit: int) -> tuple[int, list[_Fate]]:
        """Look at the next of this shard: how many there were, and what became of each."""
        old_ms = lap.begun_ms - self._terms.settle_ms
        page = await self._tables.page(
            *(resources.EMAIL_TRACKING, resources.open_key_of_shard(lap.shard)),
            index="byState",
            between=(0, max(0, old_ms)),
            after=lap.after,
            limit=limit,
        )
        keys: list[Attributes] = [{"emailId": one["emailId"]} for one in page.items]
        items = await self._tables.get_all(resources.EMAIL_TRACKING, keys) if keys else []
        fates = await asyncio.gather(*[self._look_at(lap, item) for item in items])
        lap.after = page.last
        if page.last is None:
            lap.walked += 1
        return len(keys), fates

    async def _look_at(self, lap: _Lap, item: Attributes) -> _Fate:
        """One record; a failure keeps no other from being looked at."""
        try:
            record = records.read(item)
        except msgspec.ValidationError:
            log.error("open_record_unreadable", email_id=item["emailId"])
            metrics.bound(metrics.SWEPT, "unreadable").inc()
            return False
        now, paused_ms = self._wall_ms(), self._paused_since_ms(record)
        place = place_of(record, now, self._terms, paused_since_ms=paused_ms)
        if place is not None:
            age_s = (now - place.since_ms) / 1000
            lap.oldest_s[place.state] = max(lap.oldest_s[place.state], age_s)
            lap.mails[place.state] += 1
        try:
            return await self._sweep(record, now)
        except CallFailed as failed:
            log.warning("sweep_failed", email_id=record.email_id, code=failed.code)
            metrics.bound(metrics.SWEPT, "failed").inc()
            return failed

    async def _sweep(self, record: Record, now: int) -> bool:
        match step_of(record, now, self._terms):
            case End(standing, reason):
                await self._end(record, standing, reason, at_ms=now)
            case Announce():
                await self._ends.finish(record)
                _tell(record, "announced")
            case Close(outcome):
                await self._close(record, outcome, at_ms=now)
            case None:
                return False
        return True

    async def _end(self, record: Record, standing: Standing, reason: str, *, at_ms: int) -> None:
        end = self._statements.give_up(record, standing, reason=reason, at_ms=at_ms)
        if not isinstance(await self._tables.write(end), Applied):
            return  # it was claimed, moved or ended meanwhile
        _tell(record, standing.status)
        await self._ends.finish(
            msgspec.structs.replace(
                record,
                status=standing.status,
                rank=standing.rank,
                reason=reason,
                updated_at=at_ms,
            )
        )

    async def _close(self, record: Record, outcome: str | None, *, at_ms: int) -> None:
        """What is refused has been raised meanwhile: it is looked at again in the next lap."""
        ttl = await self._retention.expiry(record.tenant, record.over_at(at_ms))
        standing = Standing(record.status, record.rank, terminal=True)
        close = self._statements.close(
            record.email_id, standing, at_ms=at_ms, ttl=ttl, outcome=outcome
        )
        if isinstance(await self._tables.write(close), Applied):
            _tell(record, outcome or "closed")

    def _note(self, lap: _Lap) -> None:
        """A lap may take long: what is older than was known is told at once, the rest later."""
        known = dict.fromkeys(OPEN_STATES, 0.0) if lap.over else self._oldest_s
        self._oldest_s = {one: max(age_s, known[one]) for one, age_s in lap.oldest_s.items()}
        if lap.over:
            self._mails = lap.mails
        self._told_s = time.monotonic()

    def _told(self, figures: Callable[[], Mapping[str, float]], state: str) -> float:
        fresh = self._told_s is not None and time.monotonic() - self._told_s < self._fresh_s
        return figures()[state] if fresh else 0.0


def _tell(record: Record, what: str) -> None:
    metrics.bound(metrics.SWEPT, what).inc()
    log.warning("email_swept", email_id=record.email_id, what=what, attempt=record.attempt)
