"""A sender's view of the board (`mailpipe/board.py`).

It is read every few seconds. What this sender finds out by itself holds here at once and is written
then; while the table cannot be reached the last reading stands.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import msgspec

from mailpipe import logs, metrics, resources
from mailpipe.aws.table import Applied, Refused, Tables
from mailpipe.board import (
    KIND,
    QUOTA,
    Pause,
    Quota,
    Reading,
    key_of,
    kind_of,
    pause_item,
    reading_of,
    without_local_part,
)
from mailpipe.outcomes import CallFailed
from mailpipe.partiql import delete_from, insert_into, update_in
from mailpipe.records import Attributes
from mailpipe.timing import now_ms

SOON_S = 0.25
"""How soon to look again while nobody has told SES's quota."""

log = logs.get()


class Board:
    """One process's view of the board."""

    def __init__(self, tables: Tables, prefix: str, *, wall_ms: Callable[[], int] = now_ms) -> None:
        self._tables = tables
        self._prefix = prefix
        self._wall_ms = wall_ms
        self._reading = Reading(None, {}, {}, [])
        self._unwritten = dict[str, Pause]()
        self._changes = 0
        self._reached = True
        self._read_at = 0
        metrics.QUOTA_BOARD_AGE.set_function(self._age_s)

    @property
    def known(self) -> bool:
        """Whether this process has read it once: before that it knows of no pause."""
        return self._read_at > 0

    @property
    def quota(self) -> Quota | None:
        """SES's quota; None until somebody has read it."""
        return self._reading.quota

    @property
    def pauses(self) -> dict[str, Pause]:
        """What is paused, by scope."""
        return self._reading.pauses

    @property
    def any_cap(self) -> bool:
        """Whether any tenant or domain has a cap."""
        return bool(self._reading.caps)

    def cap(self, scope: str) -> float | None:
        """Recipients a second of `tenant#t` or `domain#d`; None: no cap."""
        found = self._reading.caps.get(scope)
        return None if found is None else found.rate

    def stops(self, scopes: Iterable[str], *, probe: str | None = None) -> Pause | None:
        """The first of these scopes that is paused. A probe passes the pause that it is to test,
        unless a person has made it.
        """
        for scope in scopes:
            pause = self._reading.pauses.get(scope)
            if pause is not None and not (pause.ours and scope == probe):
                return pause
        return None

    def due_probes(self) -> Iterator[Pause]:
        """Pauses that one mail may try to pass now, the one that waits longest first."""
        now = self._wall_ms()
        waiting = sorted(self.pauses.values(), key=lambda one: one.probe_at)
        return (one for one in waiting if 0 < one.probe_at <= now)

    async def run(self, every_s: float) -> None:
        """Read it again and again, for ever."""
        while True:
            try:
                await self.refresh()
            except CallFailed as error:
                if self._reached:
                    log.warning("board_unreachable", code=error.code, text=error.text)
                self._reached = False
            done = self.known and self.quota
            await asyncio.sleep(every_s if done else min(every_s, SOON_S))

    async def refresh(self) -> None:
        """Read it now, and write what could not be written before. Raises CallFailed."""
        for pause in list(self._unwritten.values()):
            if not await self._written(pause):
                break  # a table that takes no writes may be read all the same
        while True:
            changes = self._changes
            items = await self._tables.partition(resources.COORDINATION, KIND)
            if changes == self._changes:
                break  # else it may be older than what this process has found meanwhile
        found = reading_of(items)
        if found.unreadable and found.unreadable != self._reading.unreadable:
            log.error("board_unreadable", items=len(found.unreadable))
        if not self._reached:
            log.info("board_reached")
        self._reached, self._read_at = True, self._wall_ms()
        found.pauses.update(self._unwritten)
        self._see(found)

    async def pause(
        self, scope: str, reason: str, *, code: str, probe_at: int, tenant: str = ""
    ) -> None:
        """Mail of this scope waits from now on: here at once, elsewhere when they read it. The
        first finding stands. A board that cannot be reached is written later.
        """
        if scope in self.pauses:
            return
        pause = Pause(
            scope=scope,
            reason=reason,
            code=code,
            since=self._wall_ms(),
            probe_at=probe_at,
            tenant=tenant,
        )
        metrics.bound(metrics.QUOTA_PAUSES, reason).inc()
        log.error("scope_paused", scope=without_local_part(scope), reason=reason, code=code)
        self._unwritten[scope] = pause
        self._see(self._reading._replace(pauses={**self.pauses, scope: pause}))
        await self._written(pause)

    async def _written(self, pause: Pause) -> bool:
        statement = insert_into(self._prefix, resources.COORDINATION, pause_item(pause))
        try:
            await self._tables.write(statement)
        except CallFailed as error:
            log.warning("pause_not_written", code=error.code, text=error.text)
            return False
        # Refused: another sender was first, and the next reading brings its pause.
        self._unwritten.pop(pause.scope, None)
        self._changes += 1
        return True

    async def postpone(self, pause: Pause, probe_at: int) -> bool:
        """The next probe is then; False when somebody else has changed it. Raises CallFailed."""
        fate = await self._tables.write(
            update_in(
                self._prefix,
                resources.COORDINATION,
                {"probeAt": probe_at},
                key_of(f"pause#{pause.scope}"),
                ("probeAt", "=", pause.probe_at),
                ("since", "=", pause.since),
            )
        )
        if isinstance(fate, Refused):
            return False
        later = msgspec.structs.replace(pause, probe_at=probe_at)
        self._changes += 1
        self._see(self._reading._replace(pauses={**self.pauses, pause.scope: later}))
        return True

    async def probe_now(self, pause: Pause) -> None:
        """The next probe is due now, whenever it was to be. Raises CallFailed."""
        due: Attributes = {"probeAt": self._wall_ms()}
        key, same = key_of(f"pause#{pause.scope}"), ("since", "=", pause.since)
        await self._tables.write(update_in(self._prefix, resources.COORDINATION, due, key, same))
        self._changes += 1

    async def resume(self, pause: Pause) -> bool:
        """It is over; False when the scope has been paused anew. Raises CallFailed."""
        key = key_of(f"pause#{pause.scope}")
        fate = await self._tables.write(
            delete_from(self._prefix, resources.COORDINATION, key, ("since", "=", pause.since))
        )
        self._changes += 1
        known = self.pauses.get(pause.scope)
        if known is not None and known.since == pause.since:
            self._unwritten.pop(pause.scope, None)
            rest = {name: one for name, one in self.pauses.items() if name != pause.scope}
            self._see(self._reading._replace(pauses=rest))
        if isinstance(fate, Applied):
            waited_s = (self._wall_ms() - pause.since) / 1000
            log.info(
                "scope_resumed", scope=without_local_part(pause.scope), after_s=round(waited_s, 1)
            )
        return isinstance(fate, Applied)

    async def tell(self, quota: Quota) -> None:
        """SES's quota, as it was just read. Raises CallFailed."""
        changes: Attributes = msgspec.to_builtins(quota)
        key, table = key_of(QUOTA), resources.COORDINATION
        self._see(self._reading._replace(quota=quota))
        # Whatever is there: a reading that claims to be of tomorrow must not stay until then.
        fate = await self._tables.write(update_in(self._prefix, table, changes, key))
        if isinstance(fate, Refused):
            await self._tables.write(insert_into(self._prefix, table, key | changes))
        self._changes += 1

    def _see(self, reading: Reading) -> None:
        self._reading = reading
        counts = Counter(map(kind_of, reading.pauses))
        for kind in metrics.SCOPE_KINDS:
            metrics.bound(metrics.QUOTA_PAUSED, kind).set(counts[kind])
        if (quota := reading.quota) is not None:
            metrics.QUOTA_RATE.set(quota.rate)
            metrics.QUOTA_SENT_24H.set(quota.sent_24_hours)
            metrics.QUOTA_MAX_24H.set(quota.max_24_hour)
            metrics.QUOTA_SENDERS.set(quota.senders)

    def _age_s(self) -> float:
        return (self._wall_ms() - self._read_at) / 1000 if self._read_at else 0.0
