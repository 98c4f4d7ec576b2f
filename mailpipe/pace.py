"""How fast parked mail goes back to its queue, and to which minute what is due was sent. Pure.

Mail that has waited for hours comes back slowly at first, so that a fault that is not over meets
little of it. While its queue holds more than goes out in a few seconds only a part of the rate goes
there, so that what is accepted meanwhile does not wait behind all of it.
"""

import math
from collections.abc import Container
from typing import NamedTuple

from mailpipe.parking import MINUTE_MS

FIRST_SHARE = 0.1
LEAST_SHARE = 0.25
"""Of the rate: so much goes to a queue however full it is, or a backlog of others, which may stand
for days, would hold up all that has waited before it.
"""


class Ramp(NamedTuple):
    """The begin of a release: a tenth of the rate, doubled every `doubling_s` seconds up to all of
    it; the queue holds at most `depth_s` seconds of the rate.
    """

    doubling_s: float = 5.0
    depth_s: float = 5.0


def ramped(rate: float, since_s: float, ramp: Ramp) -> float:
    """Messages a second, `since_s` after the release has begun."""
    doublings = min(64.0, max(0.0, since_s) / ramp.doubling_s)
    return min(rate, rate * FIRST_SHARE * math.pow(2, doublings))


def room(rate: float, depth: int, ramp: Ramp) -> int:
    """So many messages more may lie in a queue that holds `depth`. At a rate of 0, none."""
    return max(0, (max(1, round(rate * ramp.depth_s)) if rate > 0 else 0) - depth)


class Credit:
    """How many messages may go; `now_s` is monotonic."""

    def __init__(self, now_s: float) -> None:
        self._last_s = now_s
        self._credit = 1.0

    def earned(self, now_s: float, speed: float) -> int:
        """So many may go now, `speed` more each second. Of what is not taken a second is kept."""
        earned = speed * max(0.0, now_s - self._last_s)
        self._credit = min(self._credit, max(1.0, speed)) + earned
        self._last_s = now_s
        return int(self._credit)

    def took(self, messages: int) -> None:
        """So many have gone. Nothing is owed where more was allowed for another reason."""
        self._credit = max(0.0, self._credit - messages)


class Pace(Credit):
    """How much of one scope may go to one queue."""

    def __init__(self, now_s: float) -> None:
        super().__init__(now_s)
        self._begun_s = now_s

    def allow(self, now_s: float, rate: float, ramp: Ramp) -> int:
        """So many messages may go now."""
        return self.earned(now_s, ramped(rate, now_s - self._begun_s, ramp))


def passed(first: int, last: int, busy: Container[int], *, now_ms: int, settle_s: float) -> int:
    """The minute to begin at next time, after the minutes `first` to `last` were read and those in
    `busy` still held something: the first that is busy, or not over for long enough for a late
    put to be impossible.
    """
    over = (now_ms - round(settle_s * 1000)) // MINUTE_MS
    minute = first
    while minute <= last and minute < over and minute not in busy:
        minute += 1
    return minute
