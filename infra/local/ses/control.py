"""What tests and people may do to the simulator itself, under `/_control`.

`account`: GET and PUT (a part of) the switches. `events`: GET how many are still to reach SNS, POST
one of any type about a kept mail. `identities/<name>/notifications`: PUT topics of the older
feedback form. `messages`: GET the newest accepted requests; one by its id comes as it was sent,
byte for byte. `calls`: GET who called which operation how often. `faults`: see
`infra.local.chaos.control`.
"""

import time
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from infra.local.chaos.control import answer
from infra.local.ses.account import Account
from infra.local.ses.events import API_NAMES, NOTIFICATIONS, Accepted
from infra.local.ses.mailbox import Mail, Mailbox
from infra.local.ses.oracle import Oracle
from infra.local.ses.outcomes import Due
from infra.local.ses.publisher import Publisher
from infra.local.ses.sending import validate

DEFAULT_LIMIT = 20


class Emitted(Struct, rename="camel", forbid_unknown_fields=True):
    """An event to publish now. Without `recipients` it is about all of the mail's."""

    message_id: str
    event_type: str
    recipients: list[str] | None = None
    facts: dict[str, Any] = {}


class Control:
    """The handlers."""

    def __init__(
        self, account: Account, publisher: Publisher, *, mailbox: Mailbox, oracle: Oracle
    ) -> None:
        self._account, self._publisher = account, publisher
        self._mailbox, self._oracle = mailbox, oracle

    def routes(self) -> list[web.RouteDef]:
        """For an application's router."""
        return [
            web.get("/_control/account", self._switches),
            web.put("/_control/account", self._switch),
            web.put("/_control/identities/{identity}/notifications", self._notify),
            web.get("/_control/events", self._outstanding),
            web.post("/_control/events", self._emit),
            web.get("/_control/calls", self._calls),
            web.get("/_control/messages", self._messages),
            web.get("/_control/messages/{id}", self._message),
        ]

    async def _switches(self, _: web.Request) -> web.Response:
        return answer(self._account.switches)

    async def _switch(self, request: web.Request) -> web.Response:
        try:
            wanted = msgspec.json.decode(await request.read(), type=dict[str, Any])
            self._account.change(wanted)
        except msgspec.DecodeError as error:
            return answer({"message": str(error)}, status=400)
        self._oracle.write("control", {"account": wanted})
        return answer(self._account.switches)

    async def _notify(self, request: web.Request) -> web.Response:
        known = self._account.identities.get(request.match_info["identity"])
        if known is None:
            return answer({"message": "there is no such identity"}, status=404)
        try:
            wanted = msgspec.json.decode(await request.read(), type=dict[str, str])
        except msgspec.DecodeError as error:
            return answer({"message": str(error)}, status=400)
        if strange := wanted.keys() - {*NOTIFICATIONS}:
            text = f"{', '.join(strange)}: the types are {', '.join(NOTIFICATIONS)}"
            return answer({"message": text}, status=400)
        known.notifications = wanted
        return answer(wanted)

    async def _calls(self, _: web.Request) -> web.Response:
        found = [
            {"caller": caller, "action": f"ses:{operation}", "count": count}
            for (caller, operation), count in sorted(self._account.calls.items())
        ]
        return answer({"calls": found})

    async def _outstanding(self, _: web.Request) -> web.Response:
        return answer({"outstanding": self._publisher.outstanding})

    async def _emit(self, request: web.Request) -> web.Response:
        try:
            wanted = msgspec.json.decode(await request.read(), type=Emitted)
        except msgspec.DecodeError as error:
            return answer({"message": str(error)}, status=400)
        if wanted.event_type not in API_NAMES:
            text = f"eventType: the types are {', '.join(API_NAMES)}"
            return answer({"message": text}, status=400)
        mail = self._mailbox.get(wanted.message_id)
        if mail is None:
            return answer({"message": "messageId: no such mail is kept"}, status=404)
        recipients = wanted.recipients or mail.recipients
        due = Due(0.0, wanted.event_type, recipients, wanted.facts)
        self._publisher.at_once(self._accepted(mail), due, mail)
        return answer({})

    def _accepted(self, mail: Mail) -> Accepted:
        message = validate(mail.request)
        identity = self._account.identity(message.sender)
        name = message.sender if identity is None else identity.name
        return Accepted(mail.message_id, message, mail.at_s, self._account.region, name)

    async def _messages(self, request: web.Request) -> web.Response:
        asked = request.query.get("limit", str(DEFAULT_LIMIT))
        limit = int(asked) if asked.isdecimal() else DEFAULT_LIMIT
        newest = [mail for _, mail in zip(range(limit), self._mailbox.newest(), strict=False)]
        found = [{"messageId": one.message_id, "request": msgspec.Raw(one.body)} for one in newest]
        return answer({"messages": found, "t": time.time()})

    async def _message(self, request: web.Request) -> web.Response:
        mail = self._mailbox.get(request.match_info["id"])
        if mail is None:
            return answer({"message": "no such mail is kept"}, status=404)
        return web.Response(body=mail.body, content_type="application/json")
