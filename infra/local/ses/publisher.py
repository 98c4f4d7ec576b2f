"""When an accepted message's events are published, and what a fault does to them."""

import asyncio
import itertools
import time
from random import Random
from typing import Any, NamedTuple

import msgspec

from infra.local.chaos.faults import Faults, Live
from infra.local.ses.account import Account
from infra.local.ses.events import (
    API_NAMES,
    NOTIFICATIONS,
    Accepted,
    event,
    identifier,
    notification,
)
from infra.local.ses.mailbox import Mail
from infra.local.ses.oracle import Oracle
from infra.local.ses.outcomes import Due
from infra.local.ses.sns import Sns

FAULTS = ("withhold", "delay", "reorder", "duplicate")
LOOK_S = 0.05
"""How soon after its fault has ended a withheld event goes out."""

_encode = msgspec.json.Encoder().encode


class Pending(NamedTuple):
    """An event that is still to come."""

    handle: asyncio.TimerHandle
    accepted: Accepted
    due: Due
    mail: Mail | None
    live: Live | None


class Publisher:
    """Events wait on the loop's timers; `drain` sends at once what is still to come."""

    def __init__(
        self, account: Account, sns: Sns, oracle: Oracle, *, faults: Faults, seed: int
    ) -> None:
        self._account, self._sns, self._oracle, self._faults = account, sns, oracle, faults
        self._choice = Random(seed)  # noqa: S311 - reproducible on purpose
        self._numbers = itertools.count()
        self._pending = dict[int, Pending]()

    def schedule(self, accepted: Accepted, planned: list[Due], mail: Mail | None) -> None:
        """Publish these events when they are due."""
        for due in planned:
            live = self._fault(accepted, due) if self._faults else None
            wait_s = due.after_s
            if live is not None and live.fault.kind == "delay":
                wait_s += live.fault.seconds
            elif live is not None and live.fault.kind == "reorder":
                wait_s += live.uniform(live.fault.seconds)
            self._later(wait_s, accepted, due, mail=mail, live=live)

    def identifier(self, at_s: float) -> str:
        """An id for a message."""
        return identifier(at_s, self._choice)

    def at_once(self, accepted: Accepted, due: Due, mail: Mail | None) -> None:
        """Publish one now."""
        self._publish(accepted, due, mail, None)

    def _fault(self, accepted: Accepted, due: Due) -> Live | None:
        about = " ".join([*due.recipients, *accepted.message.tags.values()])
        return self._faults.hit(FAULTS, due.event_type, about, time.monotonic())

    def _later(
        self, wait_s: float, accepted: Accepted, due: Due, *, mail: Mail | None, live: Live | None
    ) -> None:
        number = next(self._numbers)
        handle = asyncio.get_running_loop().call_later(wait_s, self._fire, number)
        self._pending[number] = Pending(handle, accepted, due, mail, live)

    def _fire(self, number: int) -> None:
        _, accepted, due, mail, live = self._pending.pop(number)
        if live is not None and live.fault.kind == "withhold":
            if self._faults.holds(live, time.monotonic()):
                self._later(LOOK_S, accepted, due, mail=mail, live=live)
                return
        elif live is not None and live.fault.kind == "duplicate":
            for _ in range(live.fault.copies):
                wait_s = live.uniform(live.fault.seconds)
                self._later(wait_s, accepted, due, mail=mail, live=None)
        self._publish(accepted, due, mail, live)

    def _publish(self, accepted: Accepted, due: Due, mail: Mail | None, live: Live | None) -> None:
        message = accepted.message
        topics = self._account.topics(message.configuration_set, API_NAMES[due.event_type])
        identity = self._account.identities.get(accepted.identity)
        older = identity.notifications.get(due.event_type) if identity is not None else None
        at_s = time.time()
        published = event(accepted, due, at_s=at_s, choice=self._choice)
        if mail is not None:
            mail.events.append(published)
        if due.event_type == "Bounce":
            self._suppress(published["bounce"], accepted)
        if not topics and older is None:
            return  # nobody hears of it, so no checker may expect that somebody did
        facts: dict[str, Any] = {
            "eventType": due.event_type,
            "messageId": accepted.message_id,
            "recipients": due.recipients,
            "tags": message.tags,
            "bounceType": due.facts.get("bounceType"),
            "bounceSubType": due.facts.get("bounceSubType"),
        }
        if live is not None:
            facts["fault"] = live.id
        self._oracle.write("event", facts, t=at_s)
        if topics:
            body = _encode(published)
            for topic in topics:
                self._sns.publish(topic, body)
        if older is not None and due.event_type in NOTIFICATIONS:
            self._sns.publish(older, _encode(notification(accepted, published)))

    def _suppress(self, bounce: dict[str, Any], accepted: Accepted) -> None:
        """A hard bounce puts an address on the account's list, but not one of the mailbox
        simulator (SES Developer Guide, "Using the account-level suppression list").
        """
        if (bounce["bounceType"], bounce["bounceSubType"]) != ("Permanent", "General"):
            return
        for one in bounce["bouncedRecipients"]:
            self._account.suppress(
                one["emailAddress"],
                "BOUNCE",
                message_id=accepted.message_id,
                feedback_id=bounce["feedbackId"],
            )

    async def drain(self) -> None:
        """Publish at once what is still to come."""
        for number, one in list(self._pending.items()):
            one.handle.cancel()
            del self._pending[number]
            self._publish(one.accepted, one.due, one.mail, one.live)
        await self._sns.drained()
