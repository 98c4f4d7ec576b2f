"""Posts to endpoints that do anything: only a 2xx in time is a success, and nothing breaks us."""

import asyncio
import gzip
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from notifier.names import Names
from notifier.post import Posts, open_posts

TIMEOUT_S = 1.0
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def request_of(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """The head and the body of the next request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
    return head, await reader.readexactly(length)


@asynccontextmanager
async def endpoint(serve: Serve) -> AsyncIterator[str]:
    """The URL of an endpoint that does this with each of its connections."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?of=us"
    finally:
        server.close()


@pytest.fixture
async def posts() -> AsyncIterator[Posts]:
    """With a short time-out."""
    async with open_posts(connections=4, timeout_s=TIMEOUT_S) as opened:
        yield opened


def saying(answer: bytes, *, close: bool = True) -> Serve:
    """One answer to each request; `close` ends the connection behind it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request_of(reader)
            writer.write(answer)
            await writer.drain()
            if close:
                return

    return serve


BOMB = gzip.compress(b"0" * 10_000_000)
SUCCESSES = {
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "empty": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "299": b"HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok",
    "no UTF-8": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe",
    "ended by its connection": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>thanks</html>",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nthanks",
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "after 100": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "longer than is read": b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 200_000,
    "compressed": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
    % (len(BOMB), BOMB),
}

FAILURES = {
    "a redirect": (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "http 302"),
    "410": (b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", "http 410"),
    "500": (b"HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nno!", "http 500"),
    "no HTTP": (b"220 mail.example.com ESMTP\r\n", "connection lost"),
    "HTTP/0.9": (b"<html>thanks</html>", "connection lost"),
    "nothing": (b"", "connection lost"),
    "cut in its headers": (b"HTTP/1.1 200 OK\r\nContent-Le", "connection lost"),
    "cut in its body": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal", "connection lost"),
    "cut in a chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhal",
        "connection lost",
    ),
    "only 100": (b"HTTP/1.1 100 Continue\r\n\r\n", "connection lost"),
    "large headers": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40_000 + b"\r\n", "connection lost"),
}


@pytest.mark.parametrize("name", SUCCESSES)
async def test_a_2xx_is_a_success_whatever_its_body(posts: Posts, name: str) -> None:
    async with endpoint(saying(SUCCESSES[name])) as url:
        answer = await posts.post(url, body=b"{}", headers={})
    assert answer.ok, answer


@pytest.mark.parametrize("name", FAILURES)
async def test_everything_else_is_a_failure_with_its_reason(posts: Posts, name: str) -> None:
    said, reason = FAILURES[name]
    async with endpoint(saying(said)) as url:
        answer = await posts.post(url, body=b"{}", headers={})
    assert not answer.ok
    assert answer.reason == reason


async def test_what_never_ends_is_cut_at_the_time_out(posts: Posts) -> None:
    async def byte_by_byte(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        while True:
            writer.write(b"x")
            await asyncio.sleep(TIMEOUT_S / 10)

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    for serve in (byte_by_byte, silent):
        async with endpoint(serve) as url:
            answer = await posts.post(url, body=b"{}", headers={})
        assert (answer.ok, answer.reason) == (False, "timeout")


async def test_an_endless_body_is_read_no_further_than_its_status_needs(posts: Posts) -> None:
    written = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n%b\r\n" % (b"x" * 4096))
            await writer.drain()
            written += 4096

    async with endpoint(endless) as url:
        assert (await posts.post(url, body=b"{}", headers={})).ok
    assert written < 20_000_000  # what lies in buffers of the system


async def test_a_connection_is_used_again_and_replaced_when_it_is_gone(posts: Posts) -> None:
    connections, close = 0, False

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await saying(SUCCESSES["empty"], close=close)(reader, writer)

    async with endpoint(serve) as url:
        for _ in range(3):
            assert (await posts.post(url, body=b"{}", headers={})).ok
        assert connections == 1
        close = True
        await posts.aclose()
        for expected in (2, 3):
            assert (await posts.post(url, body=b"{}", headers={})).ok
            assert connections == expected
            await asyncio.sleep(0.01)  # so that we have seen the end of the connection


async def test_who_does_not_listen_is_no_connection(posts: Posts) -> None:
    async with endpoint(saying(b"")) as url:
        pass
    answer = await posts.post(url, body=b"{}", headers={})
    assert (answer.ok, answer.reason) == (False, "no connection")


async def test_the_request_is_what_was_asked_for(posts: Posts) -> None:
    seen = list[tuple[str, bytes]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_of(reader))
        writer.write(SUCCESSES["empty"])

    async with endpoint(serve) as url:
        await posts.post(url, body=b'{"a":1}', headers={"webhook-id": "msg_1"})
    ((head, body),) = seen
    assert body == b'{"a":1}'
    assert head.startswith("POST /hook?of=us HTTP/1.1\r\n")
    assert f"\r\nhost: {url.split('/')[2]}\r\n" in head
    assert "\r\nwebhook-id: msg_1\r\n" in head
    assert "\r\ncontent-type: application/json\r\n" in head


@pytest.mark.parametrize(
    "url", ["", "ftp://a.example/", "http://", "http://a.example/\r\nX: y", "http://u:p@a.example/"]
)
async def test_what_is_no_url_is_a_failure(posts: Posts, url: str) -> None:
    answer = await posts.post(url, body=b"{}", headers={})
    assert (answer.ok, answer.reason) == (False, "bad request")


async def test_a_header_stays_within_its_line(posts: Posts) -> None:
    headers = {"webhook-id": "msg_1\r\nX-Other: y"}
    answer = await posts.post("http://127.0.0.1:1/", body=b"{}", headers=headers)
    assert answer.reason == "bad request"


async def test_many_endpoints_have_few_sockets() -> None:
    """Idle ones make room, those of who was used longest ago first."""
    most, open_now, opened = 2, set[asyncio.StreamWriter](), list[str]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now.add(writer)
        opened.append(writer.get_extra_info("sockname")[1])
        try:
            await saying(SUCCESSES["empty"], close=False)(reader, writer)
        finally:
            open_now.discard(writer)

    async with AsyncExitStack() as stack:
        posts = await stack.enter_async_context(open_posts(connections=most, timeout_s=TIMEOUT_S))
        urls = [await stack.enter_async_context(endpoint(serve)) for _ in range(3 * most)]
        for url in urls:
            assert (await posts.post(url, body=b"{}", headers={})).ok
            await asyncio.sleep(0.01)  # what was closed is seen at the other end
            assert len(open_now) <= 2 * most
        for url in reversed(urls[-2 * most :]):
            assert (await posts.post(url, body=b"{}", headers={})).ok
    assert len(opened) == len(urls)


async def test_names_are_looked_up_once_for_all_and_apart() -> None:
    asked, go = list[str](), threading.Event()

    def look_up(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        if host == "hangs.example":
            go.wait(10)
        return [(host, port)]

    names = Names(look_up)
    try:
        hanging = [asyncio.create_task(names.addresses("hangs.example", 443)) for _ in range(50)]
        await asyncio.sleep(0)
        assert await names.addresses("works.example", 443) == [("works.example", 443)]
        assert not any(task.done() for task in hanging)
        go.set()
        assert await asyncio.gather(*hanging) == [[("hangs.example", 443)]] * 50
        assert sorted(asked) == ["hangs.example", "works.example"]
        await names.addresses("works.example", 443)
        assert len(asked) == 2
    finally:
        go.set()
        names.close()
