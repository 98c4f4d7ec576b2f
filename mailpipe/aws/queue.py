"""SQS queues behind the interface that `mailpipe.testing.InMemoryQueue` shares.

Batch calls answer 200 with failures inside, so every method reports the fate of each entry.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from mailpipe.aws import sqs_operations as aws
from mailpipe.aws.client import Client, call_again, open_client
from mailpipe.aws.operations import Operation, Q
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.resources import physical

BATCH = 10
MAX_BATCH_BYTES = 1_048_576
MAX_DELAY_S = 900
MAX_VISIBILITY_S = 43_200


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send. `group` is the tenant or endpoint for SQS's fair queues."""

    body: str
    group: str | None = None
    delay_s: int = 0
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Received:
    """A message in hand until its visibility ends; `receives` counts this receive too."""

    message_id: str
    receipt: str
    body: str
    receives: int
    sent_at_ms: int
    attributes: dict[str, str] = field(default_factory=dict)


class Depth(NamedTuple):
    """Approximate numbers of messages."""

    visible: int
    in_flight: int
    delayed: int


Fault = CallFailed | None
"""The fate of one entry: None when it succeeded."""


class Queue(Protocol):
    """A standard queue: at least once, in no order."""

    name: str

    async def send(self, messages: Sequence[Outgoing]) -> list[Fault]:
        """Durable where the fate is None. Any number of messages."""
        ...

    async def receive(self, most: int, *, wait_s: float) -> list[Received]:
        """Up to `most` (1-10) messages; waits up to `wait_s` (0-20) for the first."""
        ...

    async def delete(self, receipts: Sequence[str]) -> list[Fault]:
        """The work of these messages is durable. Any number of receipts."""
        ...

    async def hide(self, entries: Sequence[tuple[str, int]]) -> list[Fault]:
        """Hide (receipt, seconds) from now; 0 hands the message back. Any number."""
        ...

    async def depth(self) -> Depth:
        """How much waits."""
        ...


