"""Waves of large requests that are all in flight at the same time, and what they cost in memory."""

import asyncio
import base64
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

from loadtest.posting import connect, request

UPLOADS, UPLOAD_BYTES = 20, 5_000_000
"""100 MB together, as requests."""


def upload(mail: dict[str, Any], key: str, *, seed: int) -> bytes:
    """A request of UPLOAD_BYTES, most of it an attachment."""
    content = base64.b64encode(random.Random(seed).randbytes(UPLOAD_BYTES // 4 * 3 - 6_000))  # noqa: S311
    file = {"filename": f"report-{seed}.pdf", "contentType": "application/pdf"}
    body = json.dumps({**mail, "attachments": [{**file, "content": content.decode()}]})
    return request("/send-email", body.encode(), X_API_Key=key)


async def wave(
    port: int, requests: list[bytes], in_flight: Callable[[], Awaitable[float]]
) -> float:
    """Send all but the end of every request, look (`in_flight`), send the ends; what was seen.

    Raises AssertionError at an answer that is not 202.
    """
    connections = await asyncio.gather(*(connect(port) for _ in requests))
    try:
        for connection, one in zip(connections, requests, strict=True):
            connection.write(one[:-1000])
        await asyncio.gather(*(connection.drained() for connection in connections))
        seen = await in_flight()
        for connection, one in zip(connections, requests, strict=True):
            connection.write(one[-1000:])
        statuses = set(await asyncio.gather(*(one.answer() for one in connections)))
        if statuses != {202}:
            raise AssertionError(f"answered {statuses}")
        return seen
    finally:
        for connection in connections:
            connection.close()
