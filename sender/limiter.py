"""Who may send when: one item in DynamoDB between all senders. See `docs/quota.md`.

The decisions are in `reserving.py` and `pacing.py`; here are calls, clocks, and what happens
while the item cannot be reached.
"""

import math
import time
from random import random
from typing import NamedTuple, Protocol

from mailpipe import logs, metrics
from mailpipe.changes import Change, Changed
from mailpipe.outcomes import CallFailed, Kind
from sender.binding import CLOCK, DAY, RATE
from sender.caps import Caps
from sender.items import Items, SlotItems
from sender.outage import Outage
from sender.pacing import MAX_LEAD_S, Lead, Reservation
from sender.reserving import Account, Terms, Wanted, read

ACCOUNT = "account"
ORIGIN = "origin"
"""Says when the first sender of this deployment started: before that nobody held any instant."""
JUST_STARTED_US = 2_000_000
READ_TOGETHER_S = 0.001

log = logs.get()


class Limiter(Protocol):
    """Hands out send slots. Never raises: without its store it has none."""

    async def reserve(self, lane: str, recipients: int, at_most: int) -> Reservation:
        """Slots for a mail with `recipients`, and up to `at_most` for those behind it.

        Instants are on the event loop's clock.
        """
        ...

    def any_cap(self) -> bool:
        """Whether any tenant or domain has a cap."""
        ...

    async def cap_wait_s(self, scope: str, recipients: int) -> float:
        """How long a mail waits for the cap of `tenant#…` or `domain#…`; 0 = it may go on.

        A wait means that its slot is taken; infinite: it would be too long, and nothing is taken.
        """
        ...

    def throttled(self) -> None:
        """SES says that we send too fast: halve the rate, at most once a second."""
        ...


class Rates(Protocol):
    """What SES and the operators allow, in recipients per second."""

    def account(self) -> float:
        """SES's MaxSendRate; 0 = unknown, and nothing may be sent."""
        ...

    def day(self, lane: str) -> float | None:
        """What the day's quota leaves this lane; None = it does not bind."""
        ...

    def any_cap(self) -> bool:
        """Whether there is any cap."""
        ...

    def cap(self, scope: str) -> float | None:
        """The cap of `tenant#…` or `domain#…`; None = there is none."""
        ...

    def senders(self) -> int:
        """How many were last seen, at least 1."""
        ...


class Time(Protocol):
    """The time that all senders share."""

    @property
    def good(self) -> bool:
        """Whether it is known well enough to keep to instants."""
        ...

    def epoch_us(self) -> int:
        """Microseconds since the epoch, as near to AWS's clock as is known."""
        ...


class Moment(NamedTuple):
    """One moment on two clocks. Instants are counted from it on the event loop's: a wall clock that
    is put right meanwhile does not move them.
    """

    loop_s: float
    epoch_us: int


