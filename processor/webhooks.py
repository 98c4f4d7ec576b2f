"""Owes one webhook per (event, endpoint). The same event always makes the same webhook ids."""

import msgspec

from mailpipe.addresses import bare
from mailpipe.aws.queue import Outgoing, Queue
from mailpipe.endpoints import Endpoints
from mailpipe.messages import WebhookMessage, encode, short_hash
from mailpipe.records import Record
from processor.events import Event, body_of


class Webhooks:
    """Puts webhooks on their queue."""

    def __init__(self, queue: Queue, endpoints: Endpoints) -> None:
        self._queue = queue
        self._endpoints = endpoints

    async def owe(self, event: Event, record: Record) -> None:
        """Enqueue the event for every endpoint that wants it. Raises CallFailed."""
        if event.webhook_type is None:
            return
        endpoints = await self._endpoints.of(record.tenant)
        wanting = [one for one in endpoints.values() if one.wants(event.webhook_type)]
        if not wanting:
            return
        recipients = event.recipients or [bare(text) for text in record.recipients()]
        body = body_of(
            event,
            recipients=recipients,
            metadata=msgspec.Raw(record.metadata.encode()),
            possible_duplicate=record.possible_duplicate,
        )
        faults = await self._queue.send(
            [
                Outgoing(
                    encode(
                        WebhookMessage(
                            webhook_id=webhook_id(event, one.endpoint),
                            tenant=record.tenant,
                            endpoint=one.endpoint,
                            event_type=event.webhook_type,
                            event=msgspec.Raw(body),
                        )
                    ),
                    group=one.endpoint,
                )
                for one in wanting
            ]
        )
        for fault in faults:
            if fault is not None:
                raise fault


def webhook_id(event: Event, endpoint: str) -> str:
    """Constant over repeats and retries, so a receiver that remembers ids sees an event once."""
    return f"msg_{short_hash(event.email_id, event.hash, endpoint)}"
