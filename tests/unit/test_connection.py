"""A connection's answers, byte for byte."""

import asyncio
from typing import Any

from mailpipe.http.answer import Answer
from mailpipe.http.connection import Connection


class Wire:
    """A transport that takes everything at once, and the pool of its connection."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        pool: Any = self
        self.connection = Connection(pool)
        self.connection.connection_made(pool)

    def get_extra_info(self, name: str) -> None:
        """There is no socket."""

    def get_write_buffer_size(self) -> int:
        """All has left."""
        return 0

    def write(self, request: bytes) -> None:
        """Sent."""

    async def asks(self, *answer: bytes) -> Answer:
        """What is understood of an answer that comes in these pieces."""
        wanted = self.connection.begin(b"GET", max_bytes=1000, deadline=0.0)
        for piece in answer:
            self.connection.data_received(piece)
        try:
            return await wanted
        finally:
            assert self.connection.finish()


async def test_an_answer_has_its_own_headers_alone() -> None:
    wire = Wire()
    first = await wire.asks(
        b"HTTP/1.1 200 OK\r\nDate: a\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"
    )
    second = await wire.asks(b"HTTP/1.1 503 No\r\nDATE: b\r\nContent-Length: 2\r\n\r\n", b"o", b"k")
    assert (first.status, first.header(b"date"), first.header(b"retry-after")) == (200, "a", "5")
    assert (second.status, second.header(b"date"), second.header(b"retry-after")) == (
        503,
        "b",
        None,
    )
    assert (first.body, second.body) == (b"", b"ok")


async def test_what_comes_before_the_answer_is_none_of_it() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    answer = await Wire().asks(early, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert (answer.status, answer.header(b"link")) == (200, None)
