"""Matches the mails in hand of one lane with send slots.

One reservation serves many mails. An instant is given to a mail only when it is due: just so long
before it that the claim fits in (`Lead`). Until then it is nobody's, however early it was reserved,
so a mail that comes now has its turn now.
"""

import asyncio
from bisect import bisect_right, insort
from collections import deque
from functools import partial

from msgspec import Struct

from mailpipe import metrics
from mailpipe.aws.queue import BATCH
from mailpipe.lifecycle import Stop
from sender.arrivals import Arrivals
from sender.binding import BINDS, CONCURRENCY, PAUSE, RATE, WINDOW_S, Binding
from sender.digging import Digging
from sender.limiter import Limiter
from sender.pacing import APART_S, Lead
from sender.turns import ROOM_S, Excess, Room, Turns

EARLY = 2.0
"""An instant is given away so many leads before it: one in a hundred claims takes longer than one.
"""

UNFELT_S = 0.05
"""To have waited so long for a slot is no sign that something binds."""


class _Waiting(Struct):
    recipients: int
    since_s: float
    instant: asyncio.Future[float | Excess | None]


class Slots:
    """Hands instants to the mails of one lane, tenant by tenant.

    At most about `most` recipients wait here (see `turns.py`). While more would, the queue is
    looked through every `dig_every_s` for mail of other tenants, and faster while there is some.
    Reservations are `apart_s` apart at least.
    """

    def __init__(
        self,
        limiter: Limiter,
        lane: str,
        *,
        lead: Lead,
        most: int,
        dig_every_s: float,
        apart_s: float = APART_S,
    ) -> None:
        self._limiter, self._lead = limiter, lead
        self._lane = lane
        self._apart_s = apart_s
        self._loop = asyncio.get_running_loop()
        self._room, self._turns = Room(most), Turns[_Waiting]()
        self._claimed = deque[_Waiting]()
        self._instants = list[float]()
        self._refused = (RATE, 0.0)
        self._digging = Digging(dig_every_s)
        self._arrivals = Arrivals(most=self._room.most, fewer=self._look_for_room)
        self.arriving, self.keep = self._arrivals.arriving, self._arrivals.keep
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = 0.0
        self._wanted = asyncio.Event()
        self._has_room = asyncio.Event()
        self._count = {
            fate: metrics.QUOTA_SLOTS.labels(lane, fate)
            for fate in ("granted", "used", "lost", "refused")
        }
        self._waits = metrics.QUOTA_WAIT.labels(lane)
        self._excess = metrics.QUOTA_EXCESS.labels(lane)
        self.binding = Binding()
        self.closed = False

    def turns_away(self, tenant: str) -> bool:
        """Whether `next` would answer Excess to a mail of this tenant, as things are now."""
        if self._turns.has_place(tenant, self._room_of_current()):
            return False
        self._excess.inc()
        return True

    async def next(self, tenant: str, recipients: int) -> float | Excess | None:
        """The instant (event loop's clock) at which this mail may go.

        Excess when mail of other tenants has a better right to wait; None when the process is
        stopping: hand the mail back. A mail with n recipients takes n slots and goes at the first.
        """
        now_s = self._loop.time()
        room = self._room_of_current()
        self._arrivals.leave()
        if self.closed:
            return None
        waiting = _Waiting(recipients, now_s, self._loop.create_future())
        joined = self._turns.join(tenant, recipients, waiting, room=room)
        if isinstance(joined, Excess):
            self._excess.inc()
            return joined
        if self._turns.holds_little(tenant):
            self._digging.found(now_s)
        if joined.displaced is not None:
            self._excess.inc()
            _answer(joined.displaced, Excess())
        self._ask()
        return await waiting.instant

    async def again(self, recipients: int) -> float | None:
        """Another instant for a mail that is claimed and has missed its own: before all others."""
        if self.closed:
            return None
        waiting = _Waiting(recipients, self._loop.time(), self._loop.create_future())
        self._claimed.append(waiting)
        self._ask()
        instant = await waiting.instant
        return None if isinstance(instant, Excess) else instant

    def give_back(self, instant: float) -> None:
        """A mail will not go after all: the next one takes its slot, if there is time for that.
        Of a mail's several slots the others are lost.
        """
        if not self.closed:
            insort(self._instants, instant)
            self._deal()

    async def appetite(self) -> int:
        """How many messages to fetch. Waits until there is room for them, or until it is time to
        look behind one tenant's backlog for others' mail.
        """
        await asyncio.sleep(0)  # what has just been fetched arrives
        while not (space := self._space()) and not self.closed:
            self._has_room.clear()
            try:
                async with asyncio.timeout(self._digging.wait_s(self._loop.time())):
                    await self._has_room.wait()
            except TimeoutError:
                now_s = self._loop.time()
                self._digging.due(now_s)
                # Where no slots come mail would only go back and forth.
                if not self._space() and (self._room.lately(now_s) or not self._turns.mails):
                    self._digging.looked()
                    return BATCH
        return space

    def full_for(self, seconds: float) -> None:
        """All that may be in hand was in hand for so long."""
        self.binding.note(CONCURRENCY, self._loop.time(), seconds)

    def paused(self) -> None:
        """A mail waits for the end of a pause."""
        self.binding.note(PAUSE, self._loop.time(), WINDOW_S)

    async def run(self, stop: Stop) -> None:
        """Reserve for who waits until `stop`, then refuse everybody."""
        self._show()
        stop.wakes(self._wanted)
        try:
            while not stop.is_set():
                await self._reserve(stop)
        finally:
            self.closed = True
            if self._timer is not None:
                self._timer.cancel()
            for waiting in (*self._claimed, *self._turns.clear()):
                _answer(waiting, None)
            self._claimed.clear()
            self._has_room.set()

    async def _reserve(self, stop: Stop) -> None:
        self._drop_until(self._loop.time())
        wanted = self._recipients() - len(self._instants)
        if wanted <= 0:
            self._wanted.clear()
            await self._wanted.wait()
            return
        reservation = await self._limiter.reserve(self._lane, self._first(), wanted)
        if not reservation.instants:
            self._count["refused"].inc()
            self._refused = (reservation.binds, self._loop.time())
            self.binding.note(*self._refused, reservation.again_in_s)
            await stop.sleep(reservation.again_in_s)
            return
        self._count["granted"].inc(len(reservation.instants))
        self._instants = sorted([*self._instants, *reservation.instants])
        self._deal()
        await stop.sleep(self._apart_s)

    def _recipients(self) -> int:
        claimed = sum(one.recipients for one in self._claimed) if self._claimed else 0
        return self._turns.recipients + claimed

    def _first(self) -> int:
        return self._claimed[0].recipients if self._claimed else self._turns.peek()

    def _room_of_current(self) -> int:
        """For mail that was kept until its time all of it: it could not come one by one."""
        return self._room.most if self._arrivals.kept() else self._room.size

    def _space(self) -> int:
        """Messages that the room can take; 0 until they are worth a call."""
        room, turns = self._room.look(self._loop.time()), self._turns
        typical = turns.recipients / turns.mails if turns.mails else 1.0
        space = int((room - turns.recipients) / typical) - self._arrivals.coming()
        return min(space, BATCH) if space >= min(BATCH, room // 2) else 0

    def _ask(self) -> None:
        """Somebody waits who did not before."""
        if self._instants:
            self._deal()
        else:
            self._wanted.set()

    def _deal(self) -> None:
        """Give away the instants that are due, and come again when the next one is."""
        now_s, used = self._loop.time(), 0
        self._drop_until(now_s)
        while self._instants and (dealt := self._whose(now_s)) is not None:
            used += self._give(dealt, now_s)
        if used:
            self._room.gave(used, now_s)
            self._count["used"].inc(used)
        self._come_again(now_s)
        if self._recipients() > len(self._instants):
            self._wanted.set()
        self._look_for_room()

    def _look_for_room(self) -> None:
        if not self._has_room.is_set() and self._space():
            self._has_room.set()

    def _whose(self, now_s: float) -> _Waiting | None:
        """Whose the first instant is now."""
        if self._claimed:
            enough = self._claimed[0].recipients <= len(self._instants)
            return self._claimed.popleft() if enough else None
        if not self._turns.mails or self._due_s() > now_s:
            return None
        taken = self._turns.take(len(self._instants))
        return taken[1] if taken else None

    def _due_s(self) -> float:
        """When the first instant is given away."""
        return self._instants[0] - EARLY * self._lead.seconds

    def _give(self, waiting: _Waiting, now_s: float) -> int:
        """How many instants it took."""
        if waiting.instant.done():
            return 0  # cancelled: the process stops, or the mail's lease ends
        waiting.instant.set_result(self._instants[0])
        del self._instants[: waiting.recipients]
        waited_s = now_s - waiting.since_s
        self._waits.observe(waited_s)
        if waited_s > UNFELT_S:
            what, at_s = self._refused
            self.binding.note(what if now_s - at_s < WINDOW_S else RATE, now_s, waited_s)
        return waiting.recipients

    def _drop_until(self, until_s: float) -> None:
        if self._instants and self._instants[0] <= until_s:
            gone = bisect_right(self._instants, until_s)
            del self._instants[:gone]
            self._count["lost"].inc(gone)

    def _come_again(self, now_s: float) -> None:
        due_s = self._due_s() if self._instants and self._turns.mails else now_s
        if self._timer is not None:
            if self._timer_s == due_s:
                return
            self._timer.cancel()
            self._timer = None
        # The same `now_s` as it was found not to be due at: else it might be due in between.
        if due_s > now_s:
            self._timer, self._timer_s = self._loop.call_at(due_s, self._fall_due), due_s

    def _fall_due(self) -> None:
        self._timer = None
        self._deal()

    def _show(self) -> None:
        """Metrics that are worked out when somebody looks."""
        lane, clock = self._lane, self._loop.time

        def binds(what: str) -> float:
            return float(self.binding.binds(clock()) == what)

        for what in BINDS:
            metrics.QUOTA_BINDS.labels(lane, what).set_function(partial(binds, what))
        in_use = metrics.QUOTA_IN_USE.labels(lane)
        in_use.set_function(lambda: self._room.lately(clock()) / ROOM_S)
        metrics.QUOTA_WAITING.labels(lane).set_function(lambda: self._turns.mails)


def _answer(waiting: _Waiting, instant: float | Excess | None) -> None:
    if not waiting.instant.done():
        waiting.instant.set_result(instant)
