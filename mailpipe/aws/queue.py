"""SQS queues behind the interface that `mailpipe.testing.InMemoryQueue` shares.

Batch calls answer 200 with failures inside, so every method reports the fate of each entry.
"""

import asyncio
from collections.abc import Callable, Sequence
from hashlib import md5
from typing import NamedTuple, Protocol

from msgspec import Struct

from mailpipe import logs
from mailpipe.aws import errors
from mailpipe.aws import sqs_operations as aws
from mailpipe.aws.batcher import Batcher
from mailpipe.aws.client import Client
from mailpipe.aws.hiding import visibility_of, with_failed
from mailpipe.aws.lingering import Limits
from mailpipe.aws.retries import call_again
from mailpipe.outcomes import CallFailed

BATCH = aws.MAX_ENTRIES
MAX_BATCH_BYTES = 1_048_576
MAX_DELAY_S = 900
MAX_VISIBILITY_S = 43_200
MAX_ATTRIBUTES = 10


class Outgoing(Struct, frozen=True):
    """A message to send. `group` is the tenant or endpoint for SQS's fair queues."""

    body: str
    group: str | None = None
    delay_s: int = 0
    attributes: dict[str, str] = {}


class Received(Struct, frozen=True):
    """A message in hand until its visibility ends; `receives` counts this receive too.

    `sender_id` is who has sent it, where the queue was opened to tell.
    """

    message_id: str
    receipt: str
    body: str
    receives: int
    sent_at_ms: int
    attributes: dict[str, str] = {}
    sender_id: str | None = None


class Depth(NamedTuple):
    """Approximate numbers of messages."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def waiting(self) -> int:
        """Not in anybody's hand."""
        return self.visible + self.delayed


log = logs.get()

Fault = CallFailed | None
"""The fate of one entry: None when it succeeded."""


class Queue(Protocol):
    """A standard queue: at least once, in no order."""

    name: str
    url: str

    async def send(self, messages: Sequence[Outgoing]) -> list[Fault]:
        """Durable where the fate is None. Any number of messages."""
        ...

    async def receive(
        self, most: int, *, wait_s: float, visibility_s: float | None = None
    ) -> list[Received]:
        """Up to `most` (1-10) messages; waits up to `wait_s` (0-20) for the first. They are hidden
        for `visibility_s`, or as long as the queue itself says.
        """
        ...

    async def delete(self, receipts: Sequence[str]) -> list[Fault]:
        """The work of these messages is durable. Any number of receipts."""
        ...

    def delete_soon(self, receipt: str, told: Callable[[Fault], None]) -> None:
        """`delete` for who does not wait: `told` hears its fate, once. Who calls bounds how many
        are on their way.
        """
        ...

    async def hide(self, entries: Sequence[tuple[str, int]]) -> list[Fault]:
        """Hide (receipt, seconds) from now; 0 hands the message back. Any number."""
        ...

    async def depth(self) -> Depth:
        """How much waits."""
        ...


class TimedQueue(Queue, Protocol):
    """One whose answer can be had by a certain time."""

    async def send_until(self, messages: Sequence[Outgoing], due_s: float) -> list[Fault]:
        """`send` for who waits until `due_s` (of the loop's clock): what is not known by then is
        in doubt, and may be sent all the same.
        """
        ...


SENDS = Limits(most=BATCH, linger_s=0.02, max_weight=MAX_BATCH_BYTES)
DELETES = Limits(most=BATCH, linger_s=0.1)
"""Only a slot waits for them, and a message is hidden for a minute."""
HIDES = Limits(most=BATCH, linger_s=0.01)

_SYSTEM_ATTRIBUTES = ["ApproximateReceiveCount", "SentTimestamp"]
_SENDER_ID = "SenderId"


