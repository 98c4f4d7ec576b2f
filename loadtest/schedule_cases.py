"""The cases of `make prove-schedule` in virtual time. Pure."""

from typing import NamedTuple

PLANTS = ("blind-claims",)
"""Bugs that the proof has to find: claims that look at no condition."""
SELDOM_S = 5.0
"""A sender that dies more seldom has little of all mail in hand."""


class Case(NamedTuple):
    """`mails` are due at `per_s` a second from `first_s` on, handed over so much ahead; there are
    three `senders`. Of what is parked `slow_share` takes up to `slow_s` seconds to be written. The
    holder of the release's lease dies every `dies_every_s` (0: never). `release_only`: there is so
    much that what is released is only received, and nobody changes his mind.
    """

    name: str
    mails: int
    per_s: float = 500.0
    first_s: float = 90.0
    ahead_s: tuple[float, float] = (5.0, 80.0)
    senders: int = 3
    slow_s: float = 0.0
    slow_share: float = 0.1
    dies_every_s: float = 0.0
    release_only: bool = False
    seed: int = 1
    plant: str = ""

    @property
    def soon_s(self) -> float:
        """What is due within it lies on its queue."""
        return 60.0

    @property
    def punctual(self) -> bool:
        """Whether mail may be late only for a moment: not where a put is late by itself, or most
        of it was in the hand of a sender that has died.
        """
        return not self.slow_s and not 0 < self.dies_every_s < SELDOM_S


def cases(*, small: bool, seed: int, plant: str) -> list[Case]:
    """What is simulated; in the small form a fiftieth, and only what is soon over."""
    size = 0.02 if small else 1.0
    found = [
        Case("500 due a second", round(30_000 * size)),
        Case("late inserts", round(5_000 * size), per_s=50, ahead_s=(62.0, 80.0), slow_s=200.0),
        Case("holder dies", round(15_000 * size), dies_every_s=10.0 if not small else 0.5),
        Case(
            *("a minute of 100,000", round(100_000 * size)),
            per_s=100_000 / 60 * size,
            first_s=120.0,
            ahead_s=(61.0, 110.0),
            release_only=True,
        ),
    ]
    wanted = found[::2] if small else found
    return [one._replace(seed=seed, plant=plant) for one in wanted]
