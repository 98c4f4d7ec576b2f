"""What sends parked messages back when they are due, under a lease (`leases.py`), in pieces."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mailpipe import metrics, resources
from mailpipe.aws.table import Tables
from mailpipe.board import kind_of
from mailpipe.due import DueItems
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.pace import passed
from mailpipe.parked_items import WATERMARK, Watermark
from mailpipe.parking import MINUTE_MS, Parked
from mailpipe.partiql import insert_into, update_in
from mailpipe.records import Attributes
from mailpipe.resources import DUE_ITEMS, SHARDS

MINUTES_AT_ONCE = 60
PAGE = 100
LOOK_BACK_MINUTES = 15
"""Where nobody has released anything yet."""
WHOLE_EVERY_MS = 10_000
"""While some minutes hold more than a page, all others are looked at as often as this."""

_Rest = dict[int, str]
"""Of a minute: by shard the due key from which on it has not been read."""


@dataclass
class _Sweep:
    """One look at these minutes, a page of each shard in turn. `now_ms` is when it began: what it
    has seen empty was so then, not later. A `whole` one looks at all, from the watermark's minutes
    on, others only at those that have a rest.
    """

    now_ms: int
    minutes: Sequence[int]
    whole: bool
    oldest_ms: int
    mark: Watermark | None = None
    next: int = 0
    busy: set[int] = field(default_factory=set)
    sent: bool = False

    @property
    def over(self) -> bool:
        return self.next == len(self.minutes)


class DueTimes:
    """Sends what waits for a time, while `time_is_right`. A minute that holds much is not emptied
    before others are looked at, and what cannot be sent holds the watermark, and nothing else.
    """

    def __init__(
        self,
        due: DueItems,
        tables: Tables,
        prefix: str,
        *,
        time_is_right: Callable[[], bool] = lambda: True,
    ) -> None:
        self._due = due
        self._time_is_right = time_is_right
        self._tables = tables
        self._prefix = prefix
        self._sweep: _Sweep | None = None
        self._rests = dict[int, _Rest]()
        self._whole_ms = 0
        self._late_s = 0.0
        self._told = metrics.Told(metrics.PARKED_OLDEST.labels(kind_of(None)))

    async def work(self) -> bool:
        """Send some of what is due soon; True: there is more. Raises CallFailed."""
        if not self._time_is_right():
            raise CallFailed(Kind.NOTHING_HAPPENED, "ClockWrong", "another may have the time")
        sweep = self._sweep = self._sweep or await self._begin()
        for _ in range(MINUTES_AT_ONCE):
            if sweep.over or await self._piece(sweep):
                break
        if not sweep.over:
            return True
        if sweep.whole:
            await self._move(sweep)
            self._tell(sweep, known_s=0.0)
        self._sweep = None
        # Where nothing can be sent there is no hurry.
        return bool(self._rests) and sweep.sent

    async def _begin(self) -> _Sweep:
        now = self._due.wall_ms()
        whole = not self._rests or now - self._whole_ms >= WHOLE_EVERY_MS
        if not whole:
            return _Sweep(now, sorted(self._rests), whole, now)
        self._whole_ms, mark = now, await self._due.watermark()
        first = now // MINUTE_MS - LOOK_BACK_MINUTES if mark is None else mark.look_from
        return _Sweep(now, range(first, self._soon() // MINUTE_MS + 1), whole, now, mark)

    def _soon(self) -> int:
        return self._due.wall_ms() + round(self._due.waits.soon_s * 1000)

    async def _piece(self, sweep: _Sweep) -> bool:
        """The next minute's page of each shard; whether something of it was sent."""
        minute, soon = sweep.minutes[sweep.next], self._soon()
        rest = self._rests.get(minute, {})
        begins = {number: rest.get(number, "0") for number in range(SHARDS)}
        parked, left = await self._read(minute, begins if sweep.whole else rest, soon)
        sweep.oldest_ms = min([sweep.oldest_ms, *(one.at_ms for one in parked)])
        self._tell(sweep, known_s=self._late_s)
        sent = await self._due.send([one for one in parked if one.at_ms <= soon])
        # Of what was read from its middle on nobody knows whether it is empty.
        if rest or left or len(sent) < len(parked):
            sweep.busy.add(minute)
        self._rests.pop(minute, None)
        if left:
            self._rests[minute] = left
        sweep.next += 1
        sweep.sent |= bool(sent)
        return bool(sent)

    async def _read(
        self, minute: int, begins: dict[int, str], soon: int
    ) -> tuple[list[Parked], _Rest]:
        """A page of these shards of the minute, and where more of it begins that is due soon. The
        last item of a page is the first of the next, if it is still there.
        """
        pages = await asyncio.gather(
            *[
                self._due.page(resources.waits_for_time(minute, number), (begin, "~"), limit=PAGE)
                for number, begin in begins.items()
            ]
        )
        parked = [one for items, _ in pages for one in items]
        left = {
            number: items[-1].due_key
            for number, (items, more) in zip(begins, pages, strict=True)
            if more and items[-1].at_ms <= soon
        }
        return parked, left

    def _tell(self, sweep: _Sweep, *, known_s: float) -> None:
        """How late the oldest is: what is later than was known at once, the rest in the end."""
        self._late_s = max(known_s, (sweep.now_ms - sweep.oldest_ms) / 1000)
        self._told.set(self._late_s)

    async def _move(self, sweep: _Sweep) -> None:
        if not sweep.minutes:
            return
        first, last = sweep.minutes[0], sweep.minutes[-1]
        settle_s = self._due.waits.settle_s
        minute = passed(first, last, sweep.busy, now_ms=sweep.now_ms, settle_s=settle_s)
        seen = first if sweep.mark is None else sweep.mark.minute
        if minute < seen or minute == first:
            return
        # What was passed before was looked at once more by now; what is passed now is, next time.
        changes: Attributes = {"minute": minute, "lookFrom": seen}
        if sweep.mark is None:
            write = insert_into(self._prefix, DUE_ITEMS, WATERMARK | changes)
        else:
            where = ("minute", "=", seen)
            write = update_in(self._prefix, DUE_ITEMS, changes, WATERMARK, where)
        await self._tables.write(write)
