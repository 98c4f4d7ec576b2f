"""Keeps both mail queues of the local cloud from running empty, by plain boto3.

Shallow on purpose: ministack looks through a queue at every receive, so a deep one would slow the
whole cloud down, and nothing is proved by its depth.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from infra.local.cloud import clients
from infra.local.stack import Stack

BATCH = 10
LOOK_S = 0.1
QUEUES = {"transactional": "mail-transactional", "bulk": "mail-bulk"}


class Backlog:
    """Feeds the queues with mails to one recipient each. `depths`: what each lane is kept at."""

    def __init__(self, stack: Stack, depths: Mapping[str, int]) -> None:
        self._sqs: Any = clients(stack.cloud_url)("sqs")
        self._depths = dict(depths)
        self._urls = {
            lane: self._sqs.get_queue_url(QueueName=f"{stack.plan.prefix}{QUEUES[lane]}")[
                "QueueUrl"
            ]
            for lane in depths
        }
        self.fed = 0
        self._looks = self._empty = 0

    def watch(self) -> None:
        """From now on looks count for `empty_share`."""
        self._looks = self._empty = 0

    @property
    def empty_share(self) -> float:
        """The share of looks at a lane that found nothing ready."""
        return self._empty / max(1, self._looks)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Both lanes are full when the body begins, and are kept so until it ends."""
        await asyncio.gather(*(asyncio.to_thread(self._fill, lane) for lane in self._depths))
        tasks = [asyncio.create_task(self._keep(lane)) for lane in self._depths]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, lane: str) -> None:
        while True:
            await asyncio.to_thread(self._fill, lane)
            await asyncio.sleep(LOOK_S)

    def _fill(self, lane: str) -> None:
        url, name = self._urls[lane], "ApproximateNumberOfMessages"
        answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        ready = int(answer["Attributes"][name])
        self._looks += 1
        self._empty += not ready
        for _ in range(0, self._depths[lane] - ready, BATCH):
            entries = [{"Id": str(n), "MessageBody": self._mail(lane)} for n in range(BATCH)]
            self._sqs.send_message_batch(QueueUrl=url, Entries=entries)

    def _mail(self, lane: str) -> str:
        """By the public contract `email.v1`."""
        self.fed += 1
        to = f"r{self.fed}@example.net"
        email = {"to": [to], "from": "Proof <proof@example.com>", "subject": "Hi", "bodyText": "x"}
        message = {
            "type": "email.v1",
            "emailId": uuid7(),
            "tenant": "default",
            "stream": lane,
            "queuedAt": datetime.now(UTC).isoformat(),
            "email": email,
        }
        return json.dumps(message)


def uuid7() -> str:
    """RFC 9562, section 5.7."""
    value = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 7 << 76
    text = f"{value & ~(0x3 << 62) | 0x2 << 62:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
