"""What sends parked messages back: when they are due, and when their scope goes on.

Each runs under a lease (`leases.py`), a piece at a time.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mailpipe import logs, metrics, resources
from mailpipe.aws.table import Refused, Tables
from mailpipe.board import kind_of, without_local_part
from mailpipe.due import WATERMARK, DueItems
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.pace import LEAST_SHARE, Credit, Pace, Ramp, passed, room
from mailpipe.parking import MINUTE_MS, WAITS_AT_MOST_S, Parked
from mailpipe.partiql import insert_into, update_in
from mailpipe.records import Attributes
from mailpipe.resources import DUE_ITEMS, SHARDS

MINUTES_AT_ONCE = 60
PAGE = 100
LOOK_BACK_MINUTES = 15
"""Where nobody has released anything yet."""
REST_S = 10.0
"""A scope without mail, or where something fails, is looked at again after this."""
LOOK_S = 30.0
OVERDUE_AT_ONCE = 100

log = logs.get()


@dataclass
class _Sweep:
    """One reading of all minutes, from the watermark on. `now_ms` is when it began: what it has
    seen empty was so then, not later.
    """

    now_ms: int
    first: int
    next: int
    busy: set[int]
    oldest_ms: int


class DueTimes:
    """Sends what waits for a time, while `time_is_right`."""

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
        self._late = metrics.PARKED_OLDEST.labels(kind_of(None))

    async def work(self) -> bool:
        """Send what is due soon; True: there is more. Raises CallFailed.

        What cannot be sent holds the watermark, and nothing else.
        """
        if not self._time_is_right():
            raise CallFailed(Kind.NOTHING_HAPPENED, "ClockWrong", "another may have the time")
        sweep = self._sweep = self._sweep or await self._begin()
        soon = self._due.wall_ms() + round(self._due.waits.soon_s * 1000)
        last = min(soon // MINUTE_MS, sweep.next + MINUTES_AT_ONCE)
        while sweep.next <= last:
            parked, goes_on = await self._of(sweep.next, soon)
            sweep.oldest_ms = min([sweep.oldest_ms, *(one.at_ms for one in parked)])
            sent = await self._due.send([one for one in parked if one.at_ms <= soon])
            if goes_on and sent:
                return True  # the rest of this minute
            if goes_on or len(sent) < len(parked):
                sweep.busy.add(sweep.next)
            sweep.next += 1
        await self._move(sweep, last)
        if last < soon // MINUTE_MS:
            return True
        self._late.set((sweep.now_ms - sweep.oldest_ms) / 1000)
        self._sweep = None
        return False

    async def _begin(self) -> _Sweep:
        now = self._due.wall_ms()
        first = await self._watermark(now)
        return _Sweep(now, first, first, set(), now)

    async def _of(self, minute: int, soon: int) -> tuple[list[Parked], bool]:
        """The first of this minute, and whether more of it is due soon."""
        partitions = [resources.waits_for_time(minute, number) for number in range(SHARDS)]
        whole = ("0", "~")
        pages = await asyncio.gather(
            *[self._due.page(one, whole, limit=PAGE) for one in partitions]
        )
        parked = [one for items, _ in pages for one in items]
        goes_on = any(more and items[-1].at_ms <= soon for items, more in pages if items)
        return parked, goes_on

    async def _watermark(self, now: int) -> int:
        minute = await self._due.watermark()
        return now // MINUTE_MS - LOOK_BACK_MINUTES if minute is None else minute

    async def _move(self, sweep: _Sweep, last: int) -> None:
        settle_s = self._due.waits.settle_s
        minute = passed(sweep.first, last, sweep.busy, now_ms=sweep.now_ms, settle_s=settle_s)
        if minute == sweep.first:
            return
        changes: Attributes = {"minute": minute}
        where = ("minute", "<", minute)
        fate = await self._tables.write(
            update_in(self._prefix, DUE_ITEMS, changes, WATERMARK, where)
        )
        if isinstance(fate, Refused) and fate.item is None:
            await self._tables.write(insert_into(self._prefix, DUE_ITEMS, WATERMARK | changes))


class ScopeRelease:
    """Sends what waits for a scope that is not `paused`, at the pace of `pace.py`.

    Nobody has to tell it that a scope goes on: mail that waits for one that is not paused is its
    work. So it does not matter who resumes a scope, nor whether the last holder died over it.
    What has waited as long as it may goes, paused or not: senders end it. `rate` is what the
    account may send a second.
    """

    def __init__(
        self,
        due: DueItems,
        *,
        paused: Callable[[str], bool],
        rate: Callable[[], float],
        ramp: Ramp,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._due = due
        self._paused = paused
        self._rate = rate
        self._ramp = ramp
        self._clock = clock
        self._paces = dict[tuple[str, str], Pace]()
        self._least = dict[str, Credit]()
        self._rests = dict[str, float]()
        self._last_s = 0.0
        self._looked_s: float | None = None

    async def work(self) -> None:
        """Send what may go now. Raises CallFailed."""
        now = self._clock()
        scopes = await self._due.scopes()
        open_ = [one for one in scopes if not self._paused(one)]
        # After a pause, or a time without the lease, a release begins anew.
        kept = set(open_) if now - self._last_s < REST_S else set[str]()
        if not kept:
            self._least.clear()
        self._last_s = now
        self._paces = {key: pace for key, pace in self._paces.items() if key[0] in kept}
        self._rests = {scope: at for scope, at in self._rests.items() if scope in kept}
        wanted = [one for one in open_ if self._rests.get(one, now) <= now]
        random.shuffle(wanted)  # where there is room for few, no scope is always the last
        if wanted:
            for scope in await self._release(wanted, now):
                self._rests[scope] = now + REST_S
                await self._due.forget(scope, scopes[scope])
        if self._looked_s is None or now - self._looked_s >= LOOK_S:
            self._looked_s = now
            await self._look(scopes)

    async def _release(self, scopes: list[str], now: float) -> list[str]:
        """Send what may go; the scopes that nothing waits for. Raises what failed if all did."""
        rate, empty = self._rate(), dict.fromkeys(scopes, 0)
        faults, went = list[Exception](), 0
        for name, queue in self._due.queues.items() if rate > 0 else ():
            least = self._least.setdefault(name, Credit(now))
            at_least = least.earned(now, rate * LEAST_SHARE)
            free = max(at_least, room(rate, (await queue.depth()).waiting, self._ramp))
            for scope in scopes:
                pace = self._paces.setdefault((scope, name), Pace(now))
                most = min(free, pace.allow(now, rate, self._ramp))
                if most < 1:
                    continue
                try:
                    parked = await self._due.first(scope, name, most)
                    sent = len(await self._due.send(parked))
                except Exception as fault:  # one scope, or one item of it, stops no other
                    faults.append(fault)
                    self._rests[scope] = now + REST_S
                    _tell(scope, fault)
                    continue
                went += 1
                empty[scope] += not parked
                pace.took(sent)
                least.took(sent)
                free -= sent
        if faults and not went:
            raise faults[0]
        return [one for one, queues in empty.items() if queues == len(self._due.queues)]

    async def _look(self, scopes: Iterable[str]) -> None:
        """Send what has waited as long as it may, and tell how old the oldest is."""
        now, ages = self._due.wall_ms(), dict.fromkeys(metrics.SCOPE_KINDS, 0.0)
        for scope, queue in itertools.product(scopes, self._due.queues):
            try:
                for first in await self._due.first(scope, queue, 1):
                    age_s, kind = (now - first.at_ms) / 1000, kind_of(scope)
                    ages[kind] = max(ages.get(kind, 0.0), age_s)
                    if age_s >= WAITS_AT_MOST_S:
                        await self._send_overdue(scope, queue, now)
            except Exception as fault:
                _tell(scope, fault)
        for kind, age_s in ages.items():
            metrics.bound(metrics.PARKED_OLDEST, kind).set(age_s)

    async def _send_overdue(self, scope: str, queue: str, now: int) -> None:
        last_ms = now - WAITS_AT_MOST_S * 1000
        parked = await self._due.first(scope, queue, OVERDUE_AT_ONCE)
        await self._due.send([one for one in parked if one.at_ms <= last_ms])


def _tell(scope: str, fault: Exception) -> None:
    where = without_local_part(scope)
    if isinstance(fault, CallFailed):
        log.warning("release_of_scope_failed", scope=where, code=fault.code, text=fault.text)
    else:
        log.error("release_of_scope_bug", scope=where, exc_info=fault)
