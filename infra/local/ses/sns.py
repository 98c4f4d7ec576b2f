"""Publishes events to SNS: by tens, each topic on its own, again until SNS has them.

It speaks SNS's query protocol without an SDK, whose call would cost more CPU than all the rest of a
simulated send. No signature: the local cloud checks none, so this works against an emulator only.
"""

import asyncio
import re
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from infra.local.ses.connection import Connection

BATCH = 10
MAX_BATCH_BYTES = 250_000
"""SNS takes 262,144 bytes a batch (SNS API reference, "PublishBatch")."""
LINGER_S = 0.01
TRIES = 40
RETRY_S = 0.25
TIMEOUT_S = 10.0

_AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=test/20260101/{region}/sns/aws4_request, "
    "SignedHeaders=host, Signature=0"
)
_SUCCEEDED = re.compile(rb"<Successful>(.*)</Successful>", re.DOTALL)
_ID = re.compile(rb"<Id>(\d+)</Id>")


class Topic:
    """What is still to go to one topic."""

    def __init__(self, arn: str, connection: Connection) -> None:
        self.arn, self.connection = arn, connection
        self.waiting = deque[bytes]()
        self.arrived = asyncio.Event()

    def batch(self) -> list[bytes]:
        """The next messages of one call."""
        taken, size = list[bytes](), 0
        while self.waiting and len(taken) < BATCH:
            size += len(self.waiting[0])
            if taken and size > MAX_BATCH_BYTES:
                break
            taken.append(self.waiting.popleft())
        return taken


class TopicMissing(Exception):
    """There is no such topic: trying again is of no use."""


class Sns:
    """A task for each topic: a slow or missing one holds up no other. `unpublished` events are
    still to go, `lost` ones were given up; `tell_lost` hears of them (topic, how many).
    """

    def __init__(self, endpoint: str, region: str, tell_lost: Callable[[str, int], None]) -> None:
        self._endpoint, self._tell_lost = endpoint, tell_lost
        self._authorization = _AUTHORIZATION.format(region=region)
        self._topics = dict[str, tuple[Topic, asyncio.Task[None]]]()
        self.unpublished = self.lost = 0
        self._all_out = asyncio.Event()
        self._all_out.set()

    def publish(self, topic_arn: str, body: bytes) -> None:
        """Send a message soon."""
        known = self._topics.get(topic_arn)
        if known is None:
            topic = Topic(topic_arn, Connection(self._endpoint, self._authorization))
            known = self._topics[topic_arn] = topic, asyncio.create_task(self._run(topic))
        known[0].waiting.append(body)
        known[0].arrived.set()
        self.unpublished += 1
        self._all_out.clear()

    async def drained(self) -> None:
        """Until everything given to `publish` is out (or given up)."""
        await self._all_out.wait()

    def close(self) -> None:
        """End the tasks."""
        for topic, task in self._topics.values():
            task.cancel()
            topic.connection.close()

    async def _run(self, topic: Topic) -> None:
        while True:
            await topic.arrived.wait()
            if len(topic.waiting) < BATCH:
                await asyncio.sleep(LINGER_S)
            batch = topic.batch()
            if not topic.waiting:
                topic.arrived.clear()
            await self._publish(topic, batch)
            self.unpublished -= len(batch)
            if not self.unpublished:
                self._all_out.set()

    async def _publish(self, topic: Topic, batch: list[bytes]) -> None:
        left = dict(enumerate(batch))
        for _ in range(TRIES):
            try:
                for number in await self._call(topic, left):
                    left.pop(number, None)
            except TopicMissing:
                break
            if not left:
                return
            await asyncio.sleep(RETRY_S)
        self.lost += len(left)
        self._tell_lost(topic.arn, len(left))
        sys.stderr.write(f"{len(left)} events could not be published to {topic.arn}\n")

    async def _call(self, topic: Topic, left: dict[int, bytes]) -> list[int]:
        """The entries that succeeded. Raises TopicMissing."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                status, body = await topic.connection.post(_form(topic.arn, left))
        except (OSError, TimeoutError, ValueError):
            topic.connection.close()
            return []
        if status != 200 and b"<Code>NotFound</Code>" in body:
            raise TopicMissing
        found = _SUCCEEDED.search(body) if status == 200 else None
        return [int(number) for number in _ID.findall(found.group(1))] if found else []


def _form(arn: str, entries: dict[int, bytes]) -> bytes:
    """PublishBatch as a form. Only what a form gives a meaning is escaped."""
    parts = [b"Action=PublishBatch&Version=2010-03-31&TopicArn=", arn.encode()]
    for place, (number, body) in enumerate(entries.items(), start=1):
        escaped = body.replace(b"%", b"%25").replace(b"+", b"%2B").replace(b"&", b"%26")
        name = b"&PublishBatchRequestEntries.member.%d." % place
        parts += [name, b"Id=%d" % number, name, b"Message=", escaped]
    return b"".join(parts)


@asynccontextmanager
async def open_sns(
    endpoint: str, region: str, tell_lost: Callable[[str, int], None]
) -> AsyncIterator[Sns]:
    """A publisher with a connection of its own for each topic."""
    sns = Sns(endpoint, region, tell_lost)
    try:
        yield sns
    finally:
        sns.close()
