"""Asks each door about an input and reads its verdict in one form: REST by HTTP or by bytes, the
SDK, and the queue by plain boto3.
"""

import asyncio
import json
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple, Self

import aiohttp
import botocore.exceptions
import msgspec
from yarl import URL

from infra.local.cloud import LOCAL_KEY, clients
from infra.local.stack import Stack
from mailpipe import Attachment, Email, Producer, resources

ANSWER_S = 20.0
_SNAKE = re.compile(r"(?<=[a-z])(?=[A-Z])")


class Answer(NamedTuple):
    """What a door said. `verdict` is `accepted`, or why not; `others` are ids besides `email_id`:
    of a batch, of requests before.
    """

    verdict: str
    email_id: str | None = None
    status: int | None = None
    others: tuple[str, ...] = ()


class Asker:
    """The doors of a running stack. The SDK finds its queues by this process's environment."""

    def __init__(self, stack: Stack) -> None:
        self._url = stack.ingest_url
        self._session = aiohttp.ClientSession()
        self._producer = Producer()
        self._sqs: Any = clients(stack.cloud_url)("sqs")
        name = resources.physical(stack.plan.prefix, resources.MAIL_TRANSACTIONAL)
        self._queue_url = self._sqs.get_queue_url(QueueName=name)["QueueUrl"]

    async def __aenter__(self) -> Self:
        await self._producer.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.__aexit__(None, None, None)
        await self._session.close()

    async def request(
        self, method: str, path: str, headers: dict[str, str | None], body: bytes | None
    ) -> Answer:
        """One request, as any HTTP client sends it; a header of None is left out."""
        usual = {"X-API-Key": LOCAL_KEY, "Content-Type": "application/json"}
        sent = {name: text for name, text in {**usual, **headers}.items() if text is not None}
        url = URL(self._url + path, encoded=True)
        async with self._session.request(method, url, headers=sent, data=body) as answer:
            return _read(answer.status, await answer.read())

    async def status(self, email_id: str, key: str) -> dict[str, Any]:
        """What the API says of a mail to the owner of this key."""
        url = f"{self._url}/status/{email_id}"
        async with self._session.get(url, headers={"X-API-Key": key}) as answer:
            return dict(await answer.json())

    async def bytes(self, parts: Iterable[bytes]) -> Answer:
        """These bytes over a socket, until there is an answer."""
        host, port = self._url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        answer = asyncio.create_task(_answer(reader))
        with suppress(ConnectionError):
            for part in parts:
                if answer.done():
                    break
                writer.write(part)
                await writer.drain()
        try:
            return await asyncio.wait_for(answer, ANSWER_S)
        except TimeoutError:
            return Answer(f"no answer within {ANSWER_S:.0f} s")
        except (ConnectionError, asyncio.IncompleteReadError):
            return Answer("closed")
        finally:
            writer.close()

    async def sdk(self, mail: dict[str, Any], email_id: str | None = None) -> Answer:
        """The public SDK, as a Python producer calls it."""
        fields = _snake(mail)
        fields["from_"] = fields.pop("from")
        if "attachments" in fields:
            fields["attachments"] = [Attachment(**_snake(one)) for one in fields["attachments"]]
        try:
            if "attachments" in fields:
                given = msgspec.convert(fields["attachments"], list[Attachment])
                fields["attachments"] = given
            return Answer("accepted", await self._producer.send(Email(**fields), email_id=email_id))
        except ValueError as error:
            violation = getattr(error, "violation", None)
            if violation is None:
                return Answer(f"{type(error).__name__}: {error}")
            return Answer(f"{violation.field} {violation.constraint}")
        except Exception as error:  # any other is what the proof is to find
            return Answer(f"{type(error).__name__}: {error}")

    async def put(self, body: str, *, group: str | None, case: str) -> Answer:
        """A message onto the queue, by another SDK. `case` comes back with a dead letter."""
        attributes = {"case": {"DataType": "String", "StringValue": case}}
        more = {} if group is None else {"MessageGroupId": group}
        try:
            await asyncio.to_thread(
                self._sqs.send_message,
                QueueUrl=self._queue_url,
                MessageBody=body,
                MessageAttributes=attributes,
                **more,
            )
        except botocore.exceptions.ClientError:
            return Answer("refused by SQS")
        return Answer("accepted")


def _snake(fields: dict[str, Any]) -> dict[str, Any]:
    return {_SNAKE.sub("_", name).lower(): value for name, value in fields.items()}


async def _answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = re.search(r"content-length: *(\d+)", head)
    body = await reader.readexactly(int(length[1])) if length else b""
    return _read(int(head.split(" ")[1]), body)


def _read(status: int, body: bytes) -> Answer:
    try:
        said = json.loads(body)
    except ValueError:
        return Answer(str(status), status=status)
    if "results" in said:
        ids = tuple(one["emailId"] for one in said["results"] if one["success"])
        text = f"accepted {said['accepted']}, refused {said['refused']}"
        return Answer(text, status=status, others=ids)
    if status == 202:
        return Answer("accepted", said["emailId"], status)
    if said.get("error") == "VALIDATION_ERROR":
        details = said["details"]
        return Answer(f"{details['field']} {details['constraint']}", status=status)
    return Answer(f"{status} {said.get('error', '')}".strip(), status=status)