class SqsQueue:
    """A queue of the account. Raises nothing for single entries; their fates are returned.

    Callers share calls: see `batcher.py`. `sender_ids`: messages say who has sent them, which costs
    on every receive.
    """

    def __init__(
        self, name: str, url: str, *, polls: Client, calls: Client, sender_ids: bool = False
    ) -> None:
        self.name = name
        self.url = url
        self._system_attributes = [*_SYSTEM_ATTRIBUTES, *([_SENDER_ID] if sender_ids else [])]
        self._polls = polls
        self._calls = calls
        self._sends = Batcher[Outgoing, None](
            aws.SEND_MESSAGE_BATCH.name, self._send, SENDS, weigh=weight
        )
        self._deletes = Batcher[str, None](aws.DELETE_MESSAGE_BATCH.name, self._delete, DELETES)
        self._hides = Batcher[tuple[str, int], None](
            aws.CHANGE_MESSAGE_VISIBILITY_BATCH.name, self._hide, HIDES
        )

    async def close(self) -> None:
        """Write what waits."""
        for batcher in (self._sends, self._deletes, self._hides):
            await batcher.close()

    async def send(self, messages: Sequence[Outgoing]) -> list[Fault]:
        """See Queue.send."""
        return await self._sends.submit_all(messages)

    async def send_until(self, messages: Sequence[Outgoing], due_s: float) -> list[Fault]:
        """See TimedQueue.send_until."""
        return await self._sends.submit_all(messages, due_s=due_s)

    async def place(self, message: Outgoing) -> asyncio.Future[Fault]:
        """Take the message; the future is its fate. Waits while too many wait."""
        return await self._sends.place(message)

    async def delete(self, receipts: Sequence[str]) -> list[Fault]:
        """See Queue.delete."""
        return await self._deletes.submit_all(receipts)

    def delete_soon(self, receipt: str, told: Callable[[Fault], None]) -> None:
        """See Queue.delete_soon."""
        self._deletes.post(receipt, told)

    async def hide(self, entries: Sequence[tuple[str, int]]) -> list[Fault]:
        """See Queue.hide."""
        return await self._hides.submit_all(entries)

    async def receive(
        self, most: int, *, wait_s: float, visibility_s: float | None = None
    ) -> list[Received]:
        """See Queue.receive. Raises CallFailed."""
        answer = await self._polls.call(
            aws.RECEIVE_MESSAGE,
            aws.ReceiveMessage(
                queue_url=self.url,
                max_number_of_messages=most,
                wait_time_seconds=round(wait_s),
                visibility_timeout=None if visibility_s is None else round(visibility_s),
                message_system_attribute_names=self._system_attributes,
                message_attribute_names=["All"],
            ),
        )
        return [self._received(one) for one in answer.messages if self._whole(one)]

    def _whole(self, message: aws.SqsMessage) -> bool:
        """A body that was damaged on its way comes again when its visibility ends."""
        if message.md5_of_body in (None, _md5(message.body)):
            return True
        log.error("message_damaged", queue=self.name, message_id=message.message_id)
        return False

    def _received(self, message: aws.SqsMessage) -> Received:
        return Received(
            message.message_id,
            message.receipt_handle,
            message.body,
            receives=int(message.attributes.get("ApproximateReceiveCount", "1")),
            sent_at_ms=int(message.attributes.get("SentTimestamp", "0")),
            attributes=_texts(message.message_attributes) if message.message_attributes else {},
            sender_id=message.attributes.get(_SENDER_ID),
        )

    async def _send(self, messages: list[Outgoing]) -> list[Fault]:
        # Before the call, not after it: the bodies are still in the processor's caches.
        digests = [_md5(message.body) for message in messages]
        entries = [
            aws.SendEntry(
                id=str(index),
                message_body=message.body,
                delay_seconds=message.delay_s,
                message_group_id=message.group,
                message_attributes=_typed(message.attributes) if message.attributes else {},
            )
            for index, message in enumerate(messages)
        ]
        request = aws.SendMessageBatch(queue_url=self.url, entries=entries)
        answer = await call_again(self._calls, aws.SEND_MESSAGE_BATCH, request)
        name = aws.SEND_MESSAGE_BATCH.name
        # Only what SQS says it has stored, and as it was sent, is durable.
        faults: list[Fault] = [errors.no_fate(name)] * len(messages)
        for sent in answer.successful:
            index = int(sent.id)
            if sent.md5_of_message_body in (None, digests[index]):
                faults[index] = None
            else:
                faults[index] = errors.damaged(name)
        return with_failed(faults, answer.failed, name)

    async def _delete(self, receipts: list[str]) -> list[Fault]:
        operation = aws.DELETE_MESSAGE_BATCH
        entries = [aws.DeleteEntry(id=str(n), receipt_handle=one) for n, one in enumerate(receipts)]
        request = aws.DeleteMessageBatch(queue_url=self.url, entries=entries)
        answer = await call_again(self._calls, operation, request)
        return with_failed([None] * len(receipts), answer.failed, operation.name)

    async def _hide(self, hidden: list[tuple[str, int]]) -> list[Fault]:
        operation = aws.CHANGE_MESSAGE_VISIBILITY_BATCH
        answer = await call_again(self._calls, operation, visibility_of(self.url, hidden))
        return with_failed([None] * len(hidden), answer.failed, operation.name)

    async def depth(self) -> Depth:
        """See Queue.depth. Raises CallFailed."""
        answer = await call_again(
            self._calls,
            aws.GET_QUEUE_ATTRIBUTES,
            aws.GetQueueAttributes(queue_url=self.url, attribute_names=["All"]),
        )
        kinds = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
        return Depth(*[int(answer.attributes.get(kind, "0")) for kind in kinds])


def _texts(attributes: dict[str, dict[str, str]]) -> dict[str, str]:
    return {
        name: value["StringValue"] for name, value in attributes.items() if "StringValue" in value
    }


def _typed(attributes: dict[str, str]) -> dict[str, aws.StringAttribute]:
    return {name: aws.StringAttribute(string_value=value) for name, value in attributes.items()}


def weight(message: Outgoing) -> int:
    """Bytes that SQS counts (our bodies are ASCII)."""
    size, attributes = len(message.body), message.attributes
    if attributes:
        size += sum([len(f"{name}String{value}") for name, value in attributes.items()])
    return size


def _md5(body: str) -> str:
    return md5(body.encode(), usedforsecurity=False).hexdigest()
