"""HTTP/1.1 connections to one endpoint: one request at a time on each, as many as are allowed.

An aiohttp session costs more CPU for a request than everything else of a call together
(`docs/decisions/0005-typed-transport.md`). What our calls need is little: a request of known
length, an answer read into memory up to a limit, and above all an exact word on what may have
happened. llhttp (by httptools) reads the answers.

Who may still be sending when a connection breaks cannot know whether the request arrived, so there
are two failures: nothing has left this process (`Unsent`: no connection came about; `Missed`: the
caller's gate stayed shut) and everything else (`Broken`, TimeoutError).
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any

import httptools

from mailpipe.aws.operations import Gate
from mailpipe.aws.wire import Answer

HEADERS_MAX_BYTES = 65_536

_TICKS = 20
"""Time-outs are looked at so often within one, so they come up to 5 % late: a timer for every call
would cost a tenth of it."""


class Unsent(Exception):
    """There was no connection: nothing has left this process."""


class Missed(Exception):
    """The gate said no: nothing has left this process."""


class Broken(Exception):
    """The connection ended, or its bytes made no sense, before the answer was whole."""


class TooLarge(Broken):
    """The answer is larger than the caller takes."""


class Connection(asyncio.Protocol):
    """One connection. It is used again only if its last answer was whole and nothing followed."""

    def __init__(self, pool: "Connections") -> None:
        self._pool = pool
        self._transport: Any = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._headers = list[tuple[bytes, bytes]]()
        self._body = list[bytes]()
        self._left = 0
        self.idle_since = 0.0
        self.deadline = 0.0
        self.usable = False
        self.ended = False

    async def request(self, request: bytes, *, max_bytes: int) -> Answer:
        """Send and await the answer. Raises Broken, TimeoutError (see `Connections.request`)."""
        answer: asyncio.Future[Answer] = self._pool.loop.create_future()
        self._answer = answer
        self._left = max_bytes + HEADERS_MAX_BYTES
        self._transport.write(request)
        try:
            return await answer
        finally:
            self._answer = None
            if not self.usable:
                self.close()

    def close(self) -> None:
        """End it; whatever is under way on it is broken."""
        self.usable, self.ended = False, True
        if self._transport is not None:
            self._transport.abort()

    def fail(self, error: Exception) -> None:
        """End what is under way."""
        self.usable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

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
        elif self._left < 0:
            self.fail(TooLarge("the answer is larger than it may be"))
            self.close()
        else:
            try:
                self._parser.feed_data(data)
            except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
                self.fail(Broken(f"not HTTP: {error}"))
                self.close()

    def eof_received(self) -> None:
        """The other side closes: not one more request may go out here."""
        self.usable, self.ended = False, True
        self._pool.forget(self)

    def connection_lost(self, error: Exception | None) -> None:
        """The other side has closed it, or we have."""
        self.ended = True
        self.fail(Broken(f"connection lost: {error or 'closed by the other side'}"))
        self._pool.lost(self)

    # --- what httptools calls ---------------------------------------------------------------------
    def on_message_begin(self) -> None:
        """A second answer to one request is a breach: its bytes belong to no one."""
        if self._answer is None or self._answer.done():
            self.usable = False
        self._headers, self._body = [], []

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """The answer is whole (1xx are not answers)."""
        status = self._parser.get_status_code()
        if status < 200 or self._answer is None or self._answer.done():
            return
        # An answer before the whole request has left is an end, whatever it says.
        unsent = self._transport.get_write_buffer_size()
        self.usable = self._parser.should_keep_alive() and unsent == 0
        self._answer.set_result(Answer(status, self._headers, b"".join(self._body)))


class Connections:
    """At most `limit` connections to one endpoint; the one used last is used first."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None,
        limit: int,
        connect_timeout_s: float,
        timeout_s: float,
        keep_alive_s: float,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._host = host
        self._port = port
        self._tls = tls
        self._limit = limit
        self._connect_timeout_s = connect_timeout_s
        self._timeout_s = timeout_s
        self._keep_alive_s = keep_alive_s
        self._idle = list[Connection]()
        self._open = set[Connection]()
        self._connecting = 0
        self._busy = set[Connection]()
        self._ticking = False
        self._waiting = deque[asyncio.Future[None]]()

    async def request(
        self,
        request: bytes,
        *,
        max_bytes: int,
        gate: Gate | None = None,
        at_last: Callable[[bytes], bytes] | None = None,
    ) -> Answer:
        """One request, whole as it goes over the wire but for what `at_last` makes of it.

        Raises Unsent, Missed; Broken or TimeoutError when it may have arrived.
        """
        deadline = self.loop.time() + self._timeout_s
        connection = await self._in_hand()
        if gate is not None:
            connection = await self._passed(gate, connection)
            deadline = self.loop.time() + self._timeout_s
        connection.deadline = deadline
        self._busy.add(connection)
        if not self._ticking:
            self._tick()
        try:
            if at_last is not None:
                request = at_last(request)
            return await connection.request(request, max_bytes=max_bytes)
        finally:
            self._busy.discard(connection)
            if connection.usable:
                connection.idle_since = self.loop.time()
                self._give_back(connection)

    async def _in_hand(self) -> Connection:
        connection = None if self._waiting else self._take()
        return connection or await self._get()

    async def _passed(self, gate: Gate, connection: Connection) -> Connection:
        """The connection to write on, at once. One that was lost at the gate is replaced, which
        may take its time: the gate is asked again.
        """
        while True:
            passed = False
            try:
                passed = await gate()
            finally:
                if not passed and not connection.ended:
                    connection.usable = True
                    self._give_back(connection)
            if not passed:
                raise Missed
            if not connection.ended and self._is_fresh(connection):
                return connection
            connection.close()
            connection = await self._in_hand()

    def _tick(self) -> None:
        """Fail what takes too long; look again as long as anything is under way."""
        now = self.loop.time()
        for connection in self._busy:
            if connection.deadline <= now:
                connection.fail(TimeoutError(f"no answer within {self._timeout_s:g} s"))
        self._ticking = bool(self._busy)
        if self._ticking:
            self.loop.call_later(self._timeout_s / _TICKS, self._tick)

    async def aclose(self) -> None:
        """End all of them."""
        for connection in list(self._open):
            connection.close()
        # Let the transports close.
        await asyncio.sleep(0)

    def lost(self, connection: Connection) -> None:
        """A connection has ended: there is room for another."""
        self._open.discard(connection)
        self.forget(connection)
        self._wake()

    def forget(self, connection: Connection) -> None:
        """A connection must not be used again."""
        if connection in self._idle:
            self._idle.remove(connection)

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if self._is_fresh(connection):
                connection.usable = False
                return connection
            connection.close()
        return None

    def _is_fresh(self, connection: Connection) -> bool:
        return self.loop.time() - connection.idle_since < self._keep_alive_s

    def _give_back(self, connection: Connection) -> None:
        self._idle.append(connection)
        self._wake()

    async def _get(self) -> Connection:
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                newcomer = True
                while len(self._open) + self._connecting >= self._limit:
                    await self._turn(last=newcomer)
                    if taken := self._take():
                        return taken
                    newcomer = False
                return await self._connect()
        except TimeoutError:
            raise Unsent(f"no connection within {self._connect_timeout_s:g} s") from None
        except OSError as error:
            raise Unsent(f"{type(error).__name__}: {error}") from None

    async def _turn(self, *, last: bool) -> None:
        turn = self.loop.create_future()
        (self._waiting.append if last else self._waiting.appendleft)(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._wake()  # the turn was given to one who can no longer take it
            raise

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    async def _connect(self) -> Connection:
        self._connecting += 1
        try:
            _, connection = await self.loop.create_connection(
                lambda: Connection(self), self._host, self._port, ssl=self._tls
            )
        finally:
            self._connecting -= 1
            self._wake()
        if connection.ended:
            raise ConnectionResetError("closed as soon as it was open")
        connection.idle_since = self.loop.time()
        self._open.add(connection)
        return connection
