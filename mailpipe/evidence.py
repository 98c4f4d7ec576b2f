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
"""So far the clocks of senders, processors and SES may differ."""
KEPT_S = 3_600
ENDED = 0
"""`at` of a processor that has ended with nothing in hand."""

NONE_PUBLISH = "no processor publishes figures"
SILENT = "a processor has fallen silent: what it had in hand is still hidden"
OLDER = "older events are in hand"
NOTHING_SINCE = "no event of a later time has come"


class Figures(Struct, rename="camel", kw_only=True, frozen=True):
    """One processor's, as of `at` by its own clock; it publishes every `every_ms`. Times are epoch
    ms.

    `handled`: the latest time of an event of SES (never ours) that was handled; `oldest_in_hand`:
    the earliest of those in hand, failed and to come again, or received lately; `empty_at`: when a
    poll began after which the queue had no message, visible, hidden or delayed. What it has in hand
    others get `visibility_ms` after it died, at the latest.
    """

    at: int
    every_ms: int
    visibility_ms: int
    handled: int = 0
    empty_at: int = 0
    oldest_in_hand: int | None = None

    def counts(self, now_ms: int) -> bool:
        """Whether it may have anything in hand, dead or alive. What it received after it published
        last nobody knows, so for a whole interval more.
        """
        return now_ms < self.at + self.every_ms + self.visibility_ms + CLOCKS_MS

    def silent(self, now_ms: int) -> bool:
        """Whether it should have published again."""
        return now_ms > self.at + 2 * self.every_ms + CLOCKS_MS


def missing(processors: Sequence[Figures], *, since_ms: int, now_ms: int) -> str | None:
    """Why it is not proved that all events before `since_ms` have come; None: it is.

    Proved by an event of a later time that was handled while nobody holds an earlier one, or by a
    queue that was empty later.
    """
    if not processors:
        return NONE_PUBLISH
    since_ms += CLOCKS_MS
    if any(one.empty_at >= since_ms and one.at <= now_ms + CLOCKS_MS for one in processors):
        return None
    counting = [one for one in processors if one.counts(now_ms)]
    if any(one.oldest_in_hand is not None and one.oldest_in_hand < since_ms for one in counting):
        return OLDER
    if any(one.silent(now_ms) for one in counting):
        return SILENT
    if all(one.handled < since_ms for one in processors):
        return NOTHING_SINCE
    return None


def key_of(name: str) -> Attributes:
    """Where a process of this name publishes."""
    return {"kind": KIND, "id": name}


def changes_of(figures: Figures) -> Attributes:
    """What is written there; None takes an attribute away."""
    changes: Attributes = msgspec.to_builtins(figures)
    return changes | {"ttl": figures.at // 1000 + KEPT_S}


def read(items: Iterable[Attributes]) -> list[Figures]:
    """Those of all processors. What a newer version writes otherwise says nothing."""
    found = list[Figures]()
    for item in items:
        try:
            found.append(msgspec.convert(item, Figures))
        except msgspec.ValidationError:
            continue
    return found
