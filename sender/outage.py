"""While the shared item cannot be reached. Pure: times are passed in, in seconds of one clock.

Bulk mail stops. Urgent mail stops too, or goes on at a small rate that the operator has set, split
by the number of senders last seen: nobody can know who else still reaches the item.
"""

from sender.binding import STORE
from sender.pacing import HORIZON_S, Reservation, slots_at_once

GAP_S = 10.0
"""After so long without a try a failure begins anew: nothing is known of the time between."""

LOOK_EVERY_S = 1.0
"""Meanwhile the store is asked again so often."""


class Outage:
    """Whether the store answers; a single failed write is none. `rate` in recipients per second."""

    def __init__(self, *, after_s: float, rate: float) -> None:
        self._after_s = after_s
        self._rate = rate
        self._since_s: float | None = None
        self._tried_s = 0.0
        self._tat_s = 0.0
        self._may_go = True
        self.reason: str | None = None
        """Why nothing can be reserved; None while the store answers."""

    def failed(self, now_s: float, code: str, *, may_go: bool = True) -> bool:
        """A write failed; True when that makes it an outage. `may_go`: mail may go on without the
        store; not where a person has to put something right first.
        """
        idle = now_s - self._tried_s > self._after_s + GAP_S
        self._tried_s, self._may_go = now_s, may_go
        if self._since_s is None or (idle and self.reason is None):
            self._since_s = now_s
        if self.reason is not None or now_s - self._since_s < self._after_s:
            return False
        self.reason = f"the item of send slots cannot be reached: {code}"
        return True

    def answered(self) -> bool:
        """A write was answered; True when that ends an outage."""
        ended = self.reason is not None
        self._since_s = self.reason = None
        return ended

    def rests(self, now_s: float) -> bool:
        """Whether to do without the store for now: each look at it may cost a time-out."""
        return self.reason is not None and now_s - self._tried_s < LOOK_EVERY_S

    def reserve(
        self, lane: str, recipients: int, at_most: int, *, now_s: float, lead_s: float, senders: int
    ) -> Reservation:
        """What may go without the store."""
        rate = self._rate / max(1, senders) if self._may_go else 0.0
        if self.reason is None or lane == "bulk" or rate <= 0:
            again_in_s = 0.2 if self.reason is None else LOOK_EVERY_S
            return Reservation([], again_in_s, STORE)
        limit_s = now_s + lead_s + HORIZON_S[lane]
        if self._tat_s > limit_s:
            return Reservation([], self._tat_s - limit_s, STORE)
        count = slots_at_once(rate, recipients=recipients, at_most=at_most)
        start_s = max(self._tat_s, now_s + lead_s)
        self._tat_s = start_s + count / rate
        return Reservation([start_s + n / rate for n in range(count)], again_in_s=0.0)
