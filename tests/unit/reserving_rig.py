"""The shared item of slots, and how it is asked."""

from collections.abc import Generator
from typing import TypeVar

from mailpipe.changes import Change, Changed, Fate, Numbers
from sender.pacing import Reservation
from sender.reserving import Wanted
from tests.unit.memory_items import FREE

T = TypeVar("T")
NOW_US = 1_764_000_000_000_000
SECOND_US = 1_000_000
QUOTA = 105.0
"""With the usual spread R = 100."""


class World:
    """The item, and how many writes were refused."""

    def __init__(self, item: Numbers | None = None) -> None:
        self.item = item
        self.writes = 0
        self.refused = 0

    def write(self, change: Change) -> Fate:
        """Carry out one change."""
        fate = change.applied(self.item)
        self.writes += 1
        if isinstance(fate, Changed):
            self.item = dict(fate.item)
        else:
            self.refused += 1
        return fate

    def ask(self, steps: Generator[Change, Fate, T]) -> T:
        """Carry out a question without anybody in between."""
        try:
            change = next(steps)
            while True:
                change = steps.send(self.write(change))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def wanted(now_us: int = NOW_US, *, lane: str = "transactional", **changes: object) -> Wanted:
    """One mail with 50 behind it, a lead of 0.1 s."""
    usual = Wanted(lane, 1, 50, now_us=now_us, lead_s=0.1, quota=QUOTA)
    return usual._replace(**changes)  # type: ignore[arg-type]


def free_in(seconds: float, **changes: int) -> Numbers:
    """The item when the next free instant is so far ahead."""
    return {**FREE, "tat": NOW_US + round(seconds * 1e6), **changes}


def absolute(now_us: int, reservation: Reservation) -> list[float]:
    return [now_us / 1e6 + one for one in reservation.instants]
