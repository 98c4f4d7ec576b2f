"""How far our clock is from AWS's. Pure: times are passed in, in seconds since the epoch.

All senders keep to instants of one item, so their clocks must agree. Every answer of AWS has a
Date in whole seconds (RFC 9110, section 6.6.1), cut off, not rounded. An answer `Date: D` to a
request of ours between `sent` and `received` says that AWS's clock was within [D, D + 1) at some
moment between the two, so our offset (ours minus AWS's) is within (sent - D - 1, received - D]. One
answer leaves a second; what many answers leave in common is as narrow as an exchange with AWS
takes, once some came just before and just after a tick of AWS's second. `moments` says when to ask.
"""

import math
from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

DRIFT = 5e-5
"""Seconds a second by which a clock may gain or lose on AWS's: about what quartz does by itself,
and far more than one that chrony keeps."""

KEPT = 2.0
"""A clock that was good stays so until it may be outside so many budgets: when AWS answers slowly
it cannot be measured again as well as before, and nothing speaks against it."""

STALE_S = 0.003
"""So old a Date may be when it leaves: many a server looks at its clock once a turn of its loop."""

FRACTIONS = 16
"""One tick narrows the offset to a sixteenth: fifteen requests around it."""


STEP_S = 0.002
"""A wall clock that moves so much against the steady one was set, and what was known is gone."""


class ClockState(StrEnum):
    """What is known of our clock."""

    UNSURE = "unsure"
    """Too little to say."""
    GOOD = "good"
    """Within the budget, wherever in the interval the offset lies."""
    WRONG = "wrong"
    """Outside the budget, wherever it lies."""


class Offset(Struct, frozen=True):
    """Ours minus AWS's, in seconds: at least `low_s`, at most `high_s`."""

    low_s: float
    high_s: float

    @property
    def width_s(self) -> float:
        """How much is not known."""
        return self.high_s - self.low_s

    @property
    def least_s(self) -> float:
        """The smallest correction that AWS's answers allow: ours is believed where it can be."""
        return min(max(0.0, self.low_s), self.high_s)

    def after(self, age_s: float) -> "Offset":
        """What is left of it after so long."""
        grown_s = max(0.0, age_s) * DRIFT
        return Offset(self.low_s - grown_s, self.high_s + grown_s)


def told(date_s: int, sent_s: float, received_s: float) -> Offset:
    """What one answer says."""
    return Offset(sent_s - date_s - 1 - STALE_S, received_s - date_s)


class Clock:
    """What many answers say together. `wall_s`: our clock; `steady_s`: one that nobody sets;
    `budget_s`: how far ours may be off.
    """

    def __init__(
        self, wall_s: Callable[[], float], steady_s: Callable[[], float], *, budget_s: float
    ) -> None:
        self._wall_s = wall_s
        self._steady_s = steady_s
        self._ahead_s = self._ahead_of_steady_s()
        self._budget_s = budget_s
        self._offset: Offset | None = None
        self._at_s = 0.0
        self._was_good = False
        self.contradictions = 0

    def observe(self, date_s: int, sent_s: float, received_s: float) -> None:
        """An answer of AWS. One that cannot be true together with those before it (a clock was put
        right, a Date comes from elsewhere) begins anew.
        """
        wall_s = self._wall_s()
        if self._was_set(wall_s) or received_s < sent_s:
            return
        seen = told(date_s, sent_s, received_s)
        if self._offset is not None:
            known = self._offset.after(wall_s - self._at_s)
            both = Offset(max(known.low_s, seen.low_s), min(known.high_s, seen.high_s))
            if both.width_s >= 0:
                seen = both
            else:
                self.contradictions += 1
                self._was_good = False
        self._offset, self._at_s = seen, received_s
        self._was_good = self._judged(seen.after(wall_s - received_s)) is ClockState.GOOD

    @property
    def offset(self) -> Offset | None:
        """As it is known now."""
        wall_s = self._wall_s()
        if self._was_set(wall_s) or self._offset is None:
            return None
        return self._offset.after(wall_s - self._at_s)

    @property
    def state(self) -> ClockState:
        """The verdict, now."""
        offset = self.offset
        return ClockState.UNSURE if offset is None else self._judged(offset)

    def _judged(self, offset: Offset) -> ClockState:
        budget_s = self._budget_s
        if offset.low_s > budget_s or offset.high_s < -budget_s:
            return ClockState.WRONG
        kept_s = budget_s * (KEPT if self._was_good else 1.0)
        if offset.low_s >= -kept_s and offset.high_s <= kept_s:
            return ClockState.GOOD
        return ClockState.UNSURE

    @property
    def good(self) -> bool:
        """Whether instants may be kept to."""
        return self.state is ClockState.GOOD

    @property
    def width_s(self) -> float:
        """How much of the offset is not known; infinite before the first answer."""
        offset = self.offset
        return math.inf if offset is None else offset.width_s

    def epoch_us(self) -> int:
        """Microseconds since the epoch: AWS's as near as it is known."""
        wall_s, known = self._wall_s(), self._offset
        # Each mail asks several times. An offset that may be 0 may be it later, too; whether the
        # clock was set then makes no difference, and shows when somebody asks for its state.
        if known is None or known.low_s <= 0.0 <= known.high_s or self._was_set(wall_s):
            return round(wall_s * 1e6)
        return round((wall_s - known.after(wall_s - self._at_s).least_s) * 1e6)

    def wall_ms(self) -> int:
        """The same in milliseconds: what is compared with what other senders wrote."""
        return self.epoch_us() // 1000

    @property
    def right(self) -> bool:
        """Whether what depends on the time may be decided: false while ours is known to be wrong,
        though it is put right.
        """
        return self.state is not ClockState.WRONG

    def _was_set(self, wall_s: float) -> bool:
        """Whether our clock, which just said `wall_s`, was set since the last look: then nothing is
        known of it any more.
        """
        if abs(wall_s - self._steady_s() - self._ahead_s) <= STEP_S:
            return False
        ahead_s = self._ahead_of_steady_s()  # it may have been we who were stopped
        if abs(ahead_s - self._ahead_s) <= STEP_S:
            return False
        self._ahead_s, self._offset, self._was_good = ahead_s, None, False
        self.contradictions += 1
        return True

    def _ahead_of_steady_s(self) -> float:
        """Both read at once: a process that is stopped between two looks looks again."""
        while True:
            before_s = self._steady_s()
            wall_s = self._wall_s()
            if self._steady_s() - before_s < STEP_S / 2:
                return wall_s - before_s

    def moments(self) -> list[float]:
        """When (by our clock) to ask AWS for its Date, so that its next tick falls between the
        requests; empty when enough is known.
        """
        offset, now_s = self.offset, self._wall_s()
        if offset is None:
            return [now_s]
        if offset.width_s <= self._budget_s and self.state is not ClockState.UNSURE:
            return []
        second = math.ceil(now_s - offset.low_s)
        step_s = offset.width_s / FRACTIONS
        first_s = second + offset.low_s
        return [first_s + step_s * number for number in range(1, FRACTIONS)]
