"""Whether SES's events have come through: what processors publish, and what it proves. Pure.

A send in doubt that no event proves was not made, if the events of that time have all come. Each
processor publishes a few figures about what it has handled and has in hand; a sender reads those of
all of them when it has a doubt to decide.
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from mailpipe.records import Attributes

KIND = "processor"
CLOCKS_MS = 5_000
"""So far the clocks of senders, processors and SES may differ, where nobody says otherwise."""
KEPT_S = 3_600
ENDED = 0
"""`at` of a processor that has ended with nothing in hand."""

NONE_PUBLISH = "no processor publishes figures"
SILENT = "a processor has fallen silent: what it had in hand is still hidden"
OLDER = "older events are in hand"
NOTHING_SINCE = "no event of a later time has come"
NOT_ALL_SINCE = "not all processors have published since a later event came"


class Figures(Struct, rename="camel", kw_only=True, frozen=True):
    """One processor's, as of `at` by its own clock; it publishes every `every_ms`. Times are epoch
    ms.

    `handled`: the latest time of an event of SES (never ours) that was handled; `empty_at`: when a
    poll began after which the queue had no message, visible, hidden or delayed; both as they stood
    at `stood_at`, some while before, since when the others have published too (0: at `at`).
    `oldest_in_hand`: the earliest time of the events in hand, failed and to come again, or done
    lately. What it has in hand others get `visibility_ms` after it last took or kept something.
    `clocks_ms`: so far clocks may differ.
    """

    at: int
    every_ms: int
    visibility_ms: int
    handled: int = 0
    empty_at: int = 0
    oldest_in_hand: int | None = None
    stood_at: int = 0
    clocks_ms: int = CLOCKS_MS

    @property
    def quiet_at(self) -> int:
        """Then it has published again; or takes nothing from then on, and keeps nothing hidden."""
        return self.at + 2 * self.every_ms + self.clocks_ms

    def counts(self, now_ms: int) -> bool:
        """Whether it may have anything in hand, dead or alive."""
        return now_ms < self.quiet_at + self.visibility_ms + self.clocks_ms

    def silent(self, now_ms: int) -> bool:
        """Whether it should have published again; or by its clock nobody can tell."""
        return now_ms > self.quiet_at or now_ms < self.at - self.clocks_ms

    def proves(self, since_ms: int, now_ms: int) -> bool:
        """Whether the events before `since_ms` had been received by somebody at `proved_at`."""
        emptied = since_ms <= self.empty_at <= now_ms + self.clocks_ms
        return self.proved_at != ENDED and (emptied or self.handled >= since_ms)

    @property
    def proved_at(self) -> int:
        """When it knew what it says of `handled` and `empty_at`."""
        return self.stood_at or self.at


def missing(processors: Sequence[Figures], *, since_ms: int, now_ms: int) -> str | None:
    """Why it is not proved that all events before `since_ms` have been handled; None: it is.

    An event of a later time that was handled, or a queue that was empty later, shows that they had
    been received. What a processor has said before that says nothing of them: each that may have
    something in hand must have published since, and must hold none of them.
    """
    if not processors:
        return NONE_PUBLISH
    clocks_ms = max(one.clocks_ms for one in processors)
    since_ms += clocks_ms
    counting = [one for one in processors if one.counts(now_ms)]
    if any(one.oldest_in_hand is not None and one.oldest_in_hand < since_ms for one in counting):
        return OLDER
    if any(one.silent(now_ms) for one in counting):
        return SILENT
    proofs = [one for one in processors if one.proves(since_ms, now_ms)]
    if not proofs:
        return NOTHING_SINCE
    if not any(_all_since(proof, counting, clocks_ms) for proof in proofs):
        return NOT_ALL_SINCE
    return None


def _all_since(proof: Figures, counting: Sequence[Figures], clocks_ms: int) -> bool:
    """Its own clock it may compare with as it is."""
    return all(one is proof or one.at >= proof.proved_at + clocks_ms for one in counting)


def key_of(name: str) -> Attributes:
    """Where a process of this name publishes."""
    return {"kind": KIND, "id": name}


def changes_of(figures: Figures) -> Attributes:
    """What is written there; None takes an attribute away."""
    changes: Attributes = msgspec.to_builtins(figures)
    return changes | {"ttl": (figures.at + figures.visibility_ms) // 1000 + KEPT_S}


def ended() -> Attributes:
    """What is written there of a processor that has nothing in hand and takes nothing any more. An
    empty queue is found by a clock that nobody can judge any more.
    """
    return {"at": ENDED, "emptyAt": 0}


def read(items: Iterable[Attributes]) -> list[Figures]:
    """Those of all processors. What a newer version writes otherwise says nothing."""
    found = list[Figures]()
    for item in items:
        try:
            found.append(msgspec.convert(item, Figures))
        except msgspec.ValidationError:
            continue
    return found
