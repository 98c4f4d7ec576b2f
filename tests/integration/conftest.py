"""Parts of the product over the local cloud."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import pytest

from infra.local.stack import Stack
from mailpipe import records, resources
from mailpipe.aws.client import Aws, Client
from mailpipe.aws.queue import Received
from mailpipe.aws.queues import Queues, open_queues
from mailpipe.aws.table import Tables
from mailpipe.messages import Email, EmailMessage, encode, new_email_id
from mailpipe.records import Record
from mailpipe.timing import iso, now_ms
from tests.integration.both_sides import Both
from tests.integration.scripted_aws import Sides, environment

PREFIX = "mailpipe-"
HASH_KEY = b"k" * 32


@dataclass
class Parts:
    """Tables and queues of the local cloud."""

    tables: Tables
    queues: Queues

    async def record(self, email_id: str) -> Record | None:
        """An e-mail's record."""
        item = await self.tables.get(resources.EMAIL_TRACKING, {"emailId": email_id})
        return None if item is None else records.read(item)


@pytest.fixture(scope="module")
async def opened(cloud_environment: Stack) -> AsyncIterator[tuple[Client, Queues]]:
    """Clients for a whole file: to find region, credentials and endpoints takes 0.2 s."""
    async with Aws() as aws:
        dynamodb = await aws.client("dynamodb", connections=32, timeout_s=5)
        yield dynamodb, await open_queues(aws, PREFIX, poll_s=1)


@pytest.fixture
async def parts(opened: tuple[Client, Queues], aws: Stack) -> AsyncIterator[Parts]:
    dynamodb, queues = opened
    tables = Tables(dynamodb, PREFIX)
    yield Parts(tables, queues)
    await tables.close()


def message(**changes: object) -> EmailMessage:
    """A good message with an id of its own, its e-mail changed."""
    email = Email(to=["a@example.net"], from_="b@example.com", subject="Hi", body_text="Hello")
    return EmailMessage(
        email_id=new_email_id(),
        tenant="default",
        stream="transactional",
        queued_at=iso(now_ms()),
        email=msgspec.structs.replace(email, **changes),
    )


def received(one: msgspec.Struct | str, *, receives: int = 1) -> Received:
    """A message as the queue hands it out."""
    body = one if isinstance(one, str) else encode(one)
    return Received("m", "r", body, receives=receives, sent_at_ms=now_ms())


@pytest.fixture(scope="module")
async def ses_cloud(cloud: Stack) -> AsyncIterator[Stack]:
    """The local cloud with SES; this process's AWS environment points there."""
    if not cloud.ses_url:
        await cloud.start_ses()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in cloud.aws_environment().items():
            patched.setenv(name, value)
        yield cloud


@pytest.fixture(scope="module")
async def cloud_environment(cloud: Stack) -> AsyncIterator[Stack]:
    """This process's AWS environment points at the local cloud, for a whole file."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in cloud.aws_environment().items():
            patched.setenv(name, value)
        yield cloud


@pytest.fixture
async def sides(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sides]:
    made = Sides()
    server = await asyncio.start_server(made.accept, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    made.listener = server
    environment(monkeypatch, url)
    async with Aws("typed") as typed, Aws("botocore") as botocore_:
        made.opened("typed", typed)
        made.opened("botocore", botocore_)
        yield made
    server.close()


@pytest.fixture(scope="module")
async def both(ses_cloud: Stack) -> AsyncIterator[Both]:
    sides = dict[str, dict[str, Client]]()
    async with Aws("typed") as typed, Aws("botocore") as botocore:
        for side, opened in (("typed", typed), ("botocore", botocore)):
            sides[side] = {
                service: await opened.client(service, connections=4, timeout_s=5)
                for service in ("sqs", "dynamodb", "sesv2")
            }
        yield Both(sides)
