"""One HTTP/1.1 connection, one request at a time on it. llhttp (by httptools) reads the answers.

Who may still be sending when a connection breaks cannot know whether the request arrived, so there
are two failures: nothing has left this process (`Unsent`: no connection came about; `Missed`: the
caller's gate stayed shut) and everything else (`Broken`, TimeoutError).
"""

import asyncio
import math
import socket
from typing import Any, Protocol

import httptools

from mailpipe.http.answer import Answer

HEADERS_MAX_BYTES = 65_536


class Unsent(Exception):
    """There was no connection: nothing has left this process."""


class Missed(Exception):
    """The gate said no: nothing has left this process."""


class Broken(Exception):
    """The connection ended, or its bytes made no sense, before the answer was whole. `seen` is what
    had come of it, if its headers were whole.
    """

    seen: Answer | None = None


class Closed(Broken):
    """The other side has closed the connection."""


class TooLarge(Broken):
    """The answer is larger than the caller takes."""


class Pool(Protocol):
    """What a connection tells of itself."""

    loop: asyncio.AbstractEventLoop

    def forget(self, connection: "Connection") -> None:
        """It must not be used again."""
        ...

    def lost(self, connection: "Connection") -> None:
        """It has ended."""
        ...


class Connection(asyncio.Protocol):
    """One connection. It is used again only if its last answer was whole and nothing followed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._transport: Any = None
        self._answer: asyncio.Future[Answer] | None = None
        self._headers = dict[bytes, bytes]()
        # Called for each header: a method of ours would cost as much as the rest of an answer.
        self.on_header = self._headers.__setitem__
        self._parser = httptools.HttpResponseParser(self)
        self._body = list[bytes]()
        self._in_body = False
        self._left = 0
        self.stale_at = 0.0
        self.deadline = math.inf
        self.usable = False
        self.ended = False

    def begin(self, request: bytes, *, max_bytes: int, deadline: float) -> asyncio.Future[Answer]:
        """Send. The answer, or Broken or TimeoutError, is to be awaited, and `finish` called then
        in any case.
        """
        self._left = max_bytes + HEADERS_MAX_BYTES
        self.deadline = deadline
        self._answer = answer = self._pool.loop.create_future()
        self._transport.write(request)
        return answer

    def finish(self) -> bool:
        """What was begun is over; whether the connection may be used again, else it is closed."""
        self._answer, self.deadline = None, math.inf
        if not self.usable:
            self.close()
        return self.usable

    def close(self) -> None:
        """End it; whatever is under way on it is broken."""
        self.usable, self.ended = False, True
        if self._transport is not None:
            self._transport.abort()

    def fail(self, error: Exception) -> None:
        """End what is under way."""
        self.usable = False
        if self._answer is not None and not self._answer.done():
            if self._in_body and isinstance(error, Broken):
                error.seen = self._seen(self._parser.get_status_code())
            self._answer.set_exception(error)

    def _seen(self, status: int) -> Answer:
        return Answer(status, self._headers.copy(), b"".join(self._body))

    # --- what asyncio calls -----------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected, with TLS if there is any."""
        self._transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer. What nobody asked for makes the connection useless."""
        self._left -= len(data)
        if self._answer is None or self._answer.done():
            self.close()
            return
        try:
            self._parser.feed_data(data if self._left >= 0 else data[: self._left])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.fail(Broken(f"not HTTP: {error}"))
            self.close()
        if self._left < 0:
            self.fail(TooLarge("the answer is larger than it may be"))
            self.close()

    def eof_received(self) -> None:
        """The other side closes: not one more request may go out here."""
        self.usable, self.ended = False, True
        self._pool.forget(self)

    def connection_lost(self, error: Exception | None) -> None:
        """The other side has closed it, or we have."""
        self.ended = True
        self.fail(Broken(f"connection lost: {error}") if error else Closed("closed"))
        self._pool.lost(self)

    # --- what httptools calls ---------------------------------------------------------------------
    def on_message_begin(self) -> None:
        """A second answer to one request is a breach: its bytes belong to no one."""
        if self._answer is None or self._answer.done():
            self.usable = False
        self._headers.clear()
        self._body, self._in_body = [], False

    def on_headers_complete(self) -> None:
        """What comes now is the body."""
        self._in_body = True

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """The answer is whole (1xx are not answers)."""
        self._in_body = False
        status = self._parser.get_status_code()
        if self._answer is None or self._answer.done() or status < 200:
            return
        # An answer before the whole request has left is an end, whatever it says.
        unsent = self._transport.get_write_buffer_size()
        self.usable = self._parser.should_keep_alive() and unsent == 0
        self._answer.set_result(self._seen(status))