class SqsQueue:
    """A queue of the account. Raises nothing for single entries; their fates are returned."""

    def __init__(self, name: str, url: str, *, polls: Client, calls: Client) -> None:
        self.name = name
        self._url = url
        self._polls = polls
        self._calls = calls

    async def send(self, messages: Sequence[Outgoing]) -> list[Fault]:
        """See Queue.send."""
        faults = list[Fault]()
        for batch in _batches(messages):
            request = aws.SendMessageBatch(
                queue_url=self._url,
                entries=[
                    aws.SendEntry(
                        id=str(index),
                        message_body=message.body,
                        delay_seconds=message.delay_s,
                        message_group_id=message.group,
                        message_attributes={
                            name: aws.StringAttribute(string_value=value)
                            for name, value in message.attributes.items()
                        },
                    )
                    for index, message in enumerate(batch)
                ],
            )
            faults += await self._batch(aws.SEND_MESSAGE_BATCH, request, len(batch))
        return faults

    async def receive(self, most: int, *, wait_s: float) -> list[Received]:
        """See Queue.receive. Raises CallFailed."""
        answer = await self._polls.call(
            aws.RECEIVE_MESSAGE,
            aws.ReceiveMessage(
                queue_url=self._url,
                max_number_of_messages=most,
                wait_time_seconds=round(wait_s),
                message_system_attribute_names=["ApproximateReceiveCount", "SentTimestamp"],
                message_attribute_names=["All"],
            ),
        )
        return [
            Received(
                message.message_id,
                message.receipt_handle,
                message.body,
                receives=int(message.attributes.get("ApproximateReceiveCount", "1")),
                sent_at_ms=int(message.attributes.get("SentTimestamp", "0")),
                attributes={
                    name: value["StringValue"]
                    for name, value in message.message_attributes.items()
                    if "StringValue" in value
                },
            )
            for message in answer.messages
        ]

    async def delete(self, receipts: Sequence[str]) -> list[Fault]:
        """See Queue.delete."""
        faults = list[Fault]()
        for start in range(0, len(receipts), BATCH):
            batch = receipts[start : start + BATCH]
            request = aws.DeleteMessageBatch(
                queue_url=self._url,
                entries=[
                    aws.DeleteEntry(id=str(index), receipt_handle=receipt)
                    for index, receipt in enumerate(batch)
                ],
            )
            faults += await self._batch(aws.DELETE_MESSAGE_BATCH, request, len(batch))
        return faults

    async def hide(self, entries: Sequence[tuple[str, int]]) -> list[Fault]:
        """See Queue.hide."""
        faults = list[Fault]()
        for start in range(0, len(entries), BATCH):
            batch = entries[start : start + BATCH]
            request = aws.ChangeMessageVisibilityBatch(
                queue_url=self._url,
                entries=[
                    aws.VisibilityEntry(
                        id=str(index), receipt_handle=receipt, visibility_timeout=seconds
                    )
                    for index, (receipt, seconds) in enumerate(batch)
                ],
            )
            faults += await self._batch(aws.CHANGE_MESSAGE_VISIBILITY_BATCH, request, len(batch))
        return faults

    async def depth(self) -> Depth:
        """See Queue.depth. Raises CallFailed."""
        answer = await call_again(
            self._calls,
            aws.GET_QUEUE_ATTRIBUTES,
            aws.GetQueueAttributes(queue_url=self._url, attribute_names=["All"]),
        )
        numbers = answer.attributes
        return Depth(
            int(numbers.get("ApproximateNumberOfMessages", "0")),
            int(numbers.get("ApproximateNumberOfMessagesNotVisible", "0")),
            int(numbers.get("ApproximateNumberOfMessagesDelayed", "0")),
        )

    async def _batch(
        self, operation: Operation[Q, aws.BatchAnswer], request: Q, size: int
    ) -> list[Fault]:
        try:
            answer = await call_again(self._calls, operation, request)
        except CallFailed as error:
            return [error] * size
        faults: list[Fault] = [None] * size
        for failed in answer.failed:
            kind = Kind.REFUSED if failed.sender_fault else Kind.IN_DOUBT
            faults[int(failed.id)] = CallFailed(
                kind, failed.code, failed.message, operation=operation.name
            )
        return faults


def _batches(messages: Sequence[Outgoing]) -> list[list[Outgoing]]:
    """Batches within both of SQS's limits: 10 entries, 1 MiB together."""
    batches, batch, size = list[list[Outgoing]](), list[Outgoing](), 0
    for message in messages:
        weight = len(message.body) + sum(
            len(name) + len(value) + len("String") for name, value in message.attributes.items()
        )
        if batch and (len(batch) == BATCH or size + weight > MAX_BATCH_BYTES):
            batches.append(batch)
            batch, size = [], 0
        batch.append(message)
        size += weight
    return [*batches, batch] if batch else batches


class Queues:
    """Opens the queues of one deployment (names take `prefix`)."""

    def __init__(self, prefix: str, *, polls: Client, calls: Client) -> None:
        self._prefix = prefix
        self._polls = polls
        self._calls = calls

    async def open(self, name: str) -> SqsQueue:
        """Look a queue up. Raises CallFailed, CONFIGURATION when there is none of this name."""
        request = aws.GetQueueUrl(queue_name=physical(self._prefix, name))
        answer = await call_again(self._calls, aws.GET_QUEUE_URL, request)
        return SqsQueue(name, answer.queue_url, polls=self._polls, calls=self._calls)


@asynccontextmanager
async def open_queues(
    prefix: str, *, poll_s: float = 0.0, connections: int = 64
) -> AsyncIterator[Queues]:
    """Two clients: long polls of `poll_s` never starve the other calls."""
    async with (
        open_client("sqs", connections=8, timeout_s=poll_s + 10) as polls,
        open_client("sqs", connections=connections, timeout_s=10) as calls,
    ):
        yield Queues(prefix, polls=polls, calls=calls)
