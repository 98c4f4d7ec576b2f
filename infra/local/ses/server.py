"""SES v2 over HTTP: SendEmail is judged, logged, answered; then its events come.

No signature is checked: whoever can reach the port may send (it listens on loopback).
"""

import asyncio
import hashlib
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from infra.local.chaos.faults import Faults, Live
from infra.local.ses import refusals
from infra.local.ses.account import Account
from infra.local.ses.events import Accepted
from infra.local.ses.identities import Identities
from infra.local.ses.mailbox import Mail, Mailbox
from infra.local.ses.operations import Operation
from infra.local.ses.oracle import Oracle
from infra.local.ses.outcomes import Plan
from infra.local.ses.publisher import Publisher
from infra.local.ses.refusals import Refusal
from infra.local.ses.replies import refuse, reply
from infra.local.ses.requests import SendEmail
from infra.local.ses.sending import Message, decode, described, validate
from infra.local.ses.sets import Sets

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_REQUEST_BYTES = 60 * 1024 * 1024
"""A message of 40 MB, in base64 and JSON, and some."""
STAMP = "X-Monotonic-Ns"
"""Header in which a client may say when it sent the request (CLOCK_MONOTONIC of this machine)."""
FAULTS = ("throttle", "error_before_accept", "drop_after_accept", "stall_after_accept")
BEFORE_ACCEPT, AFTER_ACCEPT = FAULTS[:2], FAULTS[2:]
EVENT_FIRST = ("event_before_answer",)

_OVER = {"throttled": refusals.THROTTLED, "daily_quota": refusals.DAILY_QUOTA}
_NOTHING: dict[str, Any] = {"from": None, "recipients": [], "tags": {}, "headers": {}}


class Sending:
    """SendEmail."""

    def __init__(
        self,
        account: Account,
        publisher: Publisher,
        *,
        oracle: Oracle,
        plan: Plan,
        mailbox: Mailbox,
        faults: Faults,
    ) -> None:
        self._account, self._publisher, self._oracle = account, publisher, oracle
        self._plan, self._mailbox, self._faults = plan, mailbox, faults

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        body = await request.read()
        stamp = request.headers.get(STAMP, "")
        facts: dict[str, Any] = {
            "operation": "SendEmail",
            "sha256": hashlib.sha256(body).hexdigest(),
            "bytes": len(body),
            "caller": caller(request),
            "stampNs": int(stamp) if stamp.isascii() and stamp.isdigit() else None,
            "lag_ms": self._oracle.lag_ms,
            **_NOTHING,
        }
        try:
            email = decode(body)
            facts |= described(email)
            message = validate(email)
            facts["recipients"], facts["tags"] = message.recipients, message.tags
            return await self._send(request, email, message, facts)
        except Refusal as refusal:
            if "verdict" not in facts:
                self._log(facts, verdict="refused", code=refusal.code)
            raise

    async def _send(
        self, request: web.Request, email: SendEmail, message: Message, facts: dict[str, Any]
    ) -> web.StreamResponse:
        identity = self._account.judge(message)
        self._refuse_by_fault(message, facts)
        accepted, mail = self._decide(email, message, facts, identity=identity.name)
        planned = self._plan.events(
            message.recipients,
            infected=message.infected,
            is_suppressed=self._account.suppressed.__contains__,
        )
        if (first := self._hit(EVENT_FIRST, message)) is not None:
            self._publisher.at_once(accepted, planned.pop(0), mail)
            await asyncio.sleep(first.fault.seconds)
        live = self._hit(AFTER_ACCEPT, message)
        self._publisher.schedule(accepted, planned, mail)
        if live is not None:
            self._oracle.write("fault", {"id": live.id, "messageId": accepted.message_id})
            if live.fault.kind == "stall_after_accept":
                await asyncio.sleep(live.fault.seconds)
            elif request.transport is not None:
                request.transport.abort()
        return reply({"MessageId": accepted.message_id})

    def _hit(self, kinds: tuple[str, ...], message: Message) -> Live | None:
        if not self._faults:
            return None
        about = " ".join([*message.recipients, *message.tags.values()])
        return self._faults.hit(kinds, "SendEmail", about, time.monotonic())

    def _refuse_by_fault(self, message: Message, facts: dict[str, Any]) -> None:
        live = self._hit(BEFORE_ACCEPT, message)
        if live is None:
            return
        facts["fault"] = live.id
        if live.fault.kind == "throttle":
            self._log(facts, verdict="throttled", code=refusals.THROTTLED.code)
            raise refusals.THROTTLED
        no = refusals.UNAVAILABLE if live.fault.status == 503 else refusals.INTERNAL
        no = Refusal(live.fault.status, live.fault.code or no.code, refusals.UNAVAILABLE.text)
        self._log(facts, verdict="refused", code=no.code)
        raise no

    def _decide(
        self, email: SendEmail, message: Message, facts: dict[str, Any], *, identity: str
    ) -> tuple[Accepted, Mail]:
        """Not a coroutine: nothing comes between the quota's yes and its line in the log."""
        now_ns, at_s = time.monotonic_ns(), time.time()
        over = self._account.over_quota(now_ns / 1e9, message)
        if over is not None and self._account.switches.enforced:
            self._log(facts, verdict=over, code=_OVER[over].code, t_ns=now_ns, t=at_s)
            raise _OVER[over]
        self._account.accepted(now_ns / 1e9, message)
        message_id = self._publisher.identifier(at_s)
        facts["messageId"] = message_id
        if over is not None:
            facts["over"] = over
        self._log(facts, verdict="accepted", code=None, t_ns=now_ns, t=at_s)
        accepted = Accepted(message_id, message, at_s, self._account.region, identity)
        mail = Mail(
            message_id=message_id,
            at_s=at_s,
            source=message.sender,
            recipients=message.recipients,
            request=email,
            size_bytes=facts["bytes"],
        )
        self._mailbox.keep(mail)
        return accepted, mail

    def _log(
        self,
        facts: dict[str, Any],
        *,
        verdict: str,
        code: str | None,
        t_ns: int | None = None,
        t: float | None = None,
    ) -> None:
        facts["verdict"], facts["code"] = verdict, code
        facts.setdefault("messageId", None)
        self._oracle.write("attempt", facts, t_ns=t_ns, t=t)


