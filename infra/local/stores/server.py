"""The proxy: read, spoil if a fault says so, forward, record."""

import asyncio
import sys
import time
from collections import Counter
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from yarl import URL

from infra.local.chaos.control import Control, answer
from infra.local.chaos.faults import Faults, Live
from infra.local.chaos.journal import Journal
from infra.local.stores import errors, partial, writes
from infra.local.stores.calls import Call, read
from infra.local.stores.errors import Answer

FAULTS = (
    *("latency", "error", "throttle", "applied_error"),
    *("entry_failed", "drop", "applied_drop", "pause"),
)
MAX_BODY_BYTES = 64 * 1024 * 1024
LOOK_S = 0.02
"""How soon after its fault has ended a paused call goes on."""
UPSTREAM_TIMEOUT_S = 60.0
KEEP_ALIVE_S = 3.0

_NOT_FORWARDED = frozenset(
    {"connection", "content-length", "keep-alive", "transfer-encoding", "expect"}
)
_NOT_RETURNED = _NOT_FORWARDED | {"date", "server", "x-amz-crc32"}


class Dropped(Exception):
    """The connection is to be closed without an answer."""


class Proxy:
    """Forwards to `upstream`; with `log_writes` every write to a table is logged, with the times at
    which it came and was answered.
    """

    def __init__(
        self, upstream: str, faults: Faults, journal: Journal, *, log_writes: bool = False
    ) -> None:
        self._upstream, self._faults, self._journal = upstream, faults, journal
        self._session: aiohttp.ClientSession | None = None
        self._calls = Counter[tuple[str, str, str]]()
        self._upstream_was_gone = False
        self._log_writes = log_writes

    def application(self) -> web.Application:
        """The control interface, and everything else forwarded."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.add_routes(Control(self._faults).routes())
        app.router.add_get("/_control/calls", self._listed)
        app.router.add_route("*", "/{path:.*}", self._handle)
        app.cleanup_ctx.append(self._opened)
        return app

    async def _opened(self, _: web.Application) -> Any:
        # Shorter than the cloud keeps a connection, so that no call meets a closing one.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S)
        timeout = aiohttp.ClientTimeout(total=UPSTREAM_TIMEOUT_S)
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=jar, auto_decompress=False
        ) as self._session:
            yield

    async def _listed(self, _: web.Request) -> web.Response:
        """Who used what how often."""
        names = ("caller", "action", "resource")
        found = [
            {**dict(zip(names, used, strict=True)), "count": count}
            for used, count in sorted(self._calls.items())
        ]
        return answer({"calls": found})

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        call = read(request.method, request.path_qs, request.headers, body)
        for action, resource in call.uses:
            self._calls[call.caller, action, resource] += 1
        asked_ns = time.monotonic_ns()
        try:
            found = await self._answered(request, body, call)
            if self._log_writes and found.status == 200:
                self._tell_writes(call, found, asked_ns)
        except Dropped:
            if request.transport is not None:
                request.transport.abort()
            found = Answer(500, {}, b"")
        return web.Response(status=found.status, headers=found.headers, body=found.body)

    def _tell_writes(self, call: Call, found: Answer, asked_ns: int) -> None:
        told = writes.told(call, found.body)
        facts = [{"caller": call.caller, "asked_ns": asked_ns, **one} for one in told]
        if facts:
            self._journal.write_all("write", facts)

    async def _answered(self, request: web.Request, body: bytes, call: Call) -> Answer:
        live = self._hit(call)
        if live is None:
            return await self._forward(request, body, call)
        if (found := self._not_forwarded(live, call)) is not None:
            return found
        await self._wait(live)
        if live.fault.kind == "entry_failed":
            return await self._without_one(request, body, call, live)
        return self._after(live, call, await self._forward(request, body, call))

    def _not_forwarded(self, live: Live, call: Call) -> Answer | None:
        match live.fault.kind:
            case "error":
                return errors.failed(call.service, live.fault.status, live.fault.code)
            case "throttle":
                return errors.throttled(call.service, live.fault.code)
            case "drop":
                raise Dropped
        return None

    async def _wait(self, live: Live) -> None:
        if live.fault.kind == "latency":
            await asyncio.sleep(live.fault.seconds)
        if live.fault.kind != "pause":
            return
        while self._faults.holds(live, time.monotonic()):  # noqa: ASYNC110 - its time may run out
            await asyncio.sleep(LOOK_S)

    def _after(self, live: Live, call: Call, found: Answer) -> Answer:
        if live.fault.kind == "applied_drop":
            raise Dropped
        if live.fault.kind == "applied_error":
            return errors.failed(call.service, live.fault.status, live.fault.code)
        return found

    def _hit(self, call: Call) -> Live | None:
        if not self._faults:
            return None
        # What has no entries cannot lose one, and must not use up such a fault.
        whole = partial.split(call.operation, call.request, 0.0) is None
        kinds = [kind for kind in FAULTS if kind != "entry_failed" or not whole]
        live = self._faults.hit(kinds, call.operation, call.about, time.monotonic())
        if live is not None:
            facts = {"id": live.id, "operation": call.operation, "about": call.about}
            self._journal.write("fault", facts)
        return live

    async def _without_one(
        self, request: web.Request, body: bytes, call: Call, live: Live
    ) -> Answer:
        parted = partial.split(call.operation, call.request, live.uniform(1))
        if parted is None:
            return await self._forward(request, body, call)
        rest, merge = parted
        found = Answer(200, {"Content-Type": "application/x-amz-json-1.0"}, b"{}")
        if rest is not None:
            found = await self._forward(request, msgspec.json.encode(rest), call)
        if found.status != 200:
            return found
        merged = msgspec.json.encode(merge(msgspec.json.decode(found.body)))
        return found._replace(body=merged)

    async def _forward(self, request: web.Request, body: bytes, call: Call) -> Answer:
        assert self._session is not None  # noqa: S101 - open while the application runs
        headers = [
            (name, value)
            for name, value in request.headers.items()
            if name.lower() not in _NOT_FORWARDED
        ]
        url = URL(self._upstream + request.raw_path, encoded=True)
        try:
            async with self._session.request(
                request.method, url, data=body, headers=headers, allow_redirects=False
            ) as found:
                said = await found.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self._say_once(f"the cloud at {self._upstream} does not answer: {error!r}\n")
            return errors.failed(call.service, 503, None)
        self._upstream_was_gone = False
        kept = {
            name: value
            for name, value in found.headers.items()
            if name.lower() not in _NOT_RETURNED
        }
        if request.method == "HEAD" and "Content-Length" in found.headers:
            kept["Content-Length"] = found.headers["Content-Length"]
        return Answer(found.status, kept, said)

    def _say_once(self, sentence: str) -> None:
        if not self._upstream_was_gone:
            sys.stderr.write(sentence)
        self._upstream_was_gone = True
