"""An event loop that stands still is noticed, and nobody else gets its messages meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from infra.local.cloud import clients
from infra.local.stack import Stack
from mailpipe import metrics
from mailpipe.aws.client import Aws
from mailpipe.aws.hiding import open_hide
from mailpipe.aws.queue import Outgoing, Queue, Received
from mailpipe.aws.queues import open_queues
from mailpipe.consumer import Consumer
from mailpipe.heartbeat import Heartbeat
from mailpipe.lifecycle import Stop, side_tasks, watch_loop
from mailpipe.messages import new_email_id
from mailpipe.outcomes import Done, Outcome
from mailpipe.testing import InMemoryQueue

VISIBILITY_S = 3.0
STALL_S = 4.5


@pytest.fixture
async def queue(aws: Stack) -> AsyncIterator[Queue]:
    prefix = f"stall-{new_email_id()[-12:]}-"
    clients(aws.cloud_url)("sqs").create_queue(QueueName=f"{prefix}q")
    async with Aws() as opened:
        queues = await open_queues(opened, prefix, poll_s=1)
        yield await queues.open("q")


async def test_a_stall_longer_than_the_visibility_is_noticed_and_lets_no_message_go(
    aws: Stack, queue: Queue
) -> None:
    """1. A handler blocks the loop for longer than the visibility. 2. Another polls all the time.

    Expected: the other gets nothing; the message is deleted; metric and log name the stall.
    """
    stop, others, in_hand = Stop(), list[Any](), asyncio.Event()

    async def handle(_: Received) -> Outcome:
        in_hand.set()
        await asyncio.sleep(0.3)  # the watch has begun to wait, the other to poll
        time.sleep(STALL_S)  # noqa: ASYNC251 - the stall that the test is about
        stop.set()
        return Done()

    def poll() -> None:
        sqs = clients(aws.cloud_url)("sqs")
        end = time.monotonic() + STALL_S + 0.5
        while time.monotonic() < end:
            others.extend(sqs.receive_message(QueueUrl=queue.url).get("Messages", []))
            time.sleep(0.05)

    await queue.send([Outgoing("m")])
    heartbeat = Heartbeat(
        partial(open_hide, "typed", visibility_s=VISIBILITY_S), visibility_s=VISIBILITY_S
    )
    consumer = Consumer(
        queue, InMemoryQueue("dead"), handle, heartbeat=heartbeat, concurrency=1, poll_s=1
    )
    with capture_logs() as logs:
        async with heartbeat, side_tasks(stop, watch=watch_loop()):
            consuming = asyncio.create_task(consumer.run(stop, drain_s=5))
            await in_hand.wait()
            other = asyncio.create_task(asyncio.to_thread(poll))
            await consuming
            await asyncio.sleep(0.3)
            await other
    assert others == []
    assert (await queue.depth()) == (0, 0, 0)
    (stall,) = (line for line in logs if line["event"] == "loop_stalled")
    assert stall["stalled_s"] > STALL_S - 0.5
    slowest = metrics.LOOP_LAG.collect()[0].samples
    assert sum(one.value for one in slowest if one.name.endswith("_sum")) > STALL_S - 0.5
