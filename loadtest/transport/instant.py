"""A server of AWS JSON that answers at once and remembers nothing, for benches.

It runs in a process of its own, so that the CPU of the bench is the client's alone.
"""

import asyncio
import sys
import time
import zlib
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from typing import Any, NamedTuple

import uvloop


class Later(NamedTuple):
    """An answer that is made after some time, as that of a long poll is."""

    after_s: float
    answer: "Callable[[], Reply]"


Reply = bytes | Later

Answer = Callable[[bytes, bytes], Reply]
"""From an operation's name and a request's body to the whole response. What is not for AWS goes by
its method."""


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def response(body: bytes) -> bytes:
    """An HTTP response with the headers of an AWS service."""
    head = (
        f"HTTP/1.1 200 OK\r\nServer: Server\r\nDate: {_date(int(time.time()))}\r\n"
        "Content-Type: application/x-amz-json-1.0\r\nConnection: keep-alive\r\n"
        f"x-amzn-RequestId: {'A' * 52}\r\nx-amz-crc32: {zlib.crc32(body)}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Connection(asyncio.Protocol):
    """Whole requests in, answers out."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._buffer = bytearray()
        self._head = b""
        self._left = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._buffer += data
        while self._has_head() and len(self._buffer) >= self._left:
            body = bytes(self._buffer[: self._left])
            del self._buffer[: self._left]
            self._left = -1
            self._reply(self._answer(_operation(self._head), body))

    def _reply(self, reply: Reply) -> None:
        if isinstance(reply, bytes):
            self._transport.write(reply)
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(reply.after_s, lambda: self._reply(reply.answer()))

    def _has_head(self) -> bool:
        if self._left >= 0:
            return True
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        self._head = bytes(self._buffer[:end])
        del self._buffer[: end + 4]
        lower = self._head.lower()
        length = lower.partition(b"content-length:")[2].partition(b"\r\n")[0]
        self._left = int(length or 0)
        if b"100-continue" in lower:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True


def _operation(head: bytes) -> bytes:
    first = head.partition(b"\r\n")[0]
    if first.startswith(b"PUT "):
        return b"PutObject"
    if b"/outbound-emails" in first:
        return b"SendEmail"
    if b"/v2/email/account" in first:
        return b"GetAccount"
    at = head.lower().find(b"x-amz-target:")
    if at < 0:
        return first.partition(b" ")[0]
    return head[at:].partition(b"\r\n")[0].rpartition(b".")[2]


async def _serve(answer: Answer) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(answer), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)  # until who started it is gone


def serve(answer: Answer) -> None:
    """Serve on a free port, which goes to stdout, until stdin ends."""
    uvloop.run(_serve(answer))
