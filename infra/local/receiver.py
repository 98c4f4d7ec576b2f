"""A sample webhook receiver: verifies Standard Webhooks signatures, logs, answers.

`python -m infra.local.receiver --port N --log PATH --endpoints '{"name": "whsec_..."}'`. To receive
webhooks in a service of your own, copy `verified` and give it the raw bytes of the body.

`POST /hooks/{name}` answers 204, or 401 when the signature does not verify, or 404 when there is no
such endpoint. `PUT /control/{name}` with `{"status": 500, "times": 3}` or `{"hang_s": 10}` makes
the next requests of that endpoint fail or stall; with `"match": "text"` only those whose body holds
the text. The log holds one line of JSON per request; `answered` is null when the caller had gone
before the answer.
"""

import argparse
import asyncio
import base64
import errno
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Mapping
from typing import Any

import uvloop
from aiohttp import web

TOLERANCE_S = 300
DRAIN_S = 0.4  # aiohttp waits this long twice: once for handlers, once for their connections
EXIT_PORT_IN_USE = 3
LOGGED_FIELDS = ("type", "emailId", "timestamp", "recipient", "recipients")


def verified(headers: Mapping[str, str], body: bytes, *, secret: str, now_s: float) -> bool:
    """Whether the body was signed with this secret, within the tolerance. Pure."""
    webhook_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not webhook_id or not re.fullmatch("[0-9]{1,12}", timestamp):
        return False
    if abs(now_s - int(timestamp)) > TOLERANCE_S:
        return False
    signed = f"{webhook_id}.{timestamp}.".encode(errors="surrogateescape") + body
    ours = b"v1," + base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest())
    # Several during a rotation of secrets; versions other than v1 are not for us.
    given = headers.get("webhook-signature", "").encode(errors="surrogateescape").split(b" ")
    return any(hmac.compare_digest(one, ours) for one in given)


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_"), validate=True)


class Receiver:
    """The two routes, the log and the plan of faults."""

    def __init__(self, secrets: dict[str, str], log_fd: int) -> None:
        self._secrets = secrets
        self._log_fd = log_fd
        self._faults: dict[str, dict[str, Any]] = {}

    async def hook(self, request: web.Request) -> web.Response:
        """One webhook. Logged before it is answered: what was answered is in the log."""
        name, headers = request.match_info["name"], request.headers
        line = {"kind": "webhook", "t_ns": time.monotonic_ns(), "t": time.time(), "endpoint": name}
        body, secret = await request.read(), self._secrets.get(name)
        good = bool(secret) and verified(headers, body, secret=str(secret), now_s=time.time())
        line |= {"webhook_id": headers.get("webhook-id"), "verified": good}
        line |= {"webhook_timestamp": headers.get("webhook-timestamp")}
        said, digest = _object(body), hashlib.sha256(body).hexdigest()
        line |= {**{field: said.get(field) for field in LOGGED_FIELDS}, "sha256": digest}
        fault = self._next_fault(name, body)
        status = fault.get("status") or (404 if secret is None else 204 if good else 401)
        answered = None
        try:
            await asyncio.sleep(fault.get("hang_s", 0))
            answered = None if request.transport is None else status
        finally:
            os.write(self._log_fd, json.dumps(line | {"answered": answered}).encode() + b"\n")
        return web.Response(status=status)

    async def control(self, request: web.Request) -> web.Response:
        """Make the next requests of an endpoint fail or stall; replaces what was asked before."""
        name = request.match_info["name"]
        fault = _object(await request.read())
        match = fault.pop("match", "")
        numbers = all(isinstance(value, int | float) for value in fault.values())
        if not numbers or not isinstance(match, str) or not fault.keys() & {"status", "hang_s"}:
            return web.Response(status=400, text='{"status": 500, "times": 3} or {"hang_s": 10}\n')
        self._faults[name] = {"times": 1, **fault, "match": match.encode()}
        return web.Response(status=204 if name in self._secrets else 404)

    def _next_fault(self, name: str, body: bytes) -> dict[str, Any]:
        fault = self._faults.get(name, {"times": 0, "match": b""})
        if fault["match"] not in body:
            return {}
        fault["times"] -= 1
        return fault if fault["times"] >= 0 else {}


def _object(text: bytes | str) -> dict[str, Any]:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _secrets(text: str) -> dict[str, str]:
    secrets = {name: str(secret) for name, secret in dict(json.loads(text)).items()}
    if not all(_key(secret) for secret in secrets.values()):
        raise ValueError("an empty secret")  # argparse makes a sentence of it
    return secrets


async def serve(receiver: Receiver, listener: socket.socket) -> None:
    """Until SIGTERM or SIGINT; then what is running may end."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    app = web.Application()
    app.router.add_post("/hooks/{name}", receiver.hook)
    app.router.add_put("/control/{name}", receiver.control)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=DRAIN_S)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    port = listener.getsockname()[1]
    print(json.dumps({"event": "ready", "service": "receiver", "port": port}), flush=True)
    await stop.wait()
    await runner.cleanup()


def main() -> None:
    """Read the arguments, listen, serve."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.receiver")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--log", required=True, help="file that gets a line of JSON per request")
    parser.add_argument("--endpoints", type=_secrets, required=True, help='{"name": "whsec_..."}')
    asked = parser.parse_args()
    try:
        listener = socket.create_server(("127.0.0.1", asked.port), backlog=1024)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        sys.stderr.write(f"port {asked.port} is in use\n")
        raise SystemExit(EXIT_PORT_IN_USE) from None
    log_fd = os.open(asked.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    uvloop.run(serve(Receiver(asked.endpoints, log_fd), listener))


if __name__ == "__main__":
    main()
