"""What a message on the queue says, and whether its sender may say so."""

from collections.abc import Collection

from mailpipe import metrics, origins
from mailpipe.aws.queue import Received
from mailpipe.messages import EmailMessage
from mailpipe.outcomes import Dead
from mailpipe.parking import IN_DOUBT, PAUSED_MS
from mailpipe.tenants import Tenant, Tenants
from sender.trust import Distrust, judge
from sender.verdicts import read

RECORDED = frozenset({PAUSED_MS, IN_DOUBT})
"""Attributes of messages that waited where only recorded mail waits; `recorded` is but a hint."""


class Reading:
    """See `trust.judge` for who the `trusted` are."""

    def __init__(self, tenants: Tenants, trusted: Collection[str] | None) -> None:
        self._tenants = tenants
        self._trusted = trusted

    async def of(self, received: Received) -> tuple[EmailMessage, Tenant] | Dead:
        """The message and its tenant, if it can be read and its sender may speak for the tenant.
        Raises CallFailed.
        """
        message = read(received.body)
        if isinstance(message, Dead):
            return message
        tenant = await self._tenants.of(message.tenant)
        attributes = received.attributes  # most mail has none
        earlier = origins.earlier(attributes) if attributes else ()
        judged = judge(tenant, received.sender_id, trusted=self._trusted, earlier=earlier)
        if isinstance(judged, Distrust):
            metrics.bound(metrics.DISTRUSTED, judged.kind).inc()
            return Dead(judged.reason)
        if attributes and not RECORDED.isdisjoint(attributes):
            message.recorded = True
        return message, judged
