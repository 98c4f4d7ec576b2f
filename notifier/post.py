"""One POST to an endpoint that may do anything: slow, endless, redirecting, lying."""

import asyncio
from typing import NamedTuple

import aiohttp

MAX_ANSWER_BYTES = 16_384
"""So much of an answer is read before the connection is given up; only the status counts."""


class Answer(NamedTuple):
    """`status` is None when there was no answer; `reason` then says why, from a fixed set."""

    status: int | None
    reason: str

    @property
    def ok(self) -> bool:
        """Only 2xx is a success; a redirect is a failure and is not followed."""
        return self.status is not None and 200 <= self.status < 300


def open_session(*, connections: int, timeout_s: float) -> aiohttp.ClientSession:
    """A session without cookies, proxies from the environment or automatic decompression."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=15),
        timeout=aiohttp.ClientTimeout(total=timeout_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
    )


async def post(
    session: aiohttp.ClientSession, url: str, *, body: bytes, headers: dict[str, str]
) -> Answer:
    """Post and judge by the status alone; the session's deadline covers DNS to last byte."""
    try:
        async with session.post(
            url,
            data=body,
            headers={**headers, "Content-Type": "application/json", "User-Agent": "mailpipe"},
            allow_redirects=False,
        ) as response:
            status = response.status
            # Read so much that the connection can be used again; more is not worth the wait.
            await response.content.read(MAX_ANSWER_BYTES)
            if not response.content.at_eof():
                response.close()
            return Answer(status, f"http {status}")
    except TimeoutError:
        return Answer(None, "timeout")
    except (aiohttp.ClientError, OSError, ValueError, asyncio.IncompleteReadError) as error:
        return Answer(None, type(error).__name__)
