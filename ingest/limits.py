"""What a request must keep to before anything of it is parsed: how many requests at a time, how
large, how slow, and how much memory all bodies together may take.

A body is read whole (whoever answers 202 has seen all of it), so memory is bounded by a budget that
is taken before the bytes come, and given back when the request is answered.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

from aiohttp import hdrs, web
from aiohttp.web_protocol import RequestPayloadError

from ingest.errors import RETRY_AFTER_S, Code

ALWAYS_ANSWERED = "/health"
"""A load balancer that takes a busy process away makes the others busier."""
OFF_LOOP_BYTES = 64 * 1024
"""From here on a body is decoded in a thread (a megabyte takes 10 ms, or 100 if it is made to), if
the quick way, on the event loop, finds something wrong with it.
"""
QUICK_BYTES = 256 * 1024
"""From here on in a thread always. What is quick takes 2 ms below, or 40 if it is made to: one call
of msgspec, during which the event loop would not run beside a thread either.
"""
ALONE_BYTES = 256 * 1024
"""Bodies above this are decoded one at a time: in Python a text needs up to four times its size,
and it is there three times meanwhile.
"""
_JSON = "application/json"
FORM_BYTES = 64 * 1024
"""What a request that holds no e-mail may have."""

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HELD = web.RequestKey("held_bytes", int)


class Limits(NamedTuple):
    """Of one process. `max_bodies_bytes` is for all bodies together."""

    max_requests: int
    max_body_bytes: int
    max_bodies_bytes: int
    body_timeout_s: float


class Refused(Exception):
    """The request is not read (to its end); carries the answer. The connection is then closed."""

    def __init__(
        self, status: int, code: Code, message: str, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.retry_after_s = status, code, retry_after_s


class Intake:
    """Lets requests in, and reads their bodies."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.requests = 0
        self.held_bytes = 0

    @web.middleware
    async def bounded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A middleware: so many requests at a time, the rest is told to come again.

        Raises Refused.
        """
        if self.requests >= self._limits.max_requests and request.path != ALWAYS_ANSWERED:
            raise _busy("Too many requests are in hand; please try again.")
        self.requests += 1
        request[_HELD] = 0
        try:
            return await handler(request)
        finally:
            self.requests -= 1
            self.held_bytes -= request[_HELD]

    def at_hand(self, request: web.Request, max_bytes: int | None = None) -> bytes | None:
        """The body of a request for JSON, at most `max_bytes` if that is less than is allowed
        anyway; None: there is more to come (`coming`). Raises Refused.
        """
        _check_type(request)
        most, content = self._most(max_bytes), request.content
        if not content.is_eof():
            _check_size(request.content_length or 0, most)
            return None
        body = content.read_nowait()
        _check_size(len(body), most)
        self._hold(request, len(body))
        return body

    async def coming(self, request: web.Request, max_bytes: int | None = None) -> bytes:
        """The body that is not all there yet. Raises Refused."""
        most = self._most(max_bytes)
        self._hold(request, request.content_length or 0)
        try:
            async with asyncio.timeout(self._limits.body_timeout_s):
                return await self._read(request, most)
        except TimeoutError:
            limit_s = self._limits.body_timeout_s
            text = f"The body did not come within {limit_s:g} s."
            raise Refused(408, "REQUEST_TIMEOUT", text) from None
        except (RequestPayloadError, ConnectionError):
            raise Refused(400, "BAD_REQUEST", "The body breaks off.") from None

    def _most(self, max_bytes: int | None) -> int:
        most = self._limits.max_body_bytes
        return most if max_bytes is None else min(most, max_bytes)

    async def _read(self, request: web.Request, most: int) -> bytes:
        chunks, size = list[bytes](), 0
        while chunk := await request.content.readany():
            size += len(chunk)
            _check_size(size, most)
            self._hold(request, size)
            chunks.append(chunk)
        return b"".join(chunks)

    def _hold(self, request: web.Request, size: int) -> None:
        """Take `size` bytes in all for this request; it keeps what it has."""
        more = size - request[_HELD]
        if more <= 0:
            return
        if self.held_bytes + more > self._limits.max_bodies_bytes:
            raise _busy("Too many large requests are in hand; please try again.")
        self.held_bytes += more
        request[_HELD] = size


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise Refused(413, "PAYLOAD_TOO_LARGE", f"This request's body has at most {most} bytes.")


def _check_type(request: web.Request) -> None:
    headers = request.headers
    if headers.get(hdrs.CONTENT_TYPE) != _JSON and (
        request.content_type != _JSON or _charset(request) != "utf-8"
    ):
        text = "Send Content-Type: application/json (UTF-8)."
        raise Refused(415, "UNSUPPORTED_MEDIA_TYPE", text)
    if hdrs.CONTENT_ENCODING in headers:
        raise Refused(415, "UNSUPPORTED_MEDIA_TYPE", "Send the body without Content-Encoding.")


def _charset(request: web.Request) -> str:
    return (request.charset or "utf-8").lower()


def _busy(text: str) -> Refused:
    return Refused(503, "SERVICE_UNAVAILABLE", text, retry_after_s=RETRY_AFTER_S)
