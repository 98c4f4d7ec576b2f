"""One POST to an endpoint that may do anything: slow, endless, redirecting, lying."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from mailpipe.http.connection import Broken, Closed, TooLarge, Unsent
from mailpipe.http.connections import Connections

MAX_ANSWER_BYTES = 16_384
"""So much of an answer is read before the connection is given up; only the status counts."""
KEEP_ALIVE_S = 15.0


class Answer(NamedTuple):
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
    """A URL, taken apart: `authority` and `path` as they go over the wire."""

    origin: Origin
    authority: str
    path: str


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
    return Target(origin, parts.netloc, path)


class Posts:
    """Posts to any number of endpoints, at most `connections` at a time to one host.

    No cookies, no redirects, no proxy from the environment, no decompression.
    """

    def __init__(self, *, connections: int, timeout_s: float) -> None:
        self._limit = connections
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._pools = dict[Origin, Connections]()
        self._tls: ssl.SSLContext | None = None
        self._look_again_s = 0.0

    async def post(self, url: str, *, body: bytes, headers: dict[str, str]) -> Answer:
        """Post and judge by the status alone; the time-out covers DNS to last byte."""
        try:
            target = target_of(url)
            answer = await self._pool(target.origin).request(
                _request(target, headers, body), max_bytes=MAX_ANSWER_BYTES
            )
        except TimeoutError:
            return Answer(None, "timeout")
        except Unsent:
            return Answer(None, "no connection")
        except Broken as broken:
            return _judged(broken)
        except ValueError:
            return Answer(None, "no url")
        return Answer(answer.status, f"http {answer.status}")

    async def aclose(self) -> None:
        """End all connections."""
        for pool in self._pools.values():
            await pool.aclose()

    def _pool(self, origin: Origin) -> Connections:
        now_s = self._loop.time()
        if now_s >= self._look_again_s:
            self._look_again_s = now_s + KEEP_ALIVE_S
            self._pools = {key: pool for key, pool in self._pools.items() if pool.drop_stale()}
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = self._opened(origin)
        return pool

    def _opened(self, origin: Origin) -> Connections:
        if origin.secure and self._tls is None:
            self._tls = ssl.create_default_context()
        return Connections(
            origin.host,
            origin.port,
            tls=self._tls if origin.secure else None,
            limit=self._limit,
            connect_timeout_s=self._timeout_s,
            timeout_s=self._timeout_s,
            keep_alive_s=KEEP_ALIVE_S,
        )


@asynccontextmanager
async def open_posts(*, connections: int, timeout_s: float) -> AsyncIterator[Posts]:
    """Closes its connections at the end."""
    posts = Posts(connections=connections, timeout_s=timeout_s)
    try:
        yield posts
    finally:
        await posts.aclose()


def _request(target: Target, headers: dict[str, str], body: bytes) -> bytes:
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    head = (
        f"POST {target.path} HTTP/1.1\r\nhost: {target.authority}\r\nuser-agent: mailpipe\r\n"
        f"content-type: application/json\r\n{lines}content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


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
