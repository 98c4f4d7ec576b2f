"""What sends parked messages back when their scope goes on, under a lease (`leases.py`)."""

import itertools
import random
import time
from collections.abc import Callable, Iterable

from mailpipe import logs, metrics
from mailpipe.board import kind_of, without_local_part
from mailpipe.due import DueItems
from mailpipe.outcomes import CallFailed
from mailpipe.pace import LEAST_SHARE, Credit, Pace, Ramp, room
from mailpipe.parking import WAITS_AT_MOST_S

REST_S = 10.0
"""A scope without mail, or where something fails, is looked at again after this."""
PASSED_S = 300.0
"""So long what could not be sent is passed over."""
LOOK_S = 30.0
OVERDUE_AT_ONCE = 100

log = logs.get()


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
        self._passed = dict[tuple[str, str], tuple[str, float]]()
        self._last_s = 0.0
        self._looked_s: float | None = None
        self._oldest = {
            kind: metrics.Told(metrics.PARKED_OLDEST.labels(kind)) for kind in metrics.SCOPE_KINDS
        }

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
        self._passed = {key: at for key, at in self._passed.items() if key[0] in kept}
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
                    parked, sent = await self._send_first(scope, name, most, now)
                except Exception as fault:  # one scope, or one item of it, stops no other
                    faults.append(fault)
                    self._rests[scope] = now + REST_S
                    _tell(scope, fault)
                    continue
                went += 1
                empty[scope] += parked == 0
                pace.took(sent)
                least.took(sent)
                free -= sent
        if faults and not went:
            raise faults[0]
        return [one for one, queues in empty.items() if queues == len(self._due.queues)]

    async def _send_first(self, scope: str, queue: str, most: int, now: float) -> tuple[int, int]:
        """How many were read, and how many of them went. What could not go is passed over until all
        others were read, or for `PASSED_S`; then it is tried again.
        """
        after, since = self._passed.pop((scope, queue), (None, now))
        if now - since >= PASSED_S:
            after, since = None, now
        parked = await self._due.first(scope, queue, most, after=after)
        if not parked and after is not None:
            after, since = None, now
            parked = await self._due.first(scope, queue, most)
        sent = await self._due.send(parked)
        if len(sent) < len(parked):
            after = parked[-1].due_key
        if after is not None:
            self._passed[scope, queue] = (after, since)
        return len(parked), len(sent)

    async def _look(self, scopes: Iterable[str]) -> None:
        """Send what has waited as long as it may, and tell how old the oldest is."""
        now, ages = self._due.wall_ms(), dict.fromkeys(self._oldest, 0.0)
        for scope, queue in itertools.product(scopes, self._due.queues):
            try:
                for first in await self._due.first(scope, queue, 1):
                    age_s, kind = (now - first.at_ms) / 1000, kind_of(scope)
                    ages[kind] = max(ages.get(kind, 0.0), age_s)
                    if age_s >= WAITS_AT_MOST_S:
                        await self._send_overdue(scope, queue, now)
            except Exception as fault:
                _tell(scope, fault)
        for kind, told in self._oldest.items():
            told.set(ages[kind])

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
