"""What the smallest useful request costs on this machine at this moment: an aiohttp server that
decodes a mail with msgspec and answers.

Machines differ, and a shared one differs from hour to hour: a figure with the yardstick of the same
run can be compared with another run's, the figure alone cannot. (Where the budgets were set it took
35 us.)
"""

import asyncio
import json
import sys
import time
from typing import Any

import msgspec
import uvloop
from aiohttp import web

from loadtest.posting import post_all, request

REQUESTS = 2000


class _Mail(msgspec.Struct, rename="camel"):
    to: list[str]
    subject: str
    body_text: str
    body_html: str


_decoder = msgspec.json.Decoder(_Mail)


def _body(number: int) -> bytes:
    mail: dict[str, Any] = {
        "to": [f"customer-{number}@example.com"],
        "subject": f"Your order {number} is on its way",
        "bodyText": "It will be with you by tomorrow evening. " * 15,
        "bodyHtml": "<p>It will be with you by tomorrow evening.</p>" * 12,
    }
    return json.dumps(mail).encode()


async def _serve() -> None:
    """Serve on a free port until stdin ends; then print the CPU time that requests took."""

    async def take(asked: web.Request) -> web.Response:
        _decoder.decode(await asked.read())
        return web.Response(body=b'{"success":true}', status=202, content_type="application/json")

    app = web.Application()
    app.add_routes([web.post("/send-email", take)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    begun = time.process_time()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(time.process_time() - begun, flush=True)
    await runner.cleanup()


async def yardstick_us(requests: int = REQUESTS) -> float:
    """CPU of the server per request, in a process of its own."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtest.yardstick"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None  # noqa: S101 - it is a pipe
    assert child.stdin is not None  # noqa: S101 - it is a pipe
    try:
        port = int(await child.stdout.readline())
        posts = [request("/send-email", _body(number)) for number in range(requests)]
        await post_all(port, posts, connections=32)
    finally:
        child.stdin.close()
    spent_s = float(await child.stdout.readline())
    await child.wait()
    return round(spent_s / requests * 1e6, 1)


if __name__ == "__main__":
    uvloop.run(_serve())