class SharedLimiter:
    """The limiter of all senders together; `prepare` it before the first mail. `caps`: the same
    items over connections of their own, so that mail under caps holds up nobody's reservation.
    """

    def __init__(
        self,
        items: Items,
        rates: Rates,
        terms: Terms,
        *,
        lead: Lead,
        outage: Outage,
        clock: Time,
        caps: Items | None = None,
    ) -> None:
        self._clock = clock
        self._items = SlotItems(items)
        self._account_item = SlotItems(items, self._answered)
        self._rates = rates
        self._account = Account(terms)
        capped = SlotItems(caps or items)
        self._caps = Caps(capped, self._clock.epoch_us, days=self._items)
        self._lead = lead
        self._writes = Lead(first_s=0.02, least_s=0.005)
        self._outage = outage
        self._throttled = False

    async def prepare(self) -> None:
        """Make the item if it is not there, so that the first mail need not wait for that.

        Where senders have run before, the first reservation makes it if somebody has deleted it:
        by then the rate is known, and with it what others may hold.
        """
        now_us = self._clock.epoch_us()
        try:
            origin = await self._items.change(ORIGIN, Change({"at": now_us}, absent=("at",)))
            now_us = self._clock.epoch_us()
            started_us = (origin.item or {}).get("at", 0)
            if abs(now_us - started_us) < JUST_STARTED_US:
                fate = await self._items.change(ACCOUNT, self._account.born(now_us, 0.0))
                self._account.seen = read(fate.item)
                if isinstance(fate, Changed):
                    log.info("slots_item_made")
        except CallFailed as failure:
            self._unanswered(failure)
        else:
            self._answered()

    def unready(self) -> str | None:
        """Why this sender is not ready: the store does not answer."""
        return self._outage.reason

    def throttled(self) -> None:
        """See Limiter.throttled."""
        self._throttled = True

    async def reserve(self, lane: str, recipients: int, at_most: int) -> Reservation:
        """See Limiter.reserve."""
        if not self._outage.rests(time.monotonic()):
            try:
                return await self._reserve(lane, recipients, at_most)
            except CallFailed as failure:
                self._unanswered(failure)
        return self._outage.reserve(
            lane,
            recipients,
            at_most,
            now_s=time.monotonic(),
            lead_s=self._lead.seconds,
            senders=self._rates.senders(),
        )

    def any_cap(self) -> bool:
        """See Limiter.any_cap."""
        return self._rates.any_cap()

    async def cap_wait_s(self, scope: str, recipients: int) -> float:
        """See Limiter.cap_wait_s."""
        rate = self._rates.cap(scope)
        if rate is None:
            return 0.0
        if self._outage.rests(time.monotonic()):
            return math.inf
        try:
            return await self._caps.wait_s(scope, rate, recipients)
        except CallFailed as failure:
            metrics.bound(metrics.RESERVE_FAILURES, failure.kind.value).inc()
            return math.inf  # only the account's item says whether slots can be had

    async def _reserve(self, lane: str, recipients: int, at_most: int) -> Reservation:
        day_rate = self._rates.day(lane)
        if day_rate is not None:
            wait_s = await self._caps.day_wait_s(lane, day_rate, recipients, at_most)
            if wait_s > 0:
                return Reservation([], again_in_s=wait_s, binds=DAY)
            at_most = min(at_most, self._caps.permits(lane))
        if self._throttled:
            await self._account_item.ask(ACCOUNT, self._account.halve(self._clock.epoch_us()))
            self._throttled = False
        moment = _moment(self._clock)
        wanted = Wanted(
            lane,
            recipients,
            at_most,
            now_us=moment.epoch_us,
            lead_s=min(MAX_LEAD_S, self._lead.seconds + self._writes.seconds),
            quota=self._rates.account(),
            unsure=not self._clock.good,
            jitter=random(),  # noqa: S311
            senders=self._rates.senders(),
        )
        reservation = await self._account_item.ask(ACCOUNT, self._account.reserve(wanted))
        self._writes.observe(time.monotonic() - moment.loop_s)
        metrics.QUOTA_FACTOR.set(self._account.factor(moment.epoch_us))
        if day_rate is not None:
            self._caps.use(lane, len(reservation.instants))
        if not reservation.instants:
            return reservation._replace(binds=RATE if self._clock.good else CLOCK)
        instants = [moment.loop_s + after_s for after_s in reservation.instants]
        return Reservation(instants, again_in_s=0.0)

    def _unanswered(self, failure: CallFailed) -> None:
        metrics.bound(metrics.RESERVE_FAILURES, failure.kind.value).inc()
        may_go = failure.kind is not Kind.CONFIGURATION
        if self._outage.failed(time.monotonic(), failure.code, may_go=may_go):
            metrics.QUOTA_UNREACHABLE.set(1)
            log.error("slots_unreachable", code=failure.code, text=failure.text)

    def _answered(self) -> None:
        if self._outage.answered():
            metrics.QUOTA_UNREACHABLE.set(0)
            log.info("slots_reachable")


def _moment(clock: Time) -> Moment:
    """Both clocks at once: a process that is stopped between two looks looks again. The event loop
    counts in this monotonic time, but some loops look at it once a turn only.
    """
    while True:
        before_s = time.monotonic()
        epoch_us = clock.epoch_us()
        if time.monotonic() - before_s < READ_TOGETHER_S:
            return Moment(before_s, epoch_us)
