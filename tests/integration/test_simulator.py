"""The simulator as a process, by clients that are not ours: events, faults, its log."""

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
from botocore.exceptions import ClientError, ConnectionClosedError

from infra.local.children import Child, ChildFailed, environment
from infra.local.cloud import clients, mirror, ses_client
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
    config = AioConfig(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=2)
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


async def test_a_new_destination_gets_a_message_that_is_no_json(running: Running) -> None:
    first = await asyncio.to_thread(running.receive)
    assert first == [{"text": "Successfully validated SNS topic for Amazon SES event publishing."}]


async def test_events_of_a_mail_reach_its_topic_with_its_tags(running: Running) -> None:
    tags = [{"Name": "email_id", "Value": "e1"}]
    message_id = await running.send("complaint+label@simulator.amazonses.com", EmailTags=tags)
    found = await running.events(message_id, 3)
    assert {one["eventType"] for one in found} == {"Send", "Delivery", "Complaint"}
    assert all(one["mail"]["tags"]["email_id"] == ["e1"] for one in found)


@pytest.mark.parametrize(
    "event_type",
    [
        *("Send", "Reject", "Bounce", "Complaint", "Delivery", "Open", "Click"),
        *("Rendering Failure", "DeliveryDelay", "Subscription"),
    ],
)
async def test_any_event_can_be_published_by_hand(running: Running, event_type: str) -> None:
    message_id = await running.send()
    await running.events(message_id, 2)
    await running.control(
        "POST",
        "events",
        {"messageId": message_id, "eventType": event_type, "recipients": ["a@b.c"]},
    )
    assert [one["eventType"] for one in await running.events(message_id, 1)] == [event_type]


async def test_the_older_form_comes_in_an_envelope_by_the_identity(
    running: Running, aws: Stack
) -> None:
    topic, sqs, queue = topic_and_queue(aws, "simulator-older", raw=False)
    await running.control("PUT", "identities/example.com/notifications", {"Bounce": topic})
    message_id = await running.send("bounce@simulator.amazonses.com")
    (body,) = await asyncio.to_thread(taken, sqs, queue)
    envelope = json.loads(body)
    assert (envelope["Type"], envelope["TopicArn"]) == ("Notification", topic)
    told = json.loads(envelope["Message"])
    assert (told["notificationType"], told["mail"]["messageId"]) == ("Bounce", message_id)


async def test_every_attempt_is_in_the_log_before_it_is_answered(running: Running) -> None:
    message_id = await running.send("Ana <ana@example.net>")
    with pytest.raises(ClientError):
        await running.send(FromEmailAddress="nobody")
    await running.control("PUT", "account", {"maxSendRate": 0})
    with pytest.raises(ClientError):
        await running.send()
    await running.control("PUT", "account", {"enforced": False})
    await running.send()
    async with running.http.post(
        f"{running.url}/v2/email/outbound-emails", data=b"{", headers={"X-Monotonic-Ns": "123"}
    ) as answer:
        assert answer.status == 400
    first, *others = running.attempts()
    assert (first["verdict"], first["messageId"]) == ("accepted", message_id)
    assert (first["recipients"], first["caller"]) == (["ana@example.net"], "someone")
    assert len(first["sha256"]) == 64
    assert [(one["verdict"], one["code"]) for one in others] == [
        ("refused", "BadRequestException"),
        ("throttled", "TooManyRequestsException"),
        ("accepted", None),
        ("refused", "BadRequestException"),
    ]
    assert (others[2]["over"], others[3]["stampNs"]) == ("throttled", 123)
    assert all(one["lag_ms"] >= 0 and one["t"] > 0 < one["t_ns"] for one in running.attempts())


# --- faults ---------------------------------------------------------------------------------------


async def fault(running: Running, kind: str, **more: Any) -> None:
    """Set one."""
    await running.control("PUT", "faults", {"faults": [{"kind": kind, **more}]})


async def test_accept_then_drop(running: Running) -> None:
    await fault(running, "drop_after_accept", count=1)
    with pytest.raises(ConnectionClosedError):
        await running.send("a@example.net")
    (attempt,) = running.attempts()
    assert attempt["verdict"] == "accepted"
    assert await running.events(attempt["messageId"], 2)
    assert await running.send()


async def test_accept_then_stall(running: Running) -> None:
    await fault(running, "stall_after_accept", seconds=30)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(running.send(), 0.3)
    (attempt,) = running.attempts()
    assert (attempt["verdict"], await running.events(attempt["messageId"], 2)) != ("refused", [])
    await running.control("DELETE", "faults")


async def test_an_error_without_accepting_and_a_share_of_throttles(running: Running) -> None:
    await fault(running, "error_before_accept", status=502, count=1)
    with pytest.raises(ClientError) as raised:
        await running.send()
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 502
    await fault(running, "throttle", share=0.5)
    codes = list[str]()
    for _ in range(60):
        try:
            codes.append(await running.send())
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert 15 <= codes.count("TooManyRequestsException") <= 45
    refused, *others = running.attempts()
    assert (refused["verdict"], refused["messageId"]) == ("refused", None)
    assert all("fault" in one for one in others if one["verdict"] == "throttled")


