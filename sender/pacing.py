"""The arithmetic of send slots. Pure: times and randomness are passed in. See `docs/quota.md`.

SES counts recipients per second over the whole account. Slots are instants spaced 1/R; one number,
`tat`, is the next free instant. Spaced instants cannot bunch as a token bucket's do: with a burst
of one second's worth that lets nearly 2R through in a second.
"""

import math
from collections import deque
from typing import NamedTuple

HORIZON_S = {"transactional": 1.0, "bulk": 0.15}
"""How far ahead of the longest lead a lane may reserve: short for bulk, so that urgent mail never
finds the near future sold out. A sender that dies leaves holes no further ahead."""

FAR_S = 2.0
"""How far ahead bulk may reserve its share, where urgent mail has sold out the near future."""

CHUNK_S = 0.1
"""The most that one reservation takes, in seconds' worth of the rate."""

APART_S = 0.01
"""Between two reservations of a lane: who comes meanwhile shares the next one. Each takes a tenth
of a second's worth where so many wait, so this holds up no rate; who comes after a while without
mail does not wait for it.
"""

MAX_LEAD_S = 0.25
MAX_RECIPIENTS = 50
"""Of one mail (SES Developer Guide, "Service quotas in Amazon SES")."""

FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 5.0
"""The refused wait up to the first for each sender that there is, at most up to the second."""

WHOLE = 1_000_000
"""A factor of 1 as the item has it."""
SMALLEST_FACTOR = 1 / 32
CLIMB_PER_S = 0.005
"""5 % of the rate in 10 s."""
HALVED_EVERY_US = 1_000_000


class Reservation(NamedTuple):
    """Instants that nobody else holds, spaced 1/R; or none, when to ask again, and what binds (see
    `binding.py`).
    """

    instants: list[float]
    again_in_s: float
    binds: str = "rate"


def usable_rate(max_send_rate: float, *, share: float, spread_s: float) -> float:
    """R = Q x share / (1 + J): what arrives in any second stays within Q.

    J is how far arrival may stray from the instant: lateness, clocks and network together. Of a
    share that is one recipient or more the fraction is left: a second has whole recipients.
    """
    ours = max_send_rate * share
    return (math.floor(ours + 1e-9) if ours >= 1 else ours) / (1.0 + spread_s)


def slots_at_once(rate: float, *, recipients: int, at_most: int) -> int:
    """How many slots one reservation takes: a whole mail, and those behind it in a tenth of a
    second's worth of the rate. A sender that dies wastes no more.
    """
    return max(recipients, min(at_most, math.ceil(CHUNK_S * rate)))


def held_s(rate: float) -> float:
    """How far ahead of now others may hold instants, at most."""
    return FAR_S + MAX_LEAD_S + max(CHUNK_S, MAX_RECIPIENTS / rate if rate > 0 else 0.0)


def factor_at(factor: int, factor_at_us: int, now_us: int) -> float:
    """The part of the rate that SES's throttles leave: it climbs back from where it was put."""
    climbed = CLIMB_PER_S * max(0, now_us - factor_at_us) / 1e6
    return min(1.0, factor / WHOLE + climbed)


class Backoff:
    """How long the refused wait beyond the moment when there may be room.

    The more senders there are the longer, and all alike, so that each gets its turn: were waits
    doubled for losers and short again for winners, the same few would win for ever. Who is beaten
    more often than there are senders waits as if there were more.
    """

    def __init__(self) -> None:
        self._beaten = 0

    def beaten(self) -> None:
        """Another sender's slots stood in the way of a write."""
        self._beaten += 1

    def won(self) -> None:
        """A write has got slots."""
        self._beaten = 0

    def wait_s(self, senders: int, jitter: float) -> float:
        """`jitter` in [0, 1) is the caller's random number; `senders` as last seen."""
        return jitter * min(LONGEST_WAIT_S, FIRST_WAIT_S * max(senders, 1 + self._beaten))


class Lead:
    """The slowest percent of what was measured lately: how far ahead an instant must lie.

    The 99th percentile of the last 200, within `least_s` and `most_s`.
    """

    def __init__(
        self, *, first_s: float = 0.1, least_s: float = 0.04, most_s: float = MAX_LEAD_S
    ) -> None:
        self._last = deque[float](maxlen=200)
        self._observed = 0
        self._least_s = least_s
        self._most_s = most_s
        self.seconds = first_s

    def observe(self, duration_s: float) -> None:
        """Add a measurement; the figure follows every twentieth."""
        self._last.append(duration_s)
        self._observed += 1
        if self._observed % 20 == 0:
            ranked = sorted(self._last)
            slow_s = ranked[math.ceil(0.99 * len(ranked)) - 1]
            self.seconds = min(self._most_s, max(self._least_s, slow_s))
