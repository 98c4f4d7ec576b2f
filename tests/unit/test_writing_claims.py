"""A claim that its sender is cut off from is given back after it is written, not before."""

import asyncio
from typing import Any, cast

import pytest

from mailpipe.aws import dynamodb_operations as aws
from mailpipe.aws.client import Client
from mailpipe.aws.table import Tables
from mailpipe.consumer import SETTLE_S
from mailpipe.messages import Email, EmailMessage
from mailpipe.tenants import Retention
from mailpipe.timing import iso
from sender.store import HEARD_S, LET_GO_S, SenderStore
from tests.unit.claim_parts import Nobody

NOW = 1_795_514_400_000


class Slow:
    """DynamoDB, which answers nothing until it is let."""

    def __init__(self) -> None:
        self.came, self.written = list[str](), list[str]()
        self.answers, self.asked = asyncio.Event(), asyncio.Event()

    async def call(self, _: Any, request: aws.BatchExecuteStatement, **__: Any) -> Any:
        verbs = [one.statement.partition(" ")[0] for one in request.statements]
        self.came += verbs
        self.asked.set()
        await self.answers.wait()
        self.written += verbs
        return aws.BatchStatementAnswer(responses=[aws.StatementAnswer() for _ in verbs])


async def test_it_is_given_back_after_it_is_written() -> None:
    slow = Slow()
    store = SenderStore(
        *(Tables(cast(Client, slow), "t-"), "t-"),
        address_hash_key=b"k" * 32,
        lease_s=25,
        grace_s=150,
        retention=cast(Retention, Nobody()),
        wall_ms=lambda: NOW,
    )
    email = Email(to=["a@b.example"], from_="b@b.example", subject="s", body_text="t")
    mail = EmailMessage(
        email_id="e", tenant="default", stream="bulk", queued_at=iso(NOW), email=email
    )
    work = asyncio.create_task(store.claim(mail))
    await slow.asked.wait()
    work.cancel()
    for _ in range(20):
        await asyncio.sleep(0)
    assert slow.came == ["INSERT"]
    slow.answers.set()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert slow.written == ["INSERT", "UPDATE"]


def test_the_end_of_a_drain_waits_for_that_and_for_the_message_to_be_handed_back() -> None:
    assert HEARD_S + LET_GO_S < SETTLE_S
