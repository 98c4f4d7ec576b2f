"""The proxy as a process in front of ministack: each fault seen at the client and in the store."""

import asyncio
import gzip
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from infra.local.children import Child, environment
from infra.local.cloud import clients
from infra.local.stack import Stack
from loadtest.checker import read_log
from mailpipe import resources
from tests.integration.conftest import PREFIX

TABLE = resources.physical(PREFIX, resources.LEDGER)


@dataclass
class Proxied:
    """The proxy, clients through it, and clients past it."""

    url: str
    log: Path
    direct: Any

    def client(self, service: str) -> Any:
        """Through the proxy, without retries."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="someone",
            aws_secret_access_key="test",
            config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
        )

    def control(self, method: str, name: str, body: Any = None) -> Any:
        """The control interface's answer."""
        data = None if body is None else json.dumps(body).encode()
        path = f"{self.url}/_control/{name}"
        request = urllib.request.Request(path, data, method=method)  # noqa: S310 - loopback
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
            return json.load(answer)

    def fault(self, kind: str, **more: Any) -> None:
        """Only this one."""
        self.control("PUT", "faults", {"faults": [{"kind": kind, **more}]})

    def put(self, name: str) -> None:
        """Write an item through the proxy."""
        self.client("dynamodb").put_item(
            TableName=TABLE, Item={"kind": {"S": "proxy"}, "id": {"S": name}}
        )

    def has(self, name: str) -> bool:
        """Whether the store has it, asked past the proxy."""
        key = {"kind": {"S": "proxy"}, "id": {"S": name}}
        return "Item" in self.direct("dynamodb").get_item(TableName=TABLE, Key=key)


@pytest.fixture
async def proxied(aws: Stack, tmp_path: Path) -> AsyncIterator[Proxied]:
    log = tmp_path / "stores.jsonl"
    child = Child("stores", argv(aws, log), environment=environment(), log=tmp_path / "stores.log")
    await child.start()
    yield Proxied(f"http://127.0.0.1:{child.port}", log, clients(aws.cloud_url))
    assert await child.stop(timeout_s=5) == 0


def argv(aws: Stack, log: Path) -> list[str]:
    started = [sys.executable, "-m", "infra.local.stores", "--port", "0", "--log", str(log)]
    return [*started, "--upstream", aws.cloud_url]


