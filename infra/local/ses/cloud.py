"""What the simulator needs of the local cloud: who may send, where events go, and SNS itself.

It speaks AWS requests only, so any cloud that answers SES v2's and SNS's calls will do.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import botocore.exceptions
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

BATCH = 10
LINGER_S = 0.01
TRIES = 5
REREAD_S = 1.0

_TYPES = {"Send": "SEND", "Delivery": "DELIVERY", "Bounce": "BOUNCE", "Complaint": "COMPLAINT"}


class Cloud:
    """Configuration sets and identities as the cloud has them; publishes events to topics."""

    def __init__(self, ses: Any, sns: Any) -> None:
        self._ses = ses
        self._sns = sns
        self._topics = dict[str, dict[str, list[str]]]()
        self._identities = set[str]()
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self._outbox = asyncio.Queue[tuple[str, str]]()

    async def knows_set(self, name: str) -> bool:
        """Whether there is such a configuration set; an unknown name is looked up again."""
        if name not in self._topics:
            await self._read()
        return name in self._topics

    async def may_send(self, address: str) -> bool:
        """Whether the address or its domain is a verified identity."""
        names = {address, address.rpartition("@")[2]}
        if not names & self._identities:
            await self._read()
        return bool(names & self._identities)

    def publish(self, configuration_set: str | None, event_type: str, body: str) -> None:
        """Send an event to the topics of its configuration set."""
        topics = self._topics.get(configuration_set or "", {})
        for topic in topics.get(_TYPES[event_type], []):
            self._outbox.put_nowait((topic, body))

    async def drained(self) -> None:
        """Until everything given to `publish` is out."""
        await self._outbox.join()

    async def _read(self) -> None:
        async with self._reading:  # who comes while another reads waits for what it finds
            if time.monotonic() - self._read_at >= REREAD_S:
                await self.read()
                self._read_at = time.monotonic()

    async def read(self) -> None:
        """Read configuration sets, their destinations, and identities."""
        identities = await self._ses.list_email_identities()
        self._identities = {one["IdentityName"] for one in identities["EmailIdentities"]}
        for name in (await self._ses.list_configuration_sets())["ConfigurationSets"]:
            answer = await self._ses.get_configuration_set_event_destinations(
                ConfigurationSetName=name
            )
            topics = dict[str, list[str]]()
            # The cloud leaves the member out when a set has no destination.
            for destination in answer.get("EventDestinations", []):
                if destination.get("Enabled") and "SnsDestination" in destination:
                    for event_type in destination["MatchingEventTypes"]:
                        arn = destination["SnsDestination"]["TopicArn"]
                        topics.setdefault(event_type, []).append(arn)
            self._topics[name] = topics

    async def publish_forever(self) -> None:
        """Empty the outbox, by tens where several events go to one topic."""
        while True:
            waiting = [await self._outbox.get()]
            await asyncio.sleep(LINGER_S)
            while not self._outbox.empty():
                waiting.append(self._outbox.get_nowait())
            by_topic = dict[str, list[str]]()
            for topic, body in waiting:
                by_topic.setdefault(topic, []).append(body)
            for topic, bodies in by_topic.items():
                for start in range(0, len(bodies), BATCH):
                    await self._publish(topic, bodies[start : start + BATCH])
            for _ in waiting:
                self._outbox.task_done()

    async def _publish(self, topic: str, bodies: list[str]) -> None:
        left = dict(enumerate(bodies))
        for _ in range(TRIES):
            entries = [{"Id": str(index), "Message": body} for index, body in left.items()]
            try:
                answer = await self._sns.publish_batch(
                    TopicArn=topic, PublishBatchRequestEntries=entries
                )
            except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
                await asyncio.sleep(0.1)
                continue
            for entry in answer["Successful"]:
                left.pop(int(entry["Id"]), None)
            if not left:
                return
        sys.stderr.write(f"{len(left)} events could not be published to {topic}\n")


@asynccontextmanager
async def open_cloud(endpoint: str, region: str) -> AsyncIterator[Cloud]:
    """Clients for the cloud at `endpoint`; retries are this file's own."""
    options: dict[str, Any] = {
        "region_name": region,
        "endpoint_url": endpoint,
        "aws_access_key_id": os.environ.get("AWS_ACCESS_KEY_ID", "test"),
        "aws_secret_access_key": os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
        "config": AioConfig(retries={"mode": "standard", "total_max_attempts": 1}),
    }
    session = AioSession()
    async with AsyncExitStack() as opened:
        ses = await opened.enter_async_context(session.create_client("sesv2", **options))
        sns = await opened.enter_async_context(session.create_client("sns", **options))
        cloud = Cloud(ses, sns)
        await cloud.read()
        publisher = asyncio.create_task(cloud.publish_forever())
        try:
            yield cloud
        finally:
            publisher.cancel()
