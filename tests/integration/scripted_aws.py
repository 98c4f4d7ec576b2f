"""A server that answers whatever a test wants, with both sides of `call` as its clients."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mailpipe.aws import dynamodb_operations as ddb
from mailpipe.aws import ses_operations as ses
from mailpipe.aws.client import Aws, Client, Side
from mailpipe.outcomes import CallFailed

TIMEOUT_S = 1.5
"""Of a call; a third of it to connect, which a busy machine may take some tenths for."""
SIDES: tuple[Side, ...] = ("typed", "botocore")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

GET = ddb.GetItem(table_name="t", key={"id": {"S": "x"}})
SEND = ses.SendEmail(
    from_email_address="a@example.com",
    destination=ses.Destination(to_addresses=["b@example.com"]),
    content=ses.EmailContent(
        simple=ses.Simple(
            subject=ses.Content(data="s"), body=ses.Body(text=ses.Content(data="SECRET TEXT"))
        )
    ),
    configuration_set_name="c",
    email_tags=[],
)


class Sides:
    """A server that serves as it is told, and both sides as its clients."""

    def __init__(self) -> None:
        self.serve: Serve = hang
        self.connections = 0
        self.listener: asyncio.Server | None = None
        self._open = set[asyncio.StreamWriter]()
        self._aws = dict[Side, Aws]()
        self._clients = dict[tuple[Side, str], Client]()

    def opened(self, side: Side, aws: Aws) -> None:
        """A side of its own."""
        self._aws[side] = aws

    async def client(self, side: Side, service: str = "dynamodb") -> Client:
        """A side's client, with one connection."""
        if (side, service) not in self._clients:
            opened = await self._aws[side].client(service, connections=1, timeout_s=TIMEOUT_S)
            self._clients[side, service] = opened
        return self._clients[side, service]

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        self._open.add(writer)
        try:
            await self.serve(reader, writer)
        finally:
            self._open.discard(writer)
            writer.close()

    async def hang_up(self, *, for_good: bool = False) -> None:
        """Close every connection, and let the clients see it; `for_good`: take no other."""
        if for_good and self.listener is not None:
            self.listener.close()
        for writer in self._open:
            writer.close()
        await asyncio.sleep(0.05)

    async def fails(
        self, side: Side, operation: Any = ddb.GET_ITEM, request: Any = GET
    ) -> CallFailed:
        """How the call fails."""
        client = await self.client(side, operation.service)
        with pytest.raises(CallFailed) as failed:
            await client.call(operation, request)
        return failed.value


def environment(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIDSECRET",
        "AWS_SECRET_ACCESS_KEY": "s3cr3t",
        "AWS_SESSION_TOKEN": "t0k3n",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": url,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL_SESV2", raising=False)


async def request_of(reader: asyncio.StreamReader) -> tuple[dict[str, str], bytes]:
    """Headers and body of the next request. Raises IncompleteReadError at the end."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head)}
    return headers, await reader.readexactly(int(headers.get("content-length", "0")))


def answer(body: bytes, *, status: int = 200, length: int | None = None, **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status} X\r\nContent-Length: {size}\r\n{lines}\r\n".encode() + body


def always(response: bytes, *, then_close: bool = False) -> Serve:
    """Answer every request the same."""
    return each(lambda: response, then_close=then_close)


def each(response: Callable[[], bytes], *, then_close: bool = False) -> Serve:
    """Answer every request with what there is for it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await request_of(reader)
                writer.write(response())
                await writer.drain()
                if then_close:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    return serve


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Read and never answer."""
    await reader.read()
