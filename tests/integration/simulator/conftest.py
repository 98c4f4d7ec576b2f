"""A running simulator, clients of it, and a queue that gets its events."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from infra.local.children import Child, environment
from infra.local.cloud import clients
from infra.local.stack import Stack
from loadtest.checker import read_log

SET = "enterprise-email"
WAIT_S = 10.0


@dataclass
class Running:
    """A simulator, clients for it, and a queue that gets every event of its own topic."""

    child: Child
    log: Path
    ses: Any
    http: aiohttp.ClientSession
    receive: Callable[[], list[dict[str, Any]]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.child.port}"

    async def send(self, *recipients: str, **more: Any) -> str:
        """Send; the message id."""
        to = [*recipients] or ["success@simulator.amazonses.com"]
        answer = await self.ses.send_email(
            **{
                "FromEmailAddress": "a@example.com",
                "Destination": {"ToAddresses": to},
                "Content": {"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "x"}}}},
                "ConfigurationSetName": "test",
                **more,
            }
        )
        return str(answer["MessageId"])

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """The control interface's answer."""
        async with self.http.request(method, f"{self.url}/_control/{path}", json=body) as answer:
            said = await answer.json()
            assert answer.status == 200, said
            return said

    async def events(self, message_id: str, count: int) -> list[dict[str, Any]]:
        """The first events of a mail to arrive."""
        found = list[dict[str, Any]]()
        deadline = asyncio.get_running_loop().time() + WAIT_S
        while len(found) < count:
            assert asyncio.get_running_loop().time() < deadline, f"only {found}"
            for one in await asyncio.to_thread(self.receive):
                if one.get("mail", {}).get("messageId") == message_id:
                    found.append(one)
        return found

    async def published(self, message_id: str, count: int) -> list[dict[str, Any]]:
        """The log's first events of a mail, in the order in which they were published."""
        deadline = asyncio.get_running_loop().time() + WAIT_S
        while True:
            lines = [one for one in read_log(self.log) if one["kind"] == "event"]
            found = [one for one in lines if one["messageId"] == message_id]
            if len(found) >= count:
                return found
            assert asyncio.get_running_loop().time() < deadline, f"only {found}"
            await asyncio.sleep(0.05)

    def attempts(self) -> list[dict[str, Any]]:
        """The log's attempts."""
        return [line for line in read_log(self.log) if line["kind"] == "attempt"]


def argv(cloud_url: str, log: Path, *more: str) -> list[str]:
    """The simulator's command line."""
    started = [sys.executable, "-m", "infra.local.ses", "--port", "0", "--cloud", cloud_url]
    return [*started, "--log", str(log), "--rate", "1000", *more]


def topic_and_queue(aws: Stack, name: str, *, raw: bool) -> tuple[str, Any, str]:
    """A topic of the test's own, and the queue that it feeds."""
    client = clients(aws.cloud_url)
    sns, sqs = client("sns"), client("sqs")
    topic = sns.create_topic(Name=name)["TopicArn"]
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn["QueueArn"],
        Attributes={"RawMessageDelivery": str(raw).lower()},
    )
    return topic, sqs, url


def taken(sqs: Any, url: str) -> list[str]:
    """Bodies of messages, deleted."""
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
    for message in answer.get("Messages", []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in answer.get("Messages", [])]


ALL = [
    *("SEND", "REJECT", "BOUNCE", "COMPLAINT", "DELIVERY", "OPEN", "CLICK", "RENDERING_FAILURE"),
    *("DELIVERY_DELAY", "SUBSCRIPTION"),
]


@pytest.fixture
async def running(aws: Stack, tmp_path: Path) -> AsyncIterator[Running]:
    topic, sqs, queue = topic_and_queue(aws, "simulator-raw", raw=True)
    log = tmp_path / "ses.jsonl"
    child = Child(
        "ses-test",
        argv(aws.cloud_url, log),
        environment=environment(),
        log=aws.folder / "ses-test.log",
    )
    await child.start()
    url = f"http://127.0.0.1:{child.port}"

    def receive() -> list[dict[str, Any]]:
        found = taken(sqs, queue)
        return [json.loads(one) if one.startswith("{") else {"text": one} for one in found]

    options: dict[str, Any] = {"endpoint_url": url, "region_name": "us-east-1"}
    options |= {"aws_access_key_id": "someone", "aws_secret_access_key": "test"}
    config = AioConfig(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=10)
    async with (
        AioSession().create_client("sesv2", config=config, **options) as ses,
        aiohttp.ClientSession() as http,
    ):
        await ses.create_email_identity(EmailIdentity="example.com")
        await ses.create_configuration_set(ConfigurationSetName="test")
        await ses.create_configuration_set_event_destination(
            ConfigurationSetName="test",
            EventDestinationName="all",
            EventDestination={
                "Enabled": True,
                "MatchingEventTypes": ALL,
                "SnsDestination": {"TopicArn": topic},
            },
        )
        yield Running(child, log, ses, http, receive)
    assert await child.stop(timeout_s=8) == 0
    sqs.delete_queue(QueueUrl=queue)
