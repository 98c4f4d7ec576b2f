"""What SQS says of each entry, and bodies that were damaged on their way."""

import asyncio
from hashlib import md5
from typing import Any

import pytest

from mailpipe.aws import sqs_operations as sqs
from mailpipe.aws.queue import Outgoing, SqsQueue
from mailpipe.outcomes import CallFailed, Kind

SOUND = md5(b"body", usedforsecurity=False).hexdigest()


class Answering:
    """Answers every call with what a test wants."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.requests = list[Any]()

    async def call(self, _: Any, request: Any, **__: Any) -> Any:
        self.requests.append(request)
        return self.answer


class Silent(Answering):
    """Answers when it is told to."""

    def __init__(self, answer: Any) -> None:
        super().__init__(answer)
        self.speaks = asyncio.Event()

    async def call(self, operation: Any, request: Any, **more: Any) -> Any:
        await self.speaks.wait()
        return await super().call(operation, request, **more)


def queue(answer: Any) -> SqsQueue:
    client = Answering(answer)
    return SqsQueue("q", "http://q", polls=client, calls=client)


async def test_attributes_that_are_no_text_are_passed_over() -> None:
    """Anybody may write onto a queue by hand (SQS API reference, "MessageAttributeValue")."""
    attributes = {
        "reason": {"DataType": "String", "StringValue": "why"},
        "picture": {"DataType": "Binary", "BinaryValue": "eA=="},
    }
    message = sqs.SqsMessage(
        message_id="m", receipt_handle="r", body="body", message_attributes=attributes
    )
    (received,) = await queue(sqs.ReceiveAnswer(messages=[message])).receive(1, wait_s=0)
    assert received.attributes == {"reason": "why"}


@pytest.mark.parametrize("checksum", [SOUND, None])
async def test_what_sqs_has_stored_as_it_was_sent_is_durable(checksum: str | None) -> None:
    stored = sqs.SendAnswer(successful=[sqs.Sent(id="0", md5_of_message_body=checksum)])
    assert await queue(stored).send([Outgoing("body")]) == [None]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (sqs.SendAnswer(successful=[sqs.Sent(id="0", md5_of_message_body="00")]), "MD5Mismatch"),
        (sqs.SendAnswer(), "NoFate"),
    ],
)
async def test_anything_else_is_in_doubt(answer: sqs.SendAnswer, code: str) -> None:
    (fault,) = await queue(answer).send([Outgoing("body")])
    assert isinstance(fault, CallFailed)
    assert (fault.kind, fault.code) == (Kind.IN_DOUBT, code)


async def test_who_waits_until_a_certain_time_waits_no_longer() -> None:
    client = Silent(sqs.SendAnswer(successful=[sqs.Sent(id="0", md5_of_message_body=SOUND)]))
    silent = SqsQueue("q", "http://q", polls=client, calls=client)
    due_s = asyncio.get_running_loop().time() + 0.02
    async with asyncio.timeout(4):
        (fault,) = await silent.send_until([Outgoing("body")], due_s)
    assert isinstance(fault, CallFailed)
    assert (fault.kind, fault.code) == (Kind.IN_DOUBT, "AnswerTimeout")
    client.speaks.set()
    await silent.close()
    assert len(client.requests) == 1


async def test_a_damaged_message_is_left_to_come_again() -> None:
    messages = [
        sqs.SqsMessage(message_id=checksum, receipt_handle="r", body="body", md5_of_body=checksum)
        for checksum in (SOUND, "00")
    ]
    received = await queue(sqs.ReceiveAnswer(messages=messages)).receive(10, wait_s=0)
    assert [one.message_id for one in received] == [SOUND]


@pytest.mark.parametrize("asked", [True, False])
async def test_who_has_sent_a_message_is_asked_for_only_where_it_counts(asked: bool) -> None:
    message = sqs.SqsMessage(
        message_id="m", receipt_handle="r", attributes={"SenderId": "AROAX:i-1"} if asked else {}
    )
    client = Answering(sqs.ReceiveAnswer(messages=[message]))
    opened = SqsQueue("q", "http://q", polls=client, calls=client, sender_ids=asked)
    (received,) = await opened.receive(1, wait_s=0)
    assert received.sender_id == ("AROAX:i-1" if asked else None)
    assert ("SenderId" in client.requests[0].message_system_attribute_names) is asked
