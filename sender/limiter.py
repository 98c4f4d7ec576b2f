"""Who may send when: the interface that the sender asks, and a limiter for one process.

The local limiter holds the account's whole rate; with several senders each would. The limiter that
shares one item in DynamoDB between all senders comes behind the same interface.
"""

import asyncio
from typing import Protocol

from mailpipe import logs, metrics
from mailpipe.aws.client import Client
from mailpipe.aws.ses_operations import GET_ACCOUNT, GetAccount
from mailpipe.outcomes import CallFailed
from sender.pacing import HORIZON_S, Lead, Reservation, grant, usable_rate

log = logs.get()


class Limiter(Protocol):
    """Hands out send slots."""

    async def reserve(self, lane: str, recipients: int, at_most: int) -> Reservation:
        """Slots for a mail with `recipients`, and up to `at_most` for those behind it.

        Instants are on the event loop's clock.
        """
        ...


class LocalLimiter:
    """A limiter for a single sender, fed with SES's quota."""

    def __init__(self, lead: Lead, *, share: float, spread_s: float) -> None:
        self._lead = lead
        self._share = share
        self._spread_s = spread_s
        self._rate = 0.0
        self._tat = 0.0

    def allow(self, max_send_rate: float) -> None:
        """SES's quota for the account, in recipients per second."""
        self._rate = usable_rate(max_send_rate, share=self._share, spread_s=self._spread_s)

    async def reserve(self, lane: str, recipients: int, at_most: int) -> Reservation:
        """See Limiter.reserve."""
        self._tat, reservation = grant(
            self._tat,
            asyncio.get_running_loop().time(),
            rate=self._rate,
            lead_s=self._lead.seconds,
            horizon_s=HORIZON_S[lane],
            recipients=recipients,
            at_most=at_most,
        )
        return reservation


async def poll_quota(client: Client, limiter: LocalLimiter, *, every_s: float) -> None:
    """Ask SES for the quota, for ever. Until the first answer nothing may be sent."""
    while True:
        try:
            quota = (await client.call(GET_ACCOUNT, GetAccount())).send_quota
        except CallFailed as error:
            log.warning("quota_unknown", code=error.code, text=error.text)
            await asyncio.sleep(min(every_s, 2.0))
            continue
        limiter.allow(quota.max_send_rate)
        metrics.QUOTA_RATE.set(quota.max_send_rate)
        metrics.QUOTA_SENT_24H.set(quota.sent_last24_hours)
        metrics.QUOTA_MAX_24H.set(quota.max24_hour_send)
        await asyncio.sleep(every_s)
