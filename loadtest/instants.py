"""Which replica is to die where, by a seed. Pure.

Each service has a deck of its instants, dealt in another order each time; a replica gets the next
card when it starts, and dies at it. How often it comes to the instant first is drawn so that it
lives for `LIVES_S` of its service at most where mail flows at `PER_S`: senders die most often.
"""

from collections.abc import Iterable, Iterator
from random import Random

LIVES_S = {"ingest": 10.0, "sender": 2.0, "processor": 5.0, "notifier": 5.0}
PER_S = 100.0
HITS_PER_S = {
    "ingest": {"ingest.body_stored": 0.5, "ingest.queued": 25.0, "ingest.recorded": 25.0},
    "sender": {
        "sender.claimed": 33.0,
        "sender.accepted": 33.0,
        "sender.recorded": 33.0,
        "sender.ended": 0.5,
        "sender.announced": 0.5,
        "sender.parked": 0.2,
        "sender.released": 0.2,
    },
    "processor": {"processor.suppressed": 4.0, "processor.raised": 60.0, "processor.owed": 60.0},
    "notifier": {"notifier.answered": 150.0, "notifier.copied": 0.5},
}
"""By service and instant: how often one replica comes there in a second, about."""


class Decks:
    """What the replicas of each service die at, one after the other, as MAILPIPE_FAILPOINT has it.

    With `stop_ms` every second card of the senders is a stop for so long right after a claim.
    """

    def __init__(self, seed: int, *, rate: float, stop_ms: int | None = None) -> None:
        self._share = rate / PER_S
        self._stop_ms = stop_ms
        self._dealt = {
            service: self._deal(Random(f"{seed}:{service}"), service)  # noqa: S311 - reproducible
            for service in HITS_PER_S
        }

    def next(self, service: str, *, beside: Iterable[str] = ()) -> str:
        """The next card of its deck. No stop when one of the cards `beside` is one: somebody must
        be left to take over.
        """
        one_stops = any(map(is_stop, beside))
        return next(card for card in self._dealt[service] if not (one_stops and is_stop(card)))

    def _deal(self, choice: Random, service: str) -> Iterator[str]:
        per_s = HITS_PER_S[service]
        while True:
            for name in choice.sample(sorted(per_s), len(per_s)):
                if service == "sender" and self._stop_ms is not None:
                    nth = self._nth(choice, service, per_s["sender.claimed"])
                    yield f"sender.claimed@{nth}=stop:{self._stop_ms}"
                yield f"{name}@{self._nth(choice, service, per_s[name])}"

    def _nth(self, choice: Random, service: str, per_s: float) -> int:
        return choice.randint(1, max(1, round(per_s * self._share * LIVES_S[service])))


def is_stop(card: str) -> bool:
    """Whether its replica is to stand still, not to die."""
    return "=stop:" in card
