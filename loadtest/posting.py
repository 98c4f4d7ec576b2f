"""Posts over a fixed number of connections, as fast as answers come or at a rate, with next to no
CPU of its own: what is measured is the server.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any

import httptools


class Connection(asyncio.Protocol):
    """One keep-alive connection; one request at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._transport: Any = None
        self._answer: asyncio.Future[int] | None = None
        self._drained = asyncio.Event()
        self._drained.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = transport
        self._transport.set_write_buffer_limits(high=0)

    def pause_writing(self) -> None:
        """Something has not left this process."""
        self._drained.clear()

    def resume_writing(self) -> None:
        """All has left this process."""
        self._drained.set()

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer."""
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        """The server has closed."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(str(error or "closed")))

    def on_message_complete(self) -> None:
        """An answer is whole."""
        assert self._answer is not None  # noqa: S101 - nobody answers unasked
        if not self._answer.done():
            self._answer.set_result(self._parser.get_status_code())

    async def post(self, request: bytes) -> int:
        """The status of the answer. Raises ConnectionError."""
        self.write(request)
        return await self.answer()

    def write(self, request: bytes) -> None:
        """The request, or a part of it."""
        self._transport.write(request)

    async def drained(self) -> None:
        """When all that was written has left this process."""
        await self._drained.wait()

    async def answer(self) -> int:
        """The status of the answer to what was written whole. Raises ConnectionError."""
        self._answer = asyncio.get_running_loop().create_future()
        return await self._answer

    def close(self) -> None:
        """End it."""
        self._transport.close()


async def connect(port: int) -> Connection:
    """A connection to a server on this machine."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
    return connection


def request(path: str, body: bytes, **headers: str) -> bytes:
    """The bytes of a POST of JSON."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n{lines}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def post_all(
    port: int, requests: Sequence[bytes], *, connections: int, rate: float | None = None
) -> list[float]:
    """Post everything; the seconds of each request, counted from when it was due at this rate.

    Raises AssertionError at the first answer that is not 202.
    """
    due, begun = iter(enumerate(requests)), time.perf_counter()
    took = [0.0] * len(requests)
    await asyncio.gather(
        *(_post_some(port, due, took, begun=begun, rate=rate) for _ in range(connections))
    )
    return took


async def _post_some(
    port: int,
    due: Iterator[tuple[int, bytes]],
    took: list[float],
    *,
    begun: float,
    rate: float | None,
) -> None:
    connection = await connect(port)
    try:
        for index, one in due:
            at = begun + index / rate if rate else time.perf_counter()
            if (wait_s := at - time.perf_counter()) > 0:
                await asyncio.sleep(wait_s)
            status = await connection.post(one)
            took[index] = time.perf_counter() - at
            if status != 202:
                raise AssertionError(f"answered {status}")
    finally:
        connection.close()
