"""The HTTP side: SES v2's routes, and a few of the simulator's own under `/_simulator`."""

import asyncio
import hashlib
import itertools
import json
import time
import uuid
from collections import OrderedDict
from random import Random
from typing import Any

import msgspec
from aiohttp import web

from infra.local.ses.cloud import Cloud
from infra.local.ses.events import Accepted, event, identifier
from infra.local.ses.oracle import Oracle
from infra.local.ses.outcomes import Due, plan
from infra.local.ses.quota import Quota
from infra.local.ses.sending import Refusal, SendEmail, decode, validate

KEPT_MESSAGES = 1000
_REFUSED = {
    "throttled": Refusal(429, "TooManyRequestsException", "Maximum sending rate exceeded."),
    "daily_quota": Refusal(400, "LimitExceededException", "Daily message quota exceeded."),
}


class Simulator:
    """One account in one region."""

    def __init__(
        self,
        cloud: Cloud,
        oracle: Oracle,
        *,
        quota: Quota,
        region: str,
        seed: int,
        latency_scale: float,
    ) -> None:
        self._cloud = cloud
        self._oracle = oracle
        self._quota = quota
        self._region = region
        self._choice = Random(seed)  # noqa: S311 - reproducible on purpose
        self._latency_scale = latency_scale
        self._kept = OrderedDict[str, bytes]()
        self._numbers = itertools.count()
        self._pending = dict[int, tuple[asyncio.TimerHandle, Accepted, Due]]()

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=45_000_000)
        app.add_routes(
            [
                web.post("/v2/email/outbound-emails", self.send_email),
                web.get("/v2/email/account", self.get_account),
                web.get("/_simulator/messages", self.messages),
                web.get("/_simulator/messages/{id}", self.message),
                web.get("/_simulator/account", self.account),
                web.put("/_simulator/account", self.change_account),
                web.route("*", "/{path:.*}", self.unknown),
            ]
        )
        return app

    async def send_email(self, request: web.Request) -> web.Response:
        """SendEmail: judged, logged, answered; then its events come."""
        body = await request.read()
        facts: dict[str, Any] = {
            "operation": "SendEmail",
            "sha256": hashlib.sha256(body).hexdigest(),
            "bytes": len(body),
            "lag_ms": self._oracle.lag_ms,
        }
        try:
            email = decode(body)
            facts |= _described(email)
            verdict = await self._judge(email)
        except Refusal as refusal:
            said = {"verdict": "refused", "code": refusal.code, "messageId": None}
            self._oracle.write("attempt", **said, **facts)
            return _refused(refusal)
        if verdict is not None:
            said = {"verdict": verdict, "code": _REFUSED[verdict].code, "messageId": None}
            self._oracle.write("attempt", **said, **facts)
            return _refused(_REFUSED[verdict])
        accepted = Accepted(identifier(time.time(), self._choice), email, time.time(), self._region)
        said = {"verdict": "accepted", "code": None, "messageId": accepted.message_id}
        self._oracle.write("attempt", **said, **facts)
        self._keep(accepted.message_id, body)
        self._schedule(accepted)
        return _answer(200, {"MessageId": accepted.message_id})

    async def _judge(self, email: SendEmail) -> str | None:
        """None: accepted. Nothing is awaited between the quota's yes and the log line."""
        validate(email)
        name = email.configuration_set_name
        if name is not None and not await self._cloud.knows_set(name):
            text = f"Configuration set <{name}> does not exist."
            raise Refusal(404, "NotFoundException", text)
        if not await self._cloud.may_send(email.sender()):
            text = (
                "Email address is not verified. The following identities failed the check in "
                f"region {self._region.upper()}: {email.sender()}"
            )
            raise Refusal(400, "MessageRejected", text)
        return self._quota.admit(
            time.monotonic(), recipients=len(email.recipients()), simulated=email.simulated()
        )

    def _keep(self, message_id: str, body: bytes) -> None:
        self._kept[message_id] = body
        while len(self._kept) > KEPT_MESSAGES:
            self._kept.popitem(last=False)

    def _schedule(self, accepted: Accepted) -> None:
        loop = asyncio.get_running_loop()
        for due in plan(accepted.request.recipients(), self._choice, self._latency_scale):
            number = next(self._numbers)
            handle = loop.call_later(due.after_s, self._publish, number)
            self._pending[number] = (handle, accepted, due)

    def _publish(self, number: int) -> None:
        _, accepted, due = self._pending.pop(number)
        body = event(accepted, due, at_s=time.time(), choice=self._choice)
        self._oracle.write(
            "event",
            eventType=due.event_type,
            messageId=accepted.message_id,
            recipients=due.recipients,
            tags=accepted.request.tags(),
            bounceType=due.facts.get("bounceType"),
            bounceSubType=due.facts.get("bounceSubType"),
        )
        name = accepted.request.configuration_set_name
        self._cloud.publish(name, due.event_type, msgspec.json.encode(body).decode())

    async def drain(self) -> None:
        """Publish at once what is still to come."""
        for number, (handle, _, _) in list(self._pending.items()):
            handle.cancel()
            self._publish(number)
        await self._cloud.drained()

    async def get_account(self, _: web.Request) -> web.Response:
        """GetAccount."""
        quota = {
            "Max24HourSend": self._quota.max_24_hour_send,
            "MaxSendRate": self._quota.max_send_rate,
            "SentLast24Hours": float(self._quota.sent_last_24_hours(time.monotonic())),
        }
        account = {"SendQuota": quota, "SendingEnabled": True, "ProductionAccessEnabled": True}
        return _answer(200, {**account, "EnforcementStatus": "HEALTHY"})

    async def messages(self, request: web.Request) -> web.Response:
        """The newest accepted messages, as they came in."""
        limit = int(request.query.get("limit", "20"))
        newest = list(self._kept.items())[-limit:][::-1]
        found = [{"messageId": name, "request": json.loads(body)} for name, body in newest]
        return _answer(200, {"messages": found})

    async def message(self, request: web.Request) -> web.Response:
        """One accepted message, byte for byte."""
        body = self._kept.get(request.match_info["id"])
        if body is None:
            return _refused(Refusal(404, "NotFoundException", "No such message is kept."))
        return web.Response(body=body, content_type="application/json")

    async def account(self, _: web.Request) -> web.Response:
        """The limits."""
        limits = {
            "maxSendRate": self._quota.max_send_rate,
            "max24HourSend": self._quota.max_24_hour_send,
        }
        return _answer(200, limits)

    async def change_account(self, request: web.Request) -> web.Response:
        """Change a limit while running."""
        wanted = await request.json()
        self._quota.max_send_rate = float(wanted.get("maxSendRate", self._quota.max_send_rate))
        self._quota.max_24_hour_send = float(
            wanted.get("max24HourSend", self._quota.max_24_hour_send)
        )
        return await self.account(request)

    async def unknown(self, request: web.Request) -> web.Response:
        """What this simulator does not do is said, never guessed."""
        text = f"The simulator does not know {request.method} {request.path}."
        return _refused(Refusal(404, "UnknownOperationException", text))


def _described(email: SendEmail) -> dict[str, Any]:
    simple = email.content.simple
    headers = simple.headers if simple is not None else []
    return {
        "from": email.from_email_address,
        "recipients": email.recipients(),
        "tags": email.tags(),
        "headers": {header.name: header.value for header in headers},
    }


def _answer(status: int, body: dict[str, Any], **headers: str) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body),
        status=status,
        content_type="application/json",
        headers={"x-amzn-RequestId": str(uuid.uuid4()), **headers},
    )


def _refused(refusal: Refusal) -> web.Response:
    return _answer(refusal.status, {"message": refusal.text}, **{"x-amzn-ErrorType": refusal.code})
