"""One POST to an endpoint that may do anything: slow, endless, redirecting, lying."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from typing import NamedTuple
from urllib.parse import urlsplit

from aiohappyeyeballs import start_connection
from msgspec import Struct

from mailpipe.http.connection import Broken, Closed, TooLarge, Unsent
from mailpipe.http.connections import Connections
from notifier.names import Names

MAX_ANSWER_BYTES = 16_384
"""So much of an answer is read before the connection is given up; only the status counts."""
KEEP_ALIVE_S = 15.0
HAPPY_EYEBALLS_S = 0.25
"""RFC 8305, section 5: after so long the next address is tried, too."""


class Answer(Struct, frozen=True):
    """`status` is None when there was no answer; `reason` then says why, from a fixed set."""

    status: int | None
    reason: str

    @property
    def ok(self) -> bool:
        """Only 2xx is a success; a redirect is a failure and is not followed."""
        return self.status is not None and 200 <= self.status < 300


class Origin(NamedTuple):
    """What connections lead to."""

    secure: bool
    host: str
    port: int


class Target(NamedTuple):
    """A URL, taken apart: `head` is what each request to it begins with."""

    origin: Origin
    head: str


@lru_cache(maxsize=4096)  # an endpoint gets many webhooks
def target_of(url: str) -> Target:
    """Raises ValueError for what is no http(s) URL, or could break out of a request's first line.

    Which URLs endpoints may have is said by `mailpipe.targets`; items can be made by hand, too.
    """
    parts = urlsplit(url)
    plain = url.isascii() and url.isprintable() and " " not in url and "@" not in parts.netloc
    if not plain or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("no URL to post to")
    secure = parts.scheme == "https"
    origin = Origin(secure, parts.hostname, parts.port or (443 if secure else 80))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {parts.netloc}\r\nuser-agent: mailpipe\r\n"
        "content-type: application/json\r\n"
    )
    return Target(origin, head)


class _Pool:
    """The connections to an origin, and how many use them now."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.users = 0


class Posts:
    """Posts to any number of endpoints, at most `connections` at a time to one origin. All together
    have at most so many sockets more than are in use: then those close that were idle for longest.

    No cookies, no redirects, no proxy from the environment, no decompression.
    """

    def __init__(self, *, connections: int, timeout_s: float) -> None:
        self._most = connections
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._names = Names()
        self._pools = dict[Origin, _Pool]()
        self._tls: ssl.SSLContext | None = None
        self._tidying: asyncio.TimerHandle | None = None

    async def post(self, url: str, *, body: bytes, headers: dict[str, str]) -> Answer:
        """Post and judge by the status alone; the time-out covers DNS to last byte."""
        try:
            target = target_of(url)
            request = _request(target, headers, body)
        except ValueError:
            return Answer(None, "bad request")
        pool = self._pool(target.origin)
        pool.users += 1
        try:
            answer = await pool.connections.request(request, max_bytes=MAX_ANSWER_BYTES)
        except TimeoutError:
            return Answer(None, "timeout")
        except Unsent:
            return Answer(None, "no connection")
        except Broken as broken:
            return _judged(broken)
        finally:
            pool.users -= 1
        return Answer(answer.status, f"http {answer.status}")

    async def aclose(self) -> None:
        """End all connections."""
        if self._tidying is not None:
            self._tidying.cancel()
        self._names.close()
        for pool in self._pools.values():
            await pool.connections.aclose()

    def _pool(self, origin: Origin) -> _Pool:
        """The origin's, which is now the one that was used last."""
        pool = self._pools.pop(origin, None) or _Pool(self._opened(origin))
        self._pools[origin] = pool
        if not pool.connections.idle:
            self._make_room()
        if self._tidying is None:
            self._tidying = self._loop.call_later(KEEP_ALIVE_S, self._tidy)
        return pool

    def _make_room(self) -> None:
        """For one more socket."""
        pools = [one.connections for one in self._pools.values()]
        excess = sum(map(len, pools)) - 2 * self._most + 1
        for one in pools:
            if excess <= 0:
                break
            excess -= one.close_idle()

    def _tidy(self) -> None:
        """Close what nobody uses any more, and forget who has none."""
        self._tidying = None
        for origin, pool in list(self._pools.items()):
            pool.connections.close_idle(stale_only=True)
            if not pool.users and not len(pool.connections):
                del self._pools[origin]
        if self._pools:
            self._tidying = self._loop.call_later(KEEP_ALIVE_S, self._tidy)

    def _opened(self, origin: Origin) -> Connections:
        if origin.secure and self._tls is None:
            self._tls = ssl.create_default_context()
        return Connections(
            origin.host,
            origin.port,
            tls=self._tls if origin.secure else None,
            limit=self._most,
            connect_timeout_s=self._timeout_s,
            timeout_s=self._timeout_s,
            keep_alive_s=KEEP_ALIVE_S,
            dial=partial(self._dialled, origin),
        )

    async def _dialled(self, origin: Origin) -> socket.socket:
        """Addresses that do not answer (IPv6 often) hold up the others for an instant only."""
        found = await self._names.addresses(origin.host, origin.port)
        return await start_connection(found, happy_eyeballs_delay=HAPPY_EYEBALLS_S, loop=self._loop)


@asynccontextmanager
async def open_posts(*, connections: int, timeout_s: float) -> AsyncIterator[Posts]:
    """Closes its connections at the end."""
    posts = Posts(connections=connections, timeout_s=timeout_s)
    try:
        yield posts
    finally:
        await posts.aclose()


def _request(target: Target, headers: dict[str, str], body: bytes) -> bytes:
    """Raises ValueError for a header that would break out of its line."""
    values = "".join(headers.values())
    if not (values.isascii() and values.isprintable()):
        raise ValueError("no header")
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return f"{target.head}{lines}content-length: {len(body)}\r\n\r\n".encode() + body


def _judged(broken: Broken) -> Answer:
    """More of a body than is read, and one that only the end of its connection ends (RFC 9112,
    section 6.3), are answers all the same.
    """
    seen = broken.seen
    if seen is None:
        return Answer(None, "connection lost")
    endless = seen.header(b"content-length") is None and seen.header(b"transfer-encoding") is None
    if isinstance(broken, TooLarge) or (isinstance(broken, Closed) and endless):
        return Answer(seen.status, f"http {seen.status}")
    return Answer(None, "connection lost")
