"""What senders tell of themselves: that they live, what binds their lanes, what they go by. Pure.

Each has an item of its own in `Coordination`, of this kind.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from mailpipe.open_states import Terms
from mailpipe.records import Attributes

KIND = "sender"
NOTHING = "nothing"
OLDER_LIVES_MS = 30_000
"""For senders of a release that did not say how long they count."""


class Presence(Struct, rename="camel", kw_only=True, frozen=True):
    """One sender, as it said at `seen_at`; it counts until `until` (epoch ms). `binds`: what keeps
    the mail of each lane waiting (`sender/binding.py`).
    """

    seen_at: int
    until: int = 0
    binds: dict[str, str] = {}
    terms: Terms = Terms()


def living(items: Iterable[Attributes], now_ms: int) -> list[Presence]:
    """Those that live; an item that cannot be read is none."""
    found = list[Presence]()
    for item in items:
        try:
            one = msgspec.convert(item, Presence)
        except msgspec.ValidationError:
            continue
        if now_ms < (one.until or one.seen_at + OLDER_LIVES_MS):
            found.append(one)
    return found


def binds(senders: Sequence[Presence], lane: str) -> str:
    """What keeps the lane's mail waiting in most of the senders where something does."""
    said = [what for one in senders if (what := one.binds.get(lane, NOTHING)) != NOTHING]
    return Counter(said).most_common(1)[0][0] if said else NOTHING


def terms(senders: Sequence[Presence]) -> Terms:
    """What the sender goes by that has spoken last."""
    return max(senders, key=lambda one: one.seen_at).terms if senders else Terms()
