"""Who may send when: the interface that the sender asks, and a limiter for one process.

The local limiter holds the account's whole rate; with several senders each would. The limiter that
shares one item in DynamoDB between all senders comes behind the same interface.
"""

import asyncio
from typing import Protocol

from sender.pacing import HORIZON_S, Lead, Reservation, grant, usable_rate


class Limiter(Protocol):
    """Hands out send slots."""

    async def reserve(self, lane: str, recipients: int, at_most: int) -> Reservation:
        """Slots for a mail with `recipients`, and up to `at_most` for those behind it.

        Instants are on the event loop's clock.
        """
        ...

    def throttled(self) -> None:
        """SES has refused a send as too much at once: slow down."""
        ...


class Rates(Protocol):
    """What a limiter has to know; all in recipients a second."""

    def account(self) -> float:
        """SES's rate; 0 while it is unknown, and nothing may be sent."""
        ...


class LocalLimiter:
    """A limiter for a single sender, fed with SES's quota."""

    def __init__(self, lead: Lead, rates: Rates, *, share: float, spread_s: float) -> None:
        self._lead = lead
        self._rates = rates
        self._share = share
        self._spread_s = spread_s
        self._tat = 0.0

    def throttled(self) -> None:
        """Nothing yet: the shared limiter halves a factor."""

    async def reserve(self, lane: str, recipients: int, at_most: int) -> Reservation:
        """See Limiter.reserve."""
        self._tat, reservation = grant(
            self._tat,
            asyncio.get_running_loop().time(),
            rate=usable_rate(self._rates.account(), share=self._share, spread_s=self._spread_s),
            lead_s=self._lead.seconds,
            horizon_s=HORIZON_S[lane],
            recipients=recipients,
            at_most=at_most,
        )
        return reservation