class Simulator:
    """The routes of SES, and what turns every failure into SES's form."""

    def __init__(self, account: Account, sending: Sending, sets: Sets) -> None:
        self._account, self._sending = account, sending
        self._operations = [*sets.operations(), *Identities(account).operations()]

    def application(self, own: list[web.RouteDef]) -> web.Application:
        """SES's routes, and `own` ones of the simulator beside them."""
        app = web.Application(client_max_size=MAX_REQUEST_BYTES, middlewares=[in_sess_form])
        app.router.add_post("/v2/email/outbound-emails", self._sending.handle)
        app.add_routes([self._route(one) for one in self._operations])
        app.add_routes(own)
        app.router.add_route("*", "/{path:.*}", _unknown)
        return app

    def _route(self, operation: Operation) -> web.RouteDef:
        method, path, name, do = operation

        async def handle(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            self._account.called(name, time.monotonic())
            return reply(do(request, body))

        return web.route(method, path, handle)


@web.middleware
async def in_sess_form(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Never a stack trace: SES's error shapes."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return refuse(refusal)
    except web.HTTPRequestEntityTooLarge:
        return refuse(refusals.TOO_LARGE)
    except web.HTTPException as error:
        if not request.path.startswith("/v2/"):
            raise
        return refuse(Refusal(error.status, "UnknownOperationException", error.reason))
    except Exception:
        traceback.print_exc(file=sys.stderr)
        return refuse(refusals.INTERNAL)


async def _unknown(request: web.Request) -> web.StreamResponse:
    """What this simulator does not do is said, never guessed."""
    text = f"The simulator does not know {request.method} {request.path[:200]}."
    raise Refusal(404, "UnknownOperationException", text)


def caller(request: web.Request) -> str | None:
    """The access key id of the signature, which nobody checks."""
    _, found, rest = request.headers.get("Authorization", "").partition("Credential=")
    return rest.partition("/")[0][:128] if found else None
