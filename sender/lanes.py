"""The lanes' queues as a sender reads them: attributes that are ours are believed of us only.

A mail that says that it is a probe passes a pause, and ends it when SES takes it; one that says how
long it was held expires so much later. Whoever may send to a queue can write both. So they are
taken off here, before anybody handles, parks or copies the message: sent anew, it is from us.
"""

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from mailpipe.aws.queue import Fault, Outgoing, Queue, Received
from mailpipe.aws.queues import Queues
from mailpipe.messages import EmailMessage
from mailpipe.origins import principal
from mailpipe.outcomes import Park
from mailpipe.parking import PAUSED_MS, PROBE
from mailpipe.resources import LANES
from mailpipe.settling import Parking
from sender.settings import SenderSettings
from sender.verdicts import read

MARKS = frozenset({PROBE, PAUSED_MS})


async def open_lanes(settings: SenderSettings, queues: Queues) -> dict[str, Queue]:
    """By the queue's name, the most urgent first. Raises CallFailed."""
    asked = settings.trust_sender_id
    opened = {name: await queues.open(name, sender_ids=asked) for name in LANES.values()}
    urgent = next(iter(opened.values()))
    return {name: Lane(one, settings.trusted, urgent=urgent) for name, one in opened.items()}


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
    """A queue whose messages are `believed`. A probe goes to the `urgent` one: behind a backlog it
    would not be known for hours that a pause is over.
    """

    def __init__(self, queue: Queue, trusted: Collection[str] | None, *, urgent: Queue) -> None:
        self.name, self.url = queue.name, queue.url
        self.delete, self.hide, self.depth = queue.delete, queue.hide, queue.depth
        self.delete_soon = queue.delete_soon
        self._queue = queue
        self._trusted = trusted
        self._urgent = urgent

    async def send(self, messages: Sequence[Outgoing]) -> list[Fault]:
        """See mailpipe.aws.queue.Queue.send; probes are sent by themselves."""
        probes = any(PROBE in one.attributes for one in messages)
        return await (self._urgent if probes else self._queue).send(messages)

    async def receive(
        self, most: int, *, wait_s: float, visibility_s: float | None = None
    ) -> list[Received]:
        """See mailpipe.aws.queue.Queue.receive."""
        found = await self._queue.receive(most, wait_s=wait_s, visibility_s=visibility_s)
        return [believed(one, self._trusted) for one in found]


class Home:
    """Parking where a probe goes back to its own lane, and does not stay in the urgent one."""

    def __init__(self, parking: Parking) -> None:
        self._parking = parking
        self.instead_of = parking.instead_of

    async def park(self, message: Received, queue: str, park: Park) -> None:
        """See mailpipe.settling.Parking.park."""
        mail = read(message.body) if PROBE in message.attributes else None
        home = LANES[mail.stream] if isinstance(mail, EmailMessage) else queue
        await self._parking.park(message, home, park)
