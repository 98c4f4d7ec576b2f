"""Caps of tenants and domains, and a lane's part of the day's quota: items like the account's.

They are taken before the account's slots. See `docs/quota.md`.
"""

import asyncio
import math
from collections.abc import Callable

from sender.items import SlotItems
from sender.pacing import slots_at_once
from sender.reserving import CAP_HORIZON_S, LOOK_AGAIN_S, Full, Item, Taken, take_capped

AT_ONCE = 8
"""Writes: hundreds of mails may ask at once, and must not crowd out each other's time-outs."""

LONGEST_STEP_S = 3600.0
"""Of the day's items. What takes longer waits for a better reading: the day has no room for it."""

FORGET_BEYOND = 10_000
"""Items of which the last state is remembered: only a hint, so all may be forgotten."""


class Caps:
    """Takes slots of capped items. Its methods raise CallFailed when the store does not answer."""

    def __init__(
        self, items: SlotItems, epoch_us: Callable[[], int], *, days: SlotItems | None = None
    ) -> None:
        self._items = items
        self._days = days or items
        self._writes = asyncio.Semaphore(AT_ONCE)
        self._epoch_us = epoch_us
        self._seen = dict[str, Item]()
        self._permits = dict[str, int]()

    async def wait_s(self, scope: str, rate: float, recipients: int) -> float:
        """How long until this mail's slot, which is then taken; infinite: none is near enough."""
        if rate <= 0:
            return math.inf
        async with self._writes:
            taken = await self._take(self._items, scope, rate, recipients)
        if isinstance(taken, Full):
            return math.inf
        return max(0.0, (taken.at_us - self._epoch_us()) / 1e6)

    async def day_wait_s(self, lane: str, rate: float, recipients: int, at_most: int) -> float:
        """0 when the day leaves room for this mail: then `permits` has it, and more behind it."""
        if self.permits(lane) >= recipients:
            return 0.0
        if rate <= 0 or recipients / rate > LONGEST_STEP_S:
            return LOOK_AGAIN_S
        count = slots_at_once(rate, recipients=recipients, at_most=at_most)
        taken = await self._take(self._days, f"day#{lane}", rate, count)
        if isinstance(taken, Full):
            room_s = (taken.item.tat - self._epoch_us()) / 1e6 - CAP_HORIZON_S
            return min(LOOK_AGAIN_S, max(0.05, room_s))  # meanwhile the rate may rise
        self._permits[lane] = self.permits(lane) + count
        return 0.0

    def permits(self, lane: str) -> int:
        """Recipients that the day's quota lets go, kept until the account has slots for them."""
        return self._permits.get(lane, 0)

    def use(self, lane: str, recipients: int) -> None:
        """So many have got slots of the account."""
        self._permits[lane] = self.permits(lane) - recipients

    async def _take(
        self, items: SlotItems, scope: str, rate: float, recipients: int
    ) -> Taken | Full:
        steps = take_capped(
            self._seen.get(scope), now_us=self._epoch_us(), rate=rate, recipients=recipients
        )
        taken = await items.ask(scope, steps)
        if len(self._seen) >= FORGET_BEYOND:
            self._seen.clear()
        self._seen[scope] = taken.item
        return taken
