"""The private port: `/live`, `/ready`, `/metrics`. Never expose it to the outside."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from mailpipe import logs
from mailpipe.lifecycle import Stop

log = logs.get()


@asynccontextmanager
async def serve(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Serve `app` while the body runs; yields the port (a free one for 0). Raises OSError."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=5.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def open_admin(host: str, port: int, stop: Stop) -> AsyncIterator[int]:
    """The private port of a process that is ready as soon as the body runs; yields its number."""

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def ready(_: web.Request) -> web.Response:
        stopping = stop.is_set()
        return web.json_response({"ready": not stopping}, status=503 if stopping else 200)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/live", live), web.get("/ready", ready), web.get("/metrics", metrics)])
    async with serve(app, host, port) as bound:
        yield bound