def code(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    """HTTP status and code as boto3 reads them."""
    said = error.value.response
    return said["ResponseMetadata"]["HTTPStatusCode"], said["Error"]["Code"]


def queue(proxied: Proxied, name: str) -> tuple[Any, str]:
    """A client through the proxy and a queue of the test's own."""
    sqs = proxied.client("sqs")
    return sqs, sqs.create_queue(QueueName=name)["QueueUrl"]


def test_untouched_traffic_passes_and_is_counted_by_caller(proxied: Proxied) -> None:
    proxied.put("plain")
    sqs, url = queue(proxied, "proxy-plain")
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    got = sqs.receive_message(QueueUrl=url)["Messages"]
    assert [one["Body"] for one in got] == ["hello"]
    assert proxied.has("plain")
    s3, bucket = proxied.client("s3"), f"{PREFIX}bodies-000000000000-us-east-1"
    s3.put_object(Bucket=bucket, Key="bodies/ä b", Body=b"\x00" * 100_000)
    assert s3.get_object(Bucket=bucket, Key="bodies/ä b")["Body"].read() == b"\x00" * 100_000
    packed = gzip.compress(b"packed")
    s3.put_object(Bucket=bucket, Key="bodies/gz", Body=packed, ContentEncoding="gzip")
    assert s3.get_object(Bucket=bucket, Key="bodies/gz")["Body"].read() == packed
    assert s3.head_object(Bucket=bucket, Key="bodies/ä b")["ContentLength"] == 100_000
    assert proxied.client("sns").list_topics()["Topics"]
    used = {tuple(one.values())[:3] for one in proxied.control("GET", "calls")["calls"]}
    assert {
        ("someone", "dynamodb:PutItem", TABLE),
        ("someone", "sqs:SendMessage", "proxy-plain"),
        ("someone", "s3:PutObject", bucket),
    } <= used


@pytest.mark.parametrize(
    ("service", "ask", "failed", "throttled"),
    [
        (
            *("dynamodb", lambda one: one.list_tables()),
            *((500, "InternalServerError"), (400, "ThrottlingException")),
        ),
        (
            *("sqs", lambda one: one.list_queues()),
            *((500, "InternalFailure"), (400, "RequestThrottled")),
        ),
        (
            *("sns", lambda one: one.list_topics()),
            *((500, "InternalFailure"), (400, "Throttled")),
        ),
        (
            *("s3", lambda one: one.get_object(Bucket="b", Key="k")),
            *((500, "InternalError"), (503, "SlowDown")),
        ),
        (
            *("secretsmanager", lambda one: one.get_secret_value(SecretId="s")),
            *((500, "InternalFailure"), (400, "ThrottlingException")),
        ),
    ],
)
def test_errors_and_throttles_have_each_services_form(
    proxied: Proxied, service: str, ask: Any, failed: Any, throttled: Any
) -> None:
    proxied.fault("error")
    with pytest.raises(ClientError) as raised:
        ask(proxied.client(service))
    assert code(raised) == failed
    proxied.fault("throttle")
    with pytest.raises(ClientError) as raised:
        ask(proxied.client(service))
    assert code(raised) == throttled


def test_an_error_and_a_drop_apply_nothing(proxied: Proxied) -> None:
    proxied.fault("error", operation="dynamodb.PutItem", status=503)
    with pytest.raises(ClientError) as raised:
        proxied.put("error")
    assert code(raised)[0] == 503
    proxied.fault("drop", operation="dynamodb.*")
    with pytest.raises(ConnectionClosedError):
        proxied.put("drop")
    assert not proxied.has("error")
    assert not proxied.has("drop")
    told = [line for line in read_log(proxied.log) if line["kind"] == "fault"]
    assert [(one["id"], one["operation"], one["about"]) for one in told] == [
        ("error-1", "dynamodb.PutItem", f"someone {TABLE}"),
        ("drop-2", "dynamodb.PutItem", f"someone {TABLE}"),
    ]


def test_applied_and_yet_an_error_or_no_answer(proxied: Proxied) -> None:
    proxied.fault("applied_error", match="Ledger")
    with pytest.raises(ClientError) as raised:
        proxied.put("applied-error")
    assert code(raised) == (500, "InternalServerError")
    proxied.fault("applied_drop")
    with pytest.raises(ConnectionClosedError):
        proxied.put("applied-drop")
    assert proxied.has("applied-error")
    assert proxied.has("applied-drop")


def test_one_message_of_a_batch_fails(proxied: Proxied) -> None:
    sqs, url = queue(proxied, "proxy-batch")
    entries = [{"Id": str(number), "MessageBody": str(number)} for number in range(10)]
    proxied.fault("entry_failed")
    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    (failed,) = answer["Failed"]
    assert (failed["Code"], failed["SenderFault"]) == ("InternalError", False)
    assert len(answer["Successful"]) == 9
    assert proxied.client("dynamodb").list_tables()  # has no entry that could fail
    assert proxied.control("GET", "faults")["faults"][0]["hits"] == 1
    alone = sqs.send_message_batch(QueueUrl=url, Entries=entries[:1])
    assert [one["Id"] for one in alone["Failed"]] == ["0"]
    found = set[str]()
    while len(found) < 9:
        got = proxied.direct("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        found |= {one["Body"] for one in got["Messages"]}
    assert found == {one["Id"] for one in answer["Successful"]}


def test_one_statement_of_a_batch_fails(proxied: Proxied) -> None:
    statements = [
        {
            "Statement": f"INSERT INTO \"{TABLE}\" VALUE {{'kind': 'proxy', 'id': ?}}",
            "Parameters": [{"S": f"statement-{number}"}],
        }
        for number in range(5)
    ]
    proxied.fault("entry_failed")
    answer = proxied.client("dynamodb").batch_execute_statement(Statements=statements)
    wrong = [number for number, one in enumerate(answer["Responses"]) if "Error" in one]
    assert len(wrong) == 1
    assert answer["Responses"][wrong[0]]["Error"]["Code"] == "ThrottlingError"
    stored = [number for number in range(5) if proxied.has(f"statement-{number}")]
    assert stored == [number for number in range(5) if number not in wrong]


async def test_latency_and_pause_hold_a_call_and_then_apply_it(proxied: Proxied) -> None:
    proxied.fault("latency", seconds=0.3, operation="dynamodb.PutItem")
    begun = time.monotonic()
    await asyncio.to_thread(proxied.put, "late")
    assert time.monotonic() - begun >= 0.3
    proxied.fault("pause", operation="dynamodb.PutItem")
    putting = asyncio.create_task(asyncio.to_thread(proxied.put, "paused"))
    while not (await asyncio.to_thread(proxied.control, "GET", "faults"))["faults"][0]["hits"]:
        assert not putting.done()
    assert not proxied.has("paused")
    assert not putting.done()
    proxied.control("DELETE", "faults/pause-2")
    await putting
    assert proxied.has("paused")


def test_a_wrong_fault_is_refused_by_name_and_the_old_ones_stay(proxied: Proxied) -> None:
    proxied.fault("drop", operation="nothing")
    with pytest.raises(urllib.error.HTTPError) as refused:
        proxied.fault("explode")
    assert refused.value.code == 400
    assert "explode" in json.load(refused.value)["message"]
    assert [one["kind"] for one in proxied.control("GET", "faults")["faults"]] == ["drop"]


async def test_a_cloud_that_is_gone_is_an_error_of_the_service(tmp_path: Path) -> None:
    started = [sys.executable, "-m", "infra.local.stores", "--port", "0"]
    more = ["--upstream", "http://127.0.0.1:9", "--log", str(tmp_path / "log.jsonl")]
    said = tmp_path / "stores.log"
    child = Child("stores", [*started, *more], environment=environment(), log=said)
    await child.start()
    proxied = Proxied(f"http://127.0.0.1:{child.port}", said, None)
    for _ in range(2):
        with pytest.raises(ClientError) as raised:
            await asyncio.to_thread(proxied.put, "x")
        assert code(raised) == (503, "InternalServerError")
    assert await child.stop(timeout_s=5) == 0
    assert said.read_text().count("does not answer") == 1


async def test_a_full_disk_ends_it_loudly(aws: Stack, tmp_path: Path) -> None:
    said = tmp_path / "stores.log"
    child = Child("stores", argv(aws, Path("/dev/full")), environment=environment(), log=said)
    await child.start()
    proxied = Proxied(f"http://127.0.0.1:{child.port}", said, None)
    proxied.fault("error")
    with pytest.raises(ConnectionClosedError):
        await asyncio.to_thread(proxied.put, "x")
    assert await child.stop(timeout_s=5) == 74
    assert "/dev/full cannot be written" in said.read_text()
