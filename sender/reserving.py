"""What is written to a shared item of slots, and what the answers mean. Pure (`docs/quota.md`).

Each question is a generator: it yields a conditional change of the item, is sent the fate of that
change, and returns what came of it. The limiter, the tests and `make simulate-quota` drive them.
"""

from collections.abc import Callable, Generator
from typing import NamedTuple

from mailpipe.changes import Change, Changed, Fate, Numbers, Where
from mailpipe.outcomes import CallFailed, Kind
from sender.pacing import (
    FAR_S,
    HALVED_EVERY_US,
    HORIZON_S,
    MAX_LEAD_S,
    MAX_RECIPIENTS,
    SMALLEST_FACTOR,
    WHOLE,
    Backoff,
    Reservation,
    factor_at,
    held_s,
    slots_at_once,
    usable_rate,
)

TRIES = 4
"""Writes of one question. The first two find the right form; the rest meet others' writes."""

LOOK_AGAIN_S = 1.0
"""What is known to be full costs no write; a wrong item has to be noticed."""

CAP_HORIZON_S = 2.0
"""A mail waits so long in hand for a slot of its tenant's or domain's cap."""


class Item(NamedTuple):
    """The shared item; times in microseconds of the epoch, the factor in millionths."""

    tat: int
    tat_bulk: int = 0
    factor: int = WHOLE
    factor_at: int = 0

    def change(self, *, where: tuple[Where, ...] = (), absent: tuple[str, ...] = ()) -> Change:
        """Put all of it."""
        sets = {
            "tat": self.tat,
            "tatBulk": self.tat_bulk,
            "factor": self.factor,
            "factorAt": self.factor_at,
        }
        return Change(sets, where=where, absent=absent)


def read(numbers: Numbers | None) -> Item | None:
    """The item as values; None when it is missing, or a person has made it useless."""
    if numbers is None or "tat" not in numbers:
        return None
    return Item(
        numbers["tat"],
        numbers.get("tatBulk", 0),
        numbers.get("factor", WHOLE),
        numbers.get("factorAt", 0),
    )


class Share(NamedTuple):
    """Bulk's reserved share: its next turn is `turn_us` after this one."""

    now_us: int
    far_us: int
    turn_us: int


class Ask(NamedTuple):
    """Slots for `step_us` from `start_us` on, while the next free one is at `limit_us` at most."""

    start_us: int
    limit_us: int
    step_us: int
    share: Share | None = None


class Taken(NamedTuple):
    """Ours from `at_us` on."""

    at_us: int
    item: Item


class Full(NamedTuple):
    """No room. `beaten`: a write of ours came too late."""

    item: Item
    beaten: bool


def take(
    ask: Ask, seen: Item | None, *, born: Callable[[], Change]
) -> Generator[Change, Fate, Taken | Full]:
    """Take slots of the item that was last `seen`; make it (`born`) where it is missing.

    `tat` only rises, so what is known to be full is not asked. Raises CallFailed for an item that
    is there and has no `tat`.
    """
    beaten = False
    for _ in range(TRIES):
        makes = seen is None
        change = born() if seen is None else _form(ask, seen)
        if change is None:
            break
        fate = yield change
        item = read(fate.item)
        if isinstance(fate, Changed) and not makes and item is not None:
            return Taken(item.tat - ask.step_us, item)
        beaten = beaten or not isinstance(fate, Changed)
        seen = item
    if seen is None:
        text = "the item of send slots cannot be read: delete it, and it is made again"
        raise CallFailed(Kind.CONFIGURATION, "UnreadableItem", text)
    return Full(seen, beaten)


