"""The lanes' queues as a sender reads them: attributes that are ours are believed of us only.

A mail that says that it is a probe passes a pause, and ends it when SES takes it; one that says how
long it was held expires so much later. Whoever may send to a queue can write both. So they are
taken off here, before anybody handles, parks or copies the message: sent anew, it is from us.
"""

from collections.abc import Collection
from dataclasses import replace

from mailpipe.aws.queue import Queue, Queues, Received
from mailpipe.origins import principal
from mailpipe.parking import PAUSED_MS, PROBE
from mailpipe.resources import LANES
from sender.settings import SenderSettings

MARKS = frozenset({PROBE, PAUSED_MS})


async def open_lanes(settings: SenderSettings, queues: Queues) -> dict[str, Queue]:
    """By the queue's name, the most urgent first. Raises CallFailed."""
    return {
        name: Lane(await queues.open(name, sender_ids=settings.trust_sender_id), settings.trusted)
        for name in LANES.values()
    }


def believed(message: Received, trusted: Collection[str] | None) -> Received:
    """The message without what others than the `trusted` principals (None: nobody looks who has
    sent a message) have no right to say.
    """
    if trusted is None or MARKS.isdisjoint(message.attributes):
        return message
    if message.sender_id is not None and principal(message.sender_id) in trusted:
        return message
    kept = {name: one for name, one in message.attributes.items() if name not in MARKS}
    return replace(message, attributes=kept)


class Lane:
    """A queue whose messages are `believed`."""

    def __init__(self, queue: Queue, trusted: Collection[str] | None) -> None:
        self.name, self.url = queue.name, queue.url
        self.send, self.delete, self.hide = queue.send, queue.delete, queue.hide
        self.depth = queue.depth
        self._receive = queue.receive
        self._trusted = trusted

    async def receive(
        self, most: int, *, wait_s: float, visibility_s: float | None = None
    ) -> list[Received]:
        """See mailpipe.aws.queue.Queue.receive."""
        found = await self._receive(most, wait_s=wait_s, visibility_s=visibility_s)
        return [believed(one, self._trusted) for one in found]
