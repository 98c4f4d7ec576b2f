"""What the local cloud's SQS answers where only the front of a queue is looked at."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra.local.cloud import clients
from infra.local.stack import Stack
from mailpipe.messages import new_email_id

WAITING = 40


@pytest.fixture
def sqs(aws: Stack) -> Any:
    return clients(aws.cloud_url)("sqs")


@pytest.fixture
def made(sqs: Any) -> Iterator[Callable[..., str]]:
    """Makes a queue with these attributes; its URL."""
    urls = list[str]()

    def make(**attributes: str) -> str:
        name = f"deep-{new_email_id()[-12:]}"
        urls.append(sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
        return urls[-1]

    yield make
    for url in urls:
        sqs.delete_queue(QueueUrl=url)


def fill(sqs: Any, url: str, *, delay_s: int = 0) -> None:
    for start in range(0, WAITING, 10):
        bodies = range(start, start + 10)
        entries = [{"Id": f"i{n}", "MessageBody": str(n), "DelaySeconds": delay_s} for n in bodies]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)


def received(sqs: Any, url: str, **more: int) -> list[dict[str, str]]:
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **more)
    found: list[dict[str, str]] = answer.get("Messages", [])
    return found


def bodies_of(messages: list[dict[str, str]]) -> list[int]:
    return [int(one["Body"]) for one in messages]


def drained(sqs: Any, url: str) -> list[int]:
    """The bodies of all that is visible, which is in nobody's way after it."""
    bodies = list[int]()
    while messages := received(sqs, url):
        bodies += bodies_of(messages)
    return bodies


def test_each_is_received_once_in_its_order(sqs: Any, made: Callable[..., str]) -> None:
    url = made()
    fill(sqs, url)
    assert drained(sqs, url) == list(range(WAITING))


def test_what_is_delayed_stands_in_nobodys_way(sqs: Any, made: Callable[..., str]) -> None:
    url = made()
    fill(sqs, url, delay_s=900)
    sqs.send_message(QueueUrl=url, MessageBody="100")
    assert drained(sqs, url) == [100]


def test_only_those_named_are_deleted(sqs: Any, made: Callable[..., str]) -> None:
    url = made()
    fill(sqs, url)
    first, second = received(sqs, url), received(sqs, url)
    named = [*second[:3], first[7], first[7]]
    entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(named)]
    answer = sqs.delete_message_batch(
        QueueUrl=url, Entries=[*entries, {"Id": "x", "ReceiptHandle": "of nothing"}]
    )
    assert [one["Id"] for one in answer["Successful"]] == ["0", "1", "2", "3"]
    assert [one["Id"] for one in answer["Failed"]] == ["4", "x"]
    kept = [one for one in (*first, *second) if one not in named]
    for one in kept:
        again = {"ReceiptHandle": one["ReceiptHandle"], "VisibilityTimeout": 0}
        sqs.change_message_visibility(QueueUrl=url, **again)
    gone = bodies_of(named)
    assert drained(sqs, url) == [n for n in range(WAITING) if n not in gone]


def test_what_was_received_too_often_is_moved_and_the_others_are_not(
    sqs: Any, made: Callable[..., str]
) -> None:
    dead = made()
    answer = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    redrive = {"deadLetterTargetArn": answer["Attributes"]["QueueArn"], "maxReceiveCount": "2"}
    url = made(RedrivePolicy=json.dumps(redrive))
    fill(sqs, url)
    for _ in range(2):
        taken = [one for _ in range(3) for one in received(sqs, url)]
        assert bodies_of(taken) == list(range(30))
        for one in taken:
            again = {"ReceiptHandle": one["ReceiptHandle"], "VisibilityTimeout": 0}
            sqs.change_message_visibility(QueueUrl=url, **again)
    assert drained(sqs, url) == list(range(30, WAITING))
    assert drained(sqs, dead) == list(range(30))


def test_a_batch_that_is_refused_leaves_all_as_it_was(sqs: Any, made: Callable[..., str]) -> None:
    url = made()
    fill(sqs, url)
    twice = [{"Id": "same", "ReceiptHandle": one["ReceiptHandle"]} for one in received(sqs, url)]
    with pytest.raises(sqs.exceptions.ClientError):
        sqs.delete_message_batch(QueueUrl=url, Entries=twice)
    assert drained(sqs, url) == list(range(10, WAITING))
    for one in twice:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
