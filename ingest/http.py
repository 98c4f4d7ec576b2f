"""The REST door: its routes, and what every answer goes through."""

import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from ingest import deadline, limits
from ingest.acceptance import Desk
from ingest.answers import answer, refused
from ingest.cursors import Cursors
from ingest.docs import Docs
from ingest.emails import STORE_FAILED, Emails
from ingest.errors import Refusal, code_of, unavailable
from ingest.explanations import Explanations
from ingest.guard import Guard
from ingest.listing import EmailList
from ingest.recalls import Recalls
from ingest.schemas import Health
from ingest.settings import IngestSettings
from ingest.suppression import SuppressionList
from ingest.webhooks import WebhookEndpoints
from mailpipe import logs, metrics
from mailpipe.aws.queue import TimedQueue
from mailpipe.aws.table import Tables
from mailpipe.bodies import Bodies
from mailpipe.outcomes import CallFailed
from mailpipe.recall import Recall

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = logs.get()


def application(
    settings: IngestSettings,
    queues: dict[str, TimedQueue],
    tables: Tables,
    guard: Guard,
    bodies: Bodies,
    recall: Recall,
) -> web.Application:
    """Every route, with what its handler needs. `queues` by stream."""
    secret = settings.address_hash_key.encode()
    cursors = Cursors(secret)
    days, prefix = settings.retention_days, settings.prefix
    desk = Desk(queues, tables, prefix=prefix)
    emails = Emails(guard, bodies, desk, tables, retention_days=days)
    recalls = Recalls(guard, recall)
    explanations = Explanations(guard, tables, queues)
    listing = EmailList(guard, tables, cursors, retention_days=days)
    suppression = SuppressionList(guard, tables, cursors, prefix=prefix, hash_key=secret)
    webhooks = WebhookEndpoints(guard, tables, prefix=prefix, local=settings.local)
    docs = Docs()
    app = web.Application(middlewares=[Answering(settings.answer_timeout_s).counted, guard.bounded])
    app.add_routes(
        [
            web.post("/send-email", emails.send),
            web.post("/send-emails", emails.send_many),
            web.get("/status/{emailId}", emails.status),
            web.post("/emails/{emailId}/cancel", recalls.cancel),
            web.post("/emails/{emailId}/reschedule", recalls.reschedule),
            web.get("/emails", listing.page),
            web.get("/emails/{emailId}/explain", explanations.explain),
            web.post("/suppression/add", suppression.add),
            web.delete("/suppression/{email}", suppression.remove),
            web.get("/suppression", suppression.page),
            web.post("/webhooks", webhooks.create),
            web.get("/webhooks", webhooks.list_all),
            web.delete("/webhooks/{id}", webhooks.remove),
            web.get("/health", _health),
            web.get("/openapi.json", docs.openapi),
            web.get("/docs", docs.page),
        ]
    )
    return app


async def _health(_: web.Request) -> web.Response:
    """Whether this process answers; needs no key."""
    return answer(Health())


class Answering:
    """A middleware: every failure in the API's shape, in bounded time; every request counted."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    @web.middleware
    async def counted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer, whatever happens."""
        begun = time.perf_counter()
        try:
            async with deadline.started(request, self._timeout_s):
                response = await handler(request)
        except Exception as error:
            response = _answer_to(request, error)
        route = _route(request)
        metrics.bound(metrics.REQUESTS, route, str(response.status)).inc()
        metrics.bound(metrics.REQUEST_SECONDS, route).observe(time.perf_counter() - begun)
        return response


def _answer_to(request: web.Request, error: Exception) -> web.Response:
    """What a request is told that has failed so."""
    match error:
        case Refusal():
            return refused(error)
        case CallFailed():
            log.warning("store_failed", code=error.code, text=error.text)
            return refused(unavailable(STORE_FAILED))
        case TimeoutError():  # no queue has said yes yet: from there on the desk keeps the time
            log.warning("stores_slow", route=_route(request))
            return refused(unavailable(STORE_FAILED))
        case limits.Refused():
            cut = refused(Refusal(error.code, str(error), retry_after_s=error.retry_after_s))
            # What is left of the body is not worth waiting for.
            cut.force_close()
            return cut
        case web.HTTPException():
            return refused(_as_refusal(request, error))
    log.exception("request_bug", route=_route(request), exc_info=error)
    return refused(Refusal("INTERNAL_ERROR", "Something went wrong on our side."))


def _route(request: web.Request) -> str:
    """Its pattern: paths hold ids and addresses."""
    resource = request.match_info.route.resource
    return "none" if resource is None else resource.canonical


def _as_refusal(request: web.Request, error: web.HTTPException) -> Refusal:
    """What the server itself refuses: no such route, no such method, …"""
    allow = error.headers.get("Allow")
    return Refusal(
        code_of(error.status),
        f"{request.method} {request.path}: {error.reason}.",
        headers=None if allow is None else {"Allow": allow},
    )
