"""What a request must keep to before it is parsed, byte for byte over real sockets."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import web

from ingest.limits import Handler, Intake, Limits, Refused
from mailpipe.admin import serve

LIMITS = Limits(max_requests=2, max_body_bytes=100_000, max_bodies_bytes=150_000, body_timeout_s=10)
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
JSON = b"Content-Type: application/json\r\n"


@web.middleware
async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """As the API does it."""
    try:
        return await handler(request)
    except Refused as refused:
        response = web.Response(status=refused.status, text=refused.code)
        response.force_close()
        return response


@dataclass
class Door:
    """A server that answers with the length of the body, once `go` is set."""

    port: int
    intake: Intake
    go: asyncio.Event
    came: asyncio.Semaphore

    async def say(self, *parts: bytes) -> str:
        """The answer to these bytes, `closed` when there is none."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
            return await answer(reader)
        except ConnectionError:
            return "closed"
        finally:
            writer.close()


async def until(check: Callable[[], bool]) -> None:
    """Let the server work until this is so."""
    async with asyncio.timeout(10):
        while True:
            if check():
                return
            await asyncio.sleep(0)


async def answer(reader: asyncio.StreamReader) -> str:
    """Status and text."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(line for line in head.split("\r\n") if line.startswith("Content-Length"))
    text = await reader.readexactly(int(length.partition(":")[2]))
    return f"{head.split(' ')[1]} {text.decode()}"


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with opened(LIMITS) as door:
        yield door


@asynccontextmanager
async def opened(limits: Limits) -> AsyncIterator[Door]:
    intake, go, came = Intake(limits), asyncio.Event(), asyncio.Semaphore(0)
    go.set()

    async def take(request: web.Request) -> web.Response:
        body = intake.at_hand(request)
        if body is None:
            body = await intake.coming(request)
        came.release()
        await go.wait()
        return web.Response(text=str(len(body)))

    async def health(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application(middlewares=[answered, intake.bounded])
    app.add_routes([web.post("/", take), web.get("/health", health)])
    async with serve(app, "127.0.0.1", 0) as port:
        yield Door(port, intake, go, came)
    assert (intake.requests, intake.held_bytes) == (0, 0)


def post(body: bytes, headers: bytes = JSON) -> bytes:
    """A whole request."""
    return POST + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def test_a_body_within_the_limits_is_read_whole(door: Door) -> None:
    assert await door.say(post(b"x" * 1400)) == "200 1400"
    assert await door.say(post(b"x" * 100_000)) == "200 100000"
    chunked = POST + JSON + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    assert await door.say(chunked, b"0\r\n\r\n") == "200 5"
    utf8 = b"Content-Type: application/json; charset=UTF-8\r\n"
    assert await door.say(post(b"{}", utf8)) == "200 2"


async def test_a_declared_length_above_the_limit_is_refused_before_it_comes(door: Door) -> None:
    huge = POST + JSON + b"Content-Length: 10000000000\r\n\r\n"
    assert await door.say(huge) == "413 PAYLOAD_TOO_LARGE"


async def test_a_stream_without_end_is_cut_at_the_limit(door: Door) -> None:
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    begin = POST + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
    assert await door.say(begin, *[chunk] * 4) == "413 PAYLOAD_TOO_LARGE"


async def test_a_body_that_does_not_come_is_cut_at_the_deadline() -> None:
    slow = POST + JSON + b"Content-Length: 1000\r\n\r\nabc"
    async with opened(LIMITS._replace(body_timeout_s=0.2)) as door:
        assert await door.say(slow) == "408 REQUEST_TIMEOUT"


@pytest.mark.parametrize(
    "headers",
    [
        *(b"", b"Content-Type: text/plain\r\n", b"Content-Type: multipart/form-data\r\n"),
        b"Content-Type: application/json; charset=utf-16\r\n",
        *(JSON + b"Content-Encoding: %s\r\n" % one for one in (b"gzip", b"deflate", b"x")),
    ],
)
async def test_only_plain_json_is_read(door: Door, headers: bytes) -> None:
    assert await door.say(post(b"{}", headers)) == "415 UNSUPPORTED_MEDIA_TYPE"


async def test_a_compressed_body_is_refused_and_never_unpacked(door: Door) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    unpacked = POST + JSON + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    assert await door.say(unpacked + bomb) == "415 UNSUPPORTED_MEDIA_TYPE"
    assert door.intake.held_bytes == 0


async def test_more_requests_than_allowed_are_told_to_come_again(door: Door) -> None:
    door.go.clear()
    first = [asyncio.create_task(door.say(post(b"x"))) for _ in range(2)]
    for _ in first:
        await door.came.acquire()
    assert await door.say(post(b"x")) == "503 SERVICE_UNAVAILABLE"
    assert await door.say(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n") == "200 ok"
    door.go.set()
    assert await asyncio.gather(*first) == ["200 1", "200 1"]
    assert await door.say(post(b"x")) == "200 1"


async def test_bodies_together_keep_to_their_budget_from_their_declaration_on(door: Door) -> None:
    door.go.clear()
    first = asyncio.create_task(door.say(post(b"x" * 90_000)))
    await door.came.acquire()
    # Nothing of it has come: what it declares is more than is left.
    assert await door.say(POST + JSON + b"Content-Length: 70000\r\n\r\n") == (
        "503 SERVICE_UNAVAILABLE"
    )
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    begin = POST + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
    assert await door.say(begin, chunk, chunk) == "503 SERVICE_UNAVAILABLE"
    assert door.intake.held_bytes == 90_000
    door.go.set()
    assert await first == "200 90000"


async def test_who_goes_away_gives_everything_back(door: Door) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(POST + JSON + b"Content-Length: 50000\r\n\r\nabc")
    await writer.drain()
    await until(lambda: door.intake.held_bytes == 50_000)
    writer.close()
    await until(lambda: door.intake.held_bytes == 0)
    assert await door.say(post(b"x")) == "200 1"


AMBIGUOUS = {
    "CL and TE": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1",
    "TE and CL": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two CL": b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "two equal CL": b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a list of CL": b"Content-Length: 5, 6\r\n\r\nhello!",
    "a signed CL": b"Content-Length: +5\r\n\r\nhello",
    "a negative CL": b"Content-Length: -5\r\n\r\nhello",
    "an unknown TE": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "TE twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a bad chunk": b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    "folding": b"X-API-Key: mp_secret\r\n folded\r\nContent-Length: 2\r\n\r\n{}",
    "space before the colon": b"Content-Length : 2\r\n\r\n{}",
    "NUL in a header": b"X-API-Key: mp_secret\0\r\nContent-Length: 2\r\n\r\n{}",
    "bare CR": b"X-API-Key: mp_secret\rX: y\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_http_that_two_servers_may_read_differently_is_refused(
    door: Door, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And nothing of it is quoted in the log."""
    with caplog.at_level(logging.DEBUG):
        said = await door.say(POST + JSON + AMBIGUOUS[name])
    assert said.startswith(("400", "closed")), said
    assert "mp_secret" not in caplog.text