def _form(ask: Ask, seen: Item) -> Change | None:
    """Which of the three forms the item calls for, as it was last seen."""
    if seen.tat < ask.start_us:
        # Nothing is held from the start on: what lies unused before it is gone.
        return Change({"tat": ask.start_us + ask.step_us}, where=(Where("tat", "<", ask.start_us),))
    behind = Where("tat", ">=", ask.start_us)
    if seen.tat <= ask.limit_us:
        return Change(adds={"tat": ask.step_us}, where=(behind, Where("tat", "<=", ask.limit_us)))
    if share := ask.share:
        due = seen.tat_bulk <= share.now_us and seen.tat <= share.far_us
        turn = (behind, Where("tat", "<=", share.far_us), Where("tatBulk", "=", seen.tat_bulk))
        sets = {"tatBulk": share.now_us + share.turn_us}
        return Change(sets, {"tat": ask.step_us}, where=turn) if due else None
    return None


def take_capped(
    seen: Item | None, *, now_us: int, rate: float, recipients: int
) -> Generator[Change, Fate, Taken | Full]:
    """Slots of a cap's item: that of a tenant, a domain, or a lane's day."""
    limit_us = now_us + round(CAP_HORIZON_S * 1e6)
    ask = Ask(now_us, limit_us, _span_us(recipients, rate))
    if seen is not None:
        seen = yield from _mend_capped(seen, ask, rate)
    return (yield from take(ask, seen, born=lambda: Change({"tat": now_us}, absent=("tat",))))


def _mend_capped(seen: Item, ask: Ask, rate: float) -> Generator[Change, Fate, Item | None]:
    """A rate that has risen must not pay for what was taken at the low one: `tat` comes back to
    what the largest mail can have left at this rate. Senders may differ in the rate by half.
    """
    held_us = ask.limit_us - ask.start_us + _span_us(MAX_RECIPIENTS, rate)
    if seen.tat - ask.start_us <= 2 * held_us:
        return seen
    mended = Change({"tat": ask.start_us + held_us}, where=(Where("tat", "=", seen.tat),))
    return read((yield mended).item)


class Terms(NamedTuple):
    """The settings of the limiter: see `sender/settings.py`."""

    share: float = 1.0
    spread_s: float = 0.05
    unsure_share: float = 0.02
    bulk_share: float = 0.1


class Wanted(NamedTuple):
    """A question for slots: for a mail with `recipients` and up to `at_most` behind it.

    `quota` is SES's, in recipients per second; `unsure`: our clock is not relied on; `jitter` is a
    random number in [0, 1); `senders` as last seen, a hint only.
    """

    lane: str
    recipients: int
    at_most: int
    now_us: int
    lead_s: float
    quota: float
    unsure: bool = False
    jitter: float = 0.0
    senders: int = 1


