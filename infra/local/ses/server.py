"""SES v2 over HTTP: SendEmail is judged, logged, answered; then its events come.

No signature is checked: whoever can reach the port may send (it listens on loopback).
"""

import asyncio
import hashlib
import re
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
from infra.local.ses.outcomes import Due, Plan
from infra.local.ses.publisher import Publisher
from infra.local.ses.refusals import Refusal
from infra.local.ses.replies import refuse, reply
from infra.local.ses.sending import Message, decode, described, joined, validate
from infra.local.ses.sets import Sets

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_REQUEST_BYTES = 60 * 1024 * 1024
"""A message of 40 MB, in base64 and JSON, and some."""
STAMP = "X-Monotonic-Ns"
"""Header in which a client may say when it sent the request (CLOCK_MONOTONIC of this machine)."""
BEFORE_ACCEPT = ("throttle", "error_before_accept")
EVENT_FIRST = ("event_before_answer",)
AFTER_ACCEPT = ("drop_after_accept", "stall_after_accept")
FAULTS = (*BEFORE_ACCEPT, *EVENT_FIRST, *AFTER_ACCEPT)

_STAMP = re.compile(r"[0-9]{1,20}")
_OVER = {"throttled": refusals.throttled, "daily_quota": refusals.daily_quota}


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
        facts = self._facts(request, body)
        self._account.calls[facts["caller"], "SendEmail"] += 1
        try:
            mail, accepted = self._judge(body, facts)
        except Refusal as refusal:
            facts.setdefault("verdict", "refused")
            facts["code"] = refusal.code
            self._oracle.write("attempt", facts)
            raise
        except Exception:
            # A fault of ours is answered too, with 500, so it is logged too.
            facts |= {"verdict": "refused", "code": refusals.internal().code}
            self._oracle.write("attempt", facts)
            raise
        planned = self._plan.events(
            mail.recipients,
            infected=accepted.message.infected,
            is_suppressed=self._account.suppressed.__contains__,
        )
        if self._faults:
            await self._with_faults(request, mail, accepted, planned)
        else:
            self._publisher.schedule(accepted, planned, mail)
        return reply({"MessageId": mail.message_id})

    def _facts(self, request: web.Request, body: bytes) -> dict[str, Any]:
        stamp = request.headers.get(STAMP, "")
        return {
            "operation": "SendEmail",
            "sha256": hashlib.sha256(body).hexdigest(),
            "bytes": len(body),
            "caller": caller(request),
            "stampNs": int(stamp) if _STAMP.fullmatch(stamp) else None,
            "lag_ms": self._oracle.lag_ms,
            "from": None,
            "recipients": [],
            "tags": {},
            "headers": {},
            "messageId": None,
        }

    def _judge(self, body: bytes, facts: dict[str, Any]) -> tuple[Mail, Accepted]:
        """Not a coroutine: nothing comes between the quota's yes and its line in the log.
        Raises Refusal; `facts` then say what is known.
        """
        email = decode(body)
        try:
            message = validate(email)
        except Refusal:
            facts |= described(email)
            raise
        facts["from"], facts["recipients"] = message.source, message.recipients
        facts["tags"], facts["headers"] = message.tags, joined(message.own_headers)
        identity = self._account.judge(message)
        if self._faults:
            self._refuse_by_fault(message, facts)
        now_ns, at_s = time.monotonic_ns(), time.time()
        over = self._account.admit(now_ns / 1e9, message)
        if over is not None:
            if self._account.switches.enforced:
                facts["verdict"] = over
                raise _OVER[over]()
            facts["over"] = over
        message_id = facts["messageId"] = self._publisher.identifier(at_s)
        facts |= {"verdict": "accepted", "code": None}
        self._oracle.write("attempt", facts, t_ns=now_ns, t=at_s)
        mail = Mail(
            message_id=message_id,
            at_s=at_s,
            source=message.sender,
            recipients=message.recipients,
            body=body,
        )
        self._mailbox.keep(mail)
        return mail, Accepted(message_id, message, at_s, self._account.region, identity.name)

    def _hit(self, kinds: tuple[str, ...], message: Message) -> Live | None:
        about = " ".join([*message.recipients, *message.tags.values()])
        return self._faults.hit(kinds, "SendEmail", about, time.monotonic())

    def _refuse_by_fault(self, message: Message, facts: dict[str, Any]) -> None:
        live = self._hit(BEFORE_ACCEPT, message)
        if live is None:
            return
        facts["fault"] = live.id
        if live.fault.kind == "throttle":
            facts["verdict"] = "throttled"
            raise refusals.throttled()
        raise refusals.unavailable(live.fault.status, live.fault.code)

    async def _with_faults(
        self, request: web.Request, mail: Mail, accepted: Accepted, planned: list[Due]
    ) -> None:
        """Publish the first event before the answer, or spoil the answer, if a fault says so."""
        if (first := self._hit(EVENT_FIRST, accepted.message)) is not None:
            self._oracle.write("fault", {"id": first.id, "messageId": mail.message_id})
            self._publisher.at_once(accepted, planned.pop(0), mail)
        self._publisher.schedule(accepted, planned, mail)
        if first is not None:
            await asyncio.sleep(first.fault.seconds)
        live = self._hit(AFTER_ACCEPT, accepted.message)
        if live is None:
            return
        self._oracle.write("fault", {"id": live.id, "messageId": mail.message_id})
        if live.fault.kind == "stall_after_accept":
            await asyncio.sleep(live.fault.seconds)
        elif request.transport is not None:
            request.transport.abort()


class Simulator:
    """The routes of SES, and what turns every failure into SES's form."""

    def __init__(self, account: Account, sending: Sending, sets: Sets) -> None:
        self._account, self._sending = account, sending
        self._operations = [*sets.operations(), *Identities(account).operations()]

    def application(self, own: list[web.RouteDef]) -> web.Application:
        """SES's routes, and `own` ones of the simulator beside them."""
        app = web.Application(client_max_size=MAX_REQUEST_BYTES)
        app.router.add_post("/v2/email/outbound-emails", in_sess_form(self._sending.handle))
        app.add_routes([self._route(one) for one in self._operations])
        app.add_routes(own)
        app.router.add_route("*", "/{path:.*}", in_sess_form(_unknown))
        return app

    def _route(self, operation: Operation) -> web.RouteDef:
        method, path, name, do = operation

        async def handle(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            self._account.calls[caller(request), name] += 1
            self._account.called(name, time.monotonic())
            return reply(do(request, body))

        return web.route(method, path, in_sess_form(handle))


def in_sess_form(handler: Handler) -> Handler:
    """Never a stack trace: SES's error shapes. (A middleware would cost every send more.)"""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refusal as refusal:
            return refuse(refusal)
        except web.HTTPRequestEntityTooLarge:
            return refuse(refusals.too_large())
        except Exception:
            traceback.print_exc(file=sys.stderr)
            return refuse(refusals.internal())

    return handle


async def _unknown(request: web.Request) -> web.StreamResponse:
    """What this simulator does not do is said, never guessed."""
    text = f"The simulator does not know {request.method} {request.path[:200]}."
    raise Refusal(404, "UnknownOperationException", text)


def caller(request: web.Request) -> str:
    """The access key id of the signature, which nobody checks; empty without one."""
    rest = request.headers.get("Authorization", "").partition("Credential=")[2]
    return rest.partition("/")[0][:128]