async def test_an_event_before_the_answer(running: Running) -> None:
    await fault(running, "event_before_answer", seconds=1)
    await asyncio.to_thread(running.receive)  # the message about the new destination
    sending = asyncio.create_task(running.send())
    (event,) = await asyncio.to_thread(running.receive)
    assert event["eventType"] == "Send"
    assert not sending.done()
    assert await sending == event["mail"]["messageId"]


async def test_events_doubled_and_withheld(running: Running) -> None:
    await fault(running, "duplicate", operation="Delivery", copies=2, seconds=0.1)
    message_id = await running.send("a@example.net")
    found = await running.events(message_id, 4)
    assert sorted(one["eventType"] for one in found) == ["Delivery"] * 3 + ["Send"]
    await fault(running, "withhold", operation="Delivery", match="late@")
    message_id = await running.send("late@example.net")
    assert [one["eventType"] for one in await running.events(message_id, 1)] == ["Send"]
    await asyncio.sleep(0.4)  # longer than a delivery takes
    told = [line for line in read_log(running.log) if line.get("messageId") == message_id]
    assert [line.get("eventType") for line in told if line["kind"] == "event"] == ["Send"]
    await running.control("DELETE", "faults")
    (delivery,) = await running.events(message_id, 1)
    assert delivery["eventType"] == "Delivery"


async def test_events_delayed_and_reordered(running: Running) -> None:
    faults = [
        {"kind": "delay", "operation": "Send", "seconds": 1.5, "match": "slow@"},
        {"kind": "reorder", "operation": "*", "seconds": 2, "match": "mixed"},
    ]
    await running.control("PUT", "faults", {"faults": faults})
    message_id = await running.send("slow@example.net")
    found = await running.events(message_id, 2)
    assert [one["eventType"] for one in found] == ["Delivery", "Send"]
    several = [await running.send(f"mixed{number}@example.net") for number in range(12)]
    orders = [[one["eventType"] for one in await running.published(sent, 2)] for sent in several]
    assert {tuple(order) for order in orders} == {("Send", "Delivery"), ("Delivery", "Send")}


# --- files, disk, mirror --------------------------------------------------------------------------


async def test_faults_and_profile_come_from_files_and_a_wrong_one_is_named(
    aws: Stack, tmp_path: Path
) -> None:
    faults, profile = tmp_path / "faults.json", tmp_path / "profile.json"
    faults.write_text('{"faults": [{"kind": "throttle", "share": 2}]}')
    profile.write_text('{"bounce": 0.1}')
    more = ["--faults", str(faults), "--profile", str(profile)]
    child = Child(
        "ses-files",
        argv(aws.cloud_url, tmp_path / "log.jsonl", *more),
        environment=environment(),
        log=tmp_path / "ses.log",
    )
    with pytest.raises(ChildFailed, match=r"\$\.faults\[0\]\.share"):
        await child.start()
    faults.write_text('{"faults": [{"kind": "throttle", "share": 0.5}]}')
    profile.write_text('{"bounces": 0.1}')
    with pytest.raises(ChildFailed, match="bounces"):
        await child.start()
    profile.write_text('{"bounce": 0.1}')
    await child.start()
    assert await child.stop(timeout_s=5) == 0


async def test_a_full_disk_ends_it_loudly_and_nothing_is_answered(aws: Stack) -> None:
    child = Child(
        "ses-full",
        argv(aws.cloud_url, Path("/dev/full")),
        environment=environment(),
        log=aws.folder / "ses-full.log",
    )
    await child.start()
    url = f"http://127.0.0.1:{child.port}/v2/email/outbound-emails"
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientError):
            await http.post(url, data=b"{}")
    assert await child.stop(timeout_s=5) == 74
    assert "/dev/full cannot be written" in child.log.read_text()


async def test_the_clouds_sets_and_identities_are_mirrored(aws: Stack, tmp_path: Path) -> None:
    cloud = clients(aws.cloud_url)("sesv2")
    cloud.create_configuration_set(ConfigurationSetName="bare")
    child = Child(
        "ses-mirror",
        argv(aws.cloud_url, tmp_path / "log.jsonl"),
        environment=environment(),
        log=aws.folder / "ses-mirror.log",
    )
    await child.start()
    url = f"http://127.0.0.1:{child.port}"
    await asyncio.to_thread(mirror, aws.cloud_url, url)
    ses = ses_client(url)
    assert set(ses.list_configuration_sets()["ConfigurationSets"]) >= {SET, "bare"}
    for name in (SET, "bare"):
        ours = ses.get_configuration_set_event_destinations(ConfigurationSetName=name)
        theirs = cloud.get_configuration_set_event_destinations(ConfigurationSetName=name)
        assert ours["EventDestinations"] == theirs.get("EventDestinations", [])
    names = [one["IdentityName"] for one in ses.list_email_identities()["EmailIdentities"]]
    assert names == ["example.com"]
    assert await child.stop(timeout_s=8) == 0
    cloud.delete_configuration_set(ConfigurationSetName="bare")