class Account:
    """What this process knows of the account's item, and how it asks for slots."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._backoff = {lane: Backoff() for lane in HORIZON_S}
        self._unsure_next_us = 0
        self.seen: Item | None = None

    def rate(self, wanted: Wanted) -> float:
        """Recipients per second of all senders together, as this one sees it."""
        terms = self._terms
        return self.factor(wanted.now_us) * usable_rate(
            wanted.quota, share=terms.share, spread_s=terms.spread_s
        )

    def factor(self, now_us: int) -> float:
        """The part of the rate that SES's throttles leave."""
        seen = self.seen
        return 1.0 if seen is None else factor_at(seen.factor, seen.factor_at, now_us)

    def reserve(self, wanted: Wanted) -> Generator[Change, Fate, Reservation]:
        """Slots, their instants in seconds from `now_us`."""
        rate = self.rate(wanted)
        if rate <= 0:
            return Reservation([], again_in_s=0.2)
        if wanted.unsure and (wanted.lane == "bulk" or wanted.now_us < self._unsure_next_us):
            return Reservation([], again_in_s=0.5)
        if self.seen is not None:
            yield from self._mend(self.seen, wanted, rate)
        at_most = 0 if wanted.unsure else wanted.at_most
        count = slots_at_once(rate, recipients=wanted.recipients, at_most=at_most)
        ask = self._ask(wanted, count, rate)
        result = yield from take(
            ask, self.seen, born=lambda: self.born(wanted.now_us, held_s(rate))
        )
        self.seen = result.item
        backoff = self._backoff[wanted.lane]
        if isinstance(result, Taken):
            backoff.won()
            if wanted.unsure:
                # These instants are not where the others think: all who are unsure take few.
                own = self._terms.unsure_share * rate / wanted.senders
                self._unsure_next_us = wanted.now_us + _span_us(count, own)
            first_s, spacing_s = (result.at_us - wanted.now_us) / 1e6, ask.step_us / count / 1e6
            return Reservation([first_s + n * spacing_s for n in range(count)], again_in_s=0.0)
        if result.beaten:
            backoff.beaten()
        return Reservation(
            [], _room_in_s(ask, result.item) + backoff.wait_s(wanted.senders, wanted.jitter)
        )

    def born(self, now_us: int, free_in_s: float) -> Change:
        """The item where it is missing: free from so far ahead on that nothing that others may
        still hold is exceeded, and never below what we know ourselves.
        """
        free_us = now_us + round(free_in_s * 1e6)
        if (seen := self.seen) is None:
            born = Item(free_us, tat_bulk=now_us)
        else:
            born = seen._replace(tat=max(seen.tat, free_us), tat_bulk=now_us)
        return born.change(absent=("tat",))

    def halve(self, now_us: int) -> Generator[Change, Fate, bool]:
        """SES has throttled a send: halve the factor, unless somebody did within a second."""
        if (seen := self.seen) is None or abs(now_us - seen.factor_at) < HALVED_EVERY_US:
            return False
        halved = max(SMALLEST_FACTOR, self.factor(now_us) / 2)
        unchanged = Where("factor", "=", seen.factor), Where("factorAt", "=", seen.factor_at)
        fate = yield Change({"factor": round(halved * WHOLE), "factorAt": now_us}, where=unchanged)
        self.seen = read(fate.item) or seen
        return isinstance(fate, Changed)

    def _ask(self, wanted: Wanted, count: int, rate: float) -> Ask:
        start_us = wanted.now_us + round(wanted.lead_s * 1e6)
        # Not counted from a lead of its own: the slowest sender would see room where no other does.
        after_lead_us = wanted.now_us + round(MAX_LEAD_S * 1e6)
        share = None
        if wanted.lane == "bulk":
            turn_us = _span_us(count, self._terms.bulk_share * rate)
            share = Share(wanted.now_us, after_lead_us + round(FAR_S * 1e6), turn_us)
        limit_us = after_lead_us + round(HORIZON_S[wanted.lane] * 1e6)
        return Ask(start_us, limit_us, _span_us(count, rate), share)

    def _mend(self, seen: Item, wanted: Wanted, rate: float) -> Generator[Change, Fate, None]:
        """No right clock puts `tat` so far ahead: a wrong one must not stop everybody."""
        now_us, held_us = wanted.now_us, round(held_s(rate) * 1e6)
        if seen.tat - now_us <= 2 * held_us:
            return
        if wanted.unsure:  # perhaps it is ours that is wrong: look again, and leave it to others
            self.seen = None
            return
        mended = Item(now_us + held_us, now_us, seen.factor, min(now_us, seen.factor_at))
        fate = yield mended.change(where=(Where("tat", "=", seen.tat),))
        self.seen = read(fate.item)


def _span_us(count: int, rate: float) -> int:
    """How long so many slots last; rounded up, so that they never come closer than 1/R."""
    return -int(-count * 1e6 // rate)


def _room_in_s(ask: Ask, item: Item) -> float:
    """When there is room if nobody else comes; when that is long, look again before."""
    room_us = item.tat - ask.limit_us
    if ask.share is not None:
        share_us = max(item.tat_bulk - ask.share.now_us, item.tat - ask.share.far_us)
        room_us = min(room_us, share_us)
    return min(LOOK_AGAIN_S, max(0, room_us) / 1e6)
