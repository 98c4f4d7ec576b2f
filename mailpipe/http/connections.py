"""HTTP/1.1 connections to one endpoint: one request at a time on each, as many as are allowed.

An aiohttp session costs more CPU for a request than everything else of a call together
(`docs/decisions/0005-typed-transport.md`). What calls to AWS and webhooks need is little: a request
of known length, an answer read into memory up to a limit, and above all an exact word on what may
have happened (see `connection.py`).
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable

from mailpipe.http.answer import Answer
from mailpipe.http.connection import Connection, Missed, Unsent

Gate = Callable[[], Awaitable[bool]]
"""Waits for the moment at which a request may be made; False: it is not to be made at all."""

Dial = Callable[[], Awaitable[socket.socket]]
"""Makes a socket that is connected. Raises OSError."""

_TICKS = 20
"""Time-outs are looked at so often within one, so they come up to 5 % late: a timer for every call
would cost a tenth of it."""


class Connections:
    """At most `limit` connections to one endpoint; the one used last is used first. `dial` makes
    them where the name of the host is not just looked up and its addresses tried in turn.
    """

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
        dial: Dial | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._time = self.loop.time
        self._host = host
        self._port = port
        self._tls = tls
        self._limit = limit
        self._connect_timeout_s = connect_timeout_s
        self._timeout_s = timeout_s
        self._keep_alive_s = keep_alive_s
        self._dial = dial
        self._idle = list[Connection]()
        self._open = set[Connection]()
        self._connecting = 0
        self._ticking = False
        self._waiting = deque[asyncio.Future[None]]()

    async def request(
        self,
        request: bytes,
        *,
        max_bytes: int,
        more_s: float = 0.0,
        gate: Gate | None = None,
        at_last: Callable[[bytes], bytes] | None = None,
    ) -> Answer:
        """One request, whole as it goes over the wire but for what `at_last` makes of it. It may
        take `more_s` longer than others.

        Raises Unsent, Missed; Broken or TimeoutError when it may have arrived.
        """
        begun_s = self._time()
        connection = self._free(begun_s) or await self._get()
        if gate is not None:
            connection = await self._passed(gate, connection)
            begun_s = self._time()
        if not self._ticking:
            self._tick()
        try:
            if at_last is not None:
                request = at_last(request)
            deadline = begun_s + self._timeout_s + more_s
            return await connection.begin(request, max_bytes=max_bytes, deadline=deadline)
        finally:
            if connection.finish():
                connection.stale_at = self._time() + self._keep_alive_s
                self._give_back(connection)

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
            now = self._time()
            if not connection.ended and now < connection.stale_at:
                return connection
            connection.close()
            connection = self._free(now) or await self._get()

    def _tick(self) -> None:
        """Fail what takes too long; look again as long as anything is under way."""
        now = self._time()
        for connection in self._open:
            if connection.deadline <= now:
                connection.fail(TimeoutError("no answer in time"))
        self._ticking = len(self._idle) < len(self._open)
        if self._ticking:
            self.loop.call_later(self._timeout_s / _TICKS, self._tick)

    async def aclose(self) -> None:
        """End all of them."""
        for connection in list(self._open):
            connection.close()
        # Let the transports close.
        await asyncio.sleep(0)

    def __len__(self) -> int:
        """Connections that are open or coming about."""
        return len(self._open) + self._connecting

    @property
    def idle(self) -> bool:
        """Whether the next request finds a connection."""
        return bool(self._idle)

    def close_idle(self, *, stale_only: bool = False) -> int:
        """Close those that nothing is under way on; how many they were."""
        now = self._time()
        closed = [one for one in self._idle if not stale_only or one.stale_at <= now]
        for connection in closed:
            self.forget(connection)
            self._open.discard(connection)
            connection.close()
        return len(closed)

    def lost(self, connection: Connection) -> None:
        """A connection has ended: there is room for another."""
        self._open.discard(connection)
        self.forget(connection)
        self._wake()

    def forget(self, connection: Connection) -> None:
        """A connection must not be used again."""
        if connection in self._idle:
            self._idle.remove(connection)

    def _free(self, now: float) -> Connection | None:
        """One that is idle, unless others wait for it."""
        return None if self._waiting else self._take(now)

    def _take(self, now: float) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if now < connection.stale_at:
                connection.usable = False
                return connection
            connection.close()
        return None

    def _give_back(self, connection: Connection) -> None:
        self._idle.append(connection)
        if self._waiting:
            self._wake()

    async def _get(self) -> Connection:
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                newcomer = True
                while len(self) >= self._limit:
                    await self._turn(last=newcomer)
                    if taken := self._take(self._time()):
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
            connection = await self._new()
        finally:
            self._connecting -= 1
            self._wake()
        if connection.ended:
            raise ConnectionResetError("closed as soon as it was open")
        connection.stale_at = self._time() + self._keep_alive_s
        self._open.add(connection)
        return connection

    async def _new(self) -> Connection:
        def made() -> Connection:
            return Connection(self)

        if self._dial is None:
            _, connection = await self.loop.create_connection(
                made, self._host, self._port, ssl=self._tls
            )
            return connection
        sock = await self._dial()
        try:
            _, connection = await self.loop.create_connection(
                made, sock=sock, ssl=self._tls, server_hostname=self._host if self._tls else None
            )
        except BaseException:
            sock.close()
            raise
        return connection
