"""The arithmetic of send slots. Pure: times are passed in, in seconds of one clock.

SES counts recipients per second over the whole account. Slots are instants spaced 1/R; one number,
`tat`, is the next free instant. Spaced instants cannot bunch as a token bucket's do: with a burst
of one second's worth that lets nearly 2R through in a second.
"""

import math
from collections import deque
from typing import NamedTuple

HORIZON_S = {"transactional": 2.0, "bulk": 0.15}
"""How far ahead of its own lead a lane may reserve: short for bulk, so that urgent mail never
finds the near future sold out."""

CHUNK_S = 0.1
"""The most that one reservation takes, in seconds' worth of the rate."""


class Reservation(NamedTuple):
    """Instants that nobody else holds, spaced 1/R; or none, and when to ask again."""

    instants: list[float]
    again_in_s: float


class Grant(NamedTuple):
    """A reservation with the next free instant after it."""

    tat: float
    reservation: Reservation


def usable_rate(max_send_rate: float, *, share: float, spread_s: float) -> float:
    """R = Q x share / (1 + J): what arrives in any second stays within Q.

    J is how far arrival may stray from the instant: lateness, clocks and network together.
    """
    return max_send_rate * share / (1.0 + spread_s)


def grant(
    tat: float,
    now: float,
    *,
    rate: float,
    lead_s: float,
    horizon_s: float,
    recipients: int,
    at_most: int,
) -> Grant:
    """Take slots for the first mail's `recipients`, and more up to `at_most` for those behind it.

    Refused (no instants) while the next free instant lies beyond the lane's horizon.
    """
    if rate <= 0:
        return Grant(tat, Reservation([], again_in_s=1.0))
    limit = now + lead_s + horizon_s
    if tat > limit:
        return Grant(tat, Reservation([], again_in_s=tat - limit))
    count = max(recipients, min(at_most, math.ceil(CHUNK_S * rate)))
    start = max(tat, now + lead_s)
    instants = [start + index / rate for index in range(count)]
    return Grant(start + count / rate, Reservation(instants, again_in_s=0.0))


class Lead:
    """How far ahead of now an instant must lie so that reserve, claim and suppression fit in.

    The 99th percentile of the last 200 measured, within 40 to 250 ms.
    """

    def __init__(self) -> None:
        self._last = deque[float](maxlen=200)
        self._observed = 0
        self.seconds = 0.1

    def observe(self, duration_s: float) -> None:
        """Add a measurement; the figure follows every twentieth."""
        self._last.append(duration_s)
        self._observed += 1
        if self._observed % 20 == 0:
            ranked = sorted(self._last)
            self.seconds = min(0.25, max(0.04, ranked[math.ceil(0.99 * len(ranked)) - 1]))
