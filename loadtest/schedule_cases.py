"""The cases of `make prove-schedule` in virtual time. Pure."""

from typing import NamedTuple

from loadtest.schedules import MAX_P95_MS, Terms

PLANTS = ("blind-claims", "passed-minutes")
"""Bugs that the proof has to find: claims that look at no condition; mail that is put where nobody
looks any more.
"""
SEVERAL = 0.7
"""Of a case's mails so many have to go: the rest is cancelled."""
MOST_AGAIN = 800
"""Who releases and dies has sent a page of each shard that is not deleted yet: 8 times 100."""
SETTLE_S = 120.0
"""So long a minute has to be empty before nobody looks at it any more."""
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
    def terms(self) -> Terms:
        """What it has to show. Mail may be late for more than a moment where a put is late by
        itself, or most of it was in the hand of a sender that has died.
        """
        punctual = not self.slow_s and not 0 < self.dies_every_s < SELDOM_S
        kills = self.mails / self.per_s // self.dies_every_s if self.dies_every_s else 0
        return Terms(
            due=round(SEVERAL * self.mails),
            raced=not self.release_only,
            kills=round(kills),
            expires=self.slow_s > SETTLE_S,
            late_ms=MAX_P95_MS if punctual else None,
            again=MOST_AGAIN if self.release_only else 0,
        )


def cases(*, small: bool, seed: int, plant: str) -> list[Case]:
    """What is simulated; in the small form a fiftieth, and only what is soon over."""
    size = 0.02 if small else 1.0
    found = [
        Case("500 due a second", round(15_000 * size)),
        Case(
            *("late inserts", 3_000 if not small else 250),
            per_s=50,
            ahead_s=(62.0, 80.0),
            slow_s=300.0,
            slow_share=0.1 if not small else 0.5,
        ),
        Case("holder dies", round(15_000 * size), dies_every_s=10.0 if not small else 0.5),
        Case(
            *("a minute of 100,000", round(100_000 * size)),
            per_s=100_000 / 60 * size,
            first_s=120.0,
            ahead_s=(61.0, 110.0),
            release_only=True,
        ),
    ]
    wanted = found[:3] if small else found
    return [one._replace(seed=seed, plant=plant) for one in wanted]
