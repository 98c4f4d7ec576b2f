"""How much goes into a group commit, and how long it waits for more entries. Pure."""

from collections.abc import Callable, Hashable
from typing import TypeVar

from msgspec import Struct

E = TypeVar("E")
T = TypeVar("T")

_KEPT = 0.8
"""How much of the running mean of the gaps is left when another entry has come."""
_PATIENCE = 1.5
"""Entries do not come evenly: of two calls that waited just as long as theirs should take, one went
without the last ones."""


class Limits(Struct, frozen=True, kw_only=True):
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


_Entries = list[tuple[E, T, int]]
"""Each with what is its caller's, and its weight."""


def next_batch(
    waiting: _Entries[E, T], limits: Limits, key: Callable[[E], Hashable] | None
) -> tuple[_Entries[E, T], _Entries[E, T]]:
    """What fits into one call, in order, and what is left; of entries of one `key` only one."""
    batch = waiting[: limits.most]
    light = sum([weight for _, _, weight in batch]) <= limits.max_weight
    if light and (key is None or len({key(entry) for entry, _, _ in batch}) == len(batch)):
        return batch, waiting[limits.most :]
    return _chosen(waiting, limits, key)


def _chosen(
    waiting: _Entries[E, T], limits: Limits, key: Callable[[E], Hashable] | None
) -> tuple[_Entries[E, T], _Entries[E, T]]:
    """The same, entry by entry."""
    batch, left = list[tuple[E, T, int]](), list[tuple[E, T, int]]()
    keys, sum_weight = set[Hashable](), 0
    for place, one in enumerate(waiting):
        entry, _, weight = one
        name = object() if key is None else key(entry)
        if name in keys:
            left.append(one)
            continue
        full = len(batch) == limits.most
        if full or (batch and sum_weight + weight > limits.max_weight):
            return batch, left + waiting[place:]
        batch.append(one)
        keys.add(name)
        sum_weight += weight
    return batch, left
