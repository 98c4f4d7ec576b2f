"""The REST door: `POST /send-email`, `GET /status/{emailId}`, `GET /health`.

An e-mail is first enqueued, then recorded, then answered: a record is never written before the
queue's yes, and after it the answer is 202 whatever the record says (the sender makes a missing
one).
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from ingest import limits, views
from ingest.decoding import decode
from ingest.limits import Intake
from mailpipe import logs, metrics, records, resources
from mailpipe.access import Access, Grant
from mailpipe.aws.queue import Queue
from mailpipe.aws.table import Tables
from mailpipe.bodies import Bodies
from mailpipe.outcomes import CallFailed
from mailpipe.rules import ValidationError, Violation
from mailpipe.statements import EmailStatements
from mailpipe.timing import now_ms

RETRY_AFTER_S = 2
log = logs.get()


class Api:
    """The handlers, with what they need."""

    def __init__(
        self,
        queues: dict[str, Queue],
        tables: Tables,
        *,
        access: Access,
        bodies: Bodies,
        intake: Intake,
        prefix: str,
    ) -> None:
        self._queues = queues
        self._tables = tables
        self._access = access
        self._bodies = bodies
        self._statements = EmailStatements(prefix)
        self._intake = intake

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(middlewares=[_answer, self._intake.bounded])
        app.add_routes(
            [
                web.post("/send-email", self.send_email),
                web.get("/status/{emailId}", self.status),
                web.get("/health", self.health),
            ]
        )
        return app

    async def send_email(self, request: web.Request) -> web.Response:
        """Enqueue one e-mail: 202 when it is durable."""
        grant = await self._allowed(request, "send")
        decoded = await limits.decoded(decode, await self._intake.body(request))
        if isinstance(decoded, Violation):
            return invalid(decoded)
        try:
            message, outgoing = await self._bodies.accept(
                decoded.email(), tenant=grant.tenant, stream=decoded.stream, recorded=True
            )
        except ValidationError as broken:
            return invalid(broken.violation)
        (fault,) = await self._queues[decoded.stream].send([outgoing])
        if fault is not None:
            raise fault
        born = records.born(message.email_id, message.tenant, records.fields_of(message))
        try:
            await self._tables.write(self._statements.insert(born))
        except CallFailed as failure:
            log.warning("record_not_inserted", email_id=message.email_id, code=failure.code)
        return json_answer(202, views.accepted(message.email_id))

    async def status(self, request: web.Request) -> web.Response:
        """Where an e-mail stands, with its timeline."""
        grant = await self._allowed(request, "read")
        email_id = request.match_info["emailId"]
        item = None
        if len(email_id) <= resources.MAX_ID_CHARS:
            item = await self._tables.get(resources.EMAIL_TRACKING, {"emailId": email_id})
        if item is None or item["tenant"] != grant.tenant:
            return error(404, "NOT_FOUND", "There is no e-mail with this id.")
        events = await self._tables.partition(resources.EMAIL_EVENTS, email_id)
        return json_answer(200, views.status(records.read(item), events, now_ms=now_ms()))

    async def health(self, _: web.Request) -> web.Response:
        """Whether this process answers; needs no key."""
        return json_answer(200, {"status": "ok"})

    async def _allowed(self, request: web.Request, scope: str) -> Grant:
        grant = await self._access.grant(request.headers.get("X-API-Key", ""))
        if grant is None:
            raise Denied(401, "UNAUTHORIZED", "Send a valid API key in the header X-API-Key.")
        if scope not in grant.scopes:
            raise Denied(403, "FORBIDDEN", f"This API key lacks the scope '{scope}'.")
        return grant


class Denied(Exception):
    """The request may not do what it asks; carries the answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def json_answer(status: int, body: dict[str, Any]) -> web.Response:
    """A JSON response."""
    encoded = msgspec.json.encode(body)
    return web.Response(body=encoded, status=status, content_type="application/json")


def error(
    status: int, code: str, message: str, *, details: dict[str, str] | None = None
) -> web.Response:
    """An error in the API's one shape."""
    body: dict[str, Any] = {"success": False, "error": code, "message": message}
    if details is not None:
        body["details"] = details
    return json_answer(status, body)


def invalid(violation: Violation) -> web.Response:
    """The request breaks a rule: 400, with the field and the constraint."""
    details = {"field": violation.field, "constraint": violation.constraint}
    return error(400, "VALIDATION_ERROR", violation.message, details=details)


@web.middleware
async def _answer(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Every failure in the API's shape; every request counted."""
    begun = time.perf_counter()
    response = await _guarded(request, handler)
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "none"
    metrics.bound(metrics.REQUESTS, route, str(response.status)).inc()
    metrics.bound(metrics.REQUEST_SECONDS, route).observe(time.perf_counter() - begun)
    return response


async def _guarded(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except Denied as denied:
        return error(denied.status, denied.code, str(denied))
    except CallFailed as failure:
        log.warning("store_failed", code=failure.code, text=failure.text)
        answer = error(503, "SERVICE_UNAVAILABLE", "A store does not answer; please try again.")
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
        return answer
    except limits.Refused as refused:
        answer = error(refused.status, refused.code, str(refused))
        if refused.retry_after_s is not None:
            answer.headers["Retry-After"] = str(refused.retry_after_s)
        # What is left of the body is not worth waiting for.
        answer.force_close()
        return answer
    except web.HTTPException as no:
        code = (no.reason or "ERROR").upper().replace(" ", "_")
        return error(no.status, code, f"{request.method} {request.path}: {no.reason}.")
    except Exception:
        log.exception("request_bug", path=request.path)
        return error(500, "INTERNAL_ERROR", "Something went wrong on our side.")
