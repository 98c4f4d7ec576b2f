"""Reads what the running services say of themselves: metrics, queue depths."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from infra.local.children import Child
from infra.local.cloud import clients
from infra.local.stack import SERVICES, Stack
from mailpipe import resources

QUEUES = (
    *(resources.MAIL_TRANSACTIONAL, resources.MAIL_BULK),
    *(resources.SES_EVENTS, resources.WEBHOOKS),
)
READS: dict[str, tuple[str, ...]] = {
    "ingest": (),
    "sender": (resources.MAIL_TRANSACTIONAL, resources.MAIL_BULK),
    "processor": (resources.SES_EVENTS,),
    "notifier": (resources.WEBHOOKS,),
}
"""The queues that each service consumes."""
TIMES = resources.waits_for_time(0, 0).partition("#")[0] + "#"
IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"


class Metrics(dict[tuple[str, tuple[str, ...]], float]):
    """Samples by name and label values."""

    def total(self, name: str, *labels: str) -> float:
        """The sum of the samples of this name that carry all these label values."""
        return sum(
            value
            for (one, values), value in self.items()
            if one == name and set(labels) <= {*values}
        )


async def scrape(session: aiohttp.ClientSession, child: Child) -> Metrics:
    """One process's metrics."""
    async with session.get(f"http://127.0.0.1:{child.admin_port}/metrics") as answer:
        text = await answer.text()
    return Metrics(
        ((sample.name, tuple(sample.labels.values())), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    )


async def scrape_all(session: aiohttp.ClientSession, stack: Stack) -> Metrics:
    """All services' metrics, added up."""
    together = Metrics()
    children = [child for name in SERVICES for child in stack.services[name]]
    for one in await asyncio.gather(*(scrape(session, child) for child in children)):
        for key, value in one.items():
            together[key] = together.get(key, 0.0) + value
    return together


class Spent(NamedTuple):
    """What a service has used: CPU (`time.process_time()`) and calls to AWS of all its replicas,
    and the resident memory of the largest.
    """

    cpu_s: float
    aws_calls: float
    memory_mb: float

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.cpu_s - other.cpu_s, self.aws_calls - other.aws_calls, self.memory_mb)


async def spent(session: aiohttp.ClientSession, stack: Stack) -> dict[str, Spent]:
    """By service, since its start, by its own word."""
    used = dict[str, Spent]()
    for name in SERVICES:
        found = await asyncio.gather(*(scrape(session, one) for one in stack.services[name]))
        used[name] = Spent(
            sum(one.total("mailpipe_process_time_seconds") for one in found),
            sum(one.total("mailpipe_aws_call_seconds_count") for one in found),
            max(one.total("process_resident_memory_bytes") for one in found) / 1e6,
        )
    return used


def newest_events(log: Path, count: int = 8) -> tuple[dict[str, Any], ...]:
    """The last events of the simulator's log, oldest first; only its end is read."""
    with log.open("rb") as lines:
        lines.seek(max(0, log.stat().st_size - 64_000))
        end = lines.read().splitlines()[-200:]
    # The last line may not be finished, and the first one cut.
    whole = [one for one in end if b'"kind":"event"' in one and one[:1] + one[-1:] == b"{}"]
    return tuple(json.loads(one) for one in whole[-count:])


class Depths:
    """Depths of the queues, and what waits for a time, read with AWS clients that are not ours."""

    def __init__(self, stack: Stack) -> None:
        made = clients(stack.cloud_url)
        self._sqs: Any = made("sqs")
        self._dynamodb: Any = made("dynamodb")
        self._due_items = resources.physical(stack.plan.prefix, resources.DUE_ITEMS)
        self._urls = {
            name: self._sqs.get_queue_url(QueueName=resources.physical(stack.plan.prefix, name))[
                "QueueUrl"
            ]
            for queue in QUEUES
            for name in (queue, resources.dead(queue))
        }

    def read(self) -> dict[str, int]:
        """Messages in each queue: visible, in flight and delayed together."""
        return {name: self._depth(url) for name, url in self._urls.items()}

    def parked(self) -> int:
        """What waits for a time, like mail in doubt: it has left its queue, and comes back."""
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._due_items,
            FilterExpression="begins_with(waitsFor, :times)",
            ExpressionAttributeValues={":times": {"S": TIMES}},
        )
        return sum(page["Count"] for page in pages)

    def in_flight(self, queues: Iterable[str]) -> int:
        """Messages that somebody has received and neither deleted nor handed back."""
        names = [IN_FLIGHT]
        return sum(self._count(self._urls[one], names) for one in queues)

    def _depth(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", IN_FLIGHT, "ApproximateNumberOfMessagesDelayed"]
        return self._count(url, names)

    def _count(self, url: str, names: list[str]) -> int:
        answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return sum(int(value) for value in answer["Attributes"].values())
