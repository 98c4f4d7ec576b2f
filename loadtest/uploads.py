"""Waves of large requests that are all in flight at the same time, and what they cost in memory."""

import asyncio
import base64
import json
import random
from pathlib import Path
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


class Memory:
    """The most memory that a process has held, by the kernel's word (proc(5), VmHWM)."""

    def __init__(self, pid: int) -> None:
        self._process = Path("/proc") / str(pid)

    def forget(self) -> None:
        """Count from now."""
        (self._process / "clear_refs").write_text("5")

    def most_mb(self) -> int:
        """Since `forget`."""
        status = (self._process / "status").read_text()
        (line,) = (one for one in status.splitlines() if one.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 // 1_000_000


async def wave(port: int, requests: list[bytes]) -> None:
    """Send all but the end of every request; only when the server has all of that, the ends.

    Raises AssertionError at an answer that is not 202.
    """
    connections = await asyncio.gather(*(connect(port) for _ in requests))
    try:
        for connection, one in zip(connections, requests, strict=True):
            connection.write(one[:-1000])
        await asyncio.gather(*(connection.drained() for connection in connections))
        for connection, one in zip(connections, requests, strict=True):
            connection.write(one[-1000:])
        statuses = set(await asyncio.gather(*(one.answer() for one in connections)))
        if statuses != {202}:
            raise AssertionError(f"answered {statuses}")
    finally:
        for connection in connections:
            connection.close()
