"""The private port: `/live`, `/ready`, `/metrics`. Never expose it to the outside."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from mailpipe import logs
from mailpipe.lifecycle import Stop

KEEPALIVE_S = 75.0
"""Longer than the 60 s after which AWS's load balancers close an idle connection."""
LINGER_S = 2.0
"""So long what is left of a refused body is thrown away, so that its client can read the answer."""

log = logs.get()


def _is_ours(record: logging.LogRecord) -> bool:
    """Not of a request that cannot be parsed: aiohttp quotes its bytes, keys and addresses too."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or not issubclass(kind, HttpProcessingError)


_http_log = logging.getLogger("mailpipe.http")
_http_log.addFilter(_is_ours)


@asynccontextmanager
async def serve(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Serve `app` while the body runs; yields the port (a free one for 0). Raises OSError."""
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_http_log,
        shutdown_timeout=5.0,
        # A compressed body is refused; nothing of it may be unpacked before that.
        auto_decompress=False,
        lingering_time=LINGER_S,
        keepalive_timeout=KEEPALIVE_S,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def open_admin(
    host: str, port: int, stop: Stop, *, unready: Callable[[], str | None] = lambda: None
) -> AsyncIterator[int]:
    """The private port of a process that is ready as soon as the body runs; yields its number.

    `unready` says why it is not, where it is not.
    """

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def ready(_: web.Request) -> web.Response:
        reason = "stopping" if stop.is_set() else unready()
        if reason is None:
            return web.json_response({"ready": True})
        return web.json_response({"ready": False, "reason": reason}, status=503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/live", live), web.get("/ready", ready), web.get("/metrics", metrics)])
    async with serve(app, host, port) as bound:
        yield bound
