"""How much goes into a group commit, and how long it waits for more entries. Pure."""

from typing import NamedTuple

_KEPT = 0.8
"""How much of the running mean of the gaps is left when another entry has come."""
_PATIENCE = 1.5
"""Entries do not come evenly: of two calls that waited just as long as theirs should take, one went
without the last ones."""


class Limits(NamedTuple):
    """`most` entries and `max_weight` fit into a call, `at_once` calls may be under way, `capacity`
    entries may wait here.
    """

    most: int
    linger_s: float
    max_weight: int = 16_000_000
    at_once: int = 16
    capacity: int = 1_000


def linger_s(gap_s: float, *, room: int, cap_s: float) -> float:
    """How long to wait at most for `room` more entries that come every `gap_s` seconds; a call that
    is full goes at once.

    Not at all if not even one is to be expected within the cap.
    """
    return 0.0 if gap_s >= cap_s else min(cap_s, _PATIENCE * gap_s * room)


class Gaps:
    """The running mean of the gaps between entries. Those that have come between two looks are
    taken as evenly spaced, so that it is reckoned for each call and not for each entry.
    """

    def __init__(self) -> None:
        self.came = 0
        """Entries since the last look; who takes them counts them here."""
        self._mean_s = 1.0
        self._looked_s = 0.0

    def look(self, now_s: float) -> float:
        """The mean as it is now."""
        if self.came:
            newest_s = min((now_s - self._looked_s) / self.came, 1.0)
            self._mean_s = newest_s + _KEPT**self.came * (self._mean_s - newest_s)
            self._looked_s, self.came = now_s, 0
        return self._mean_s
