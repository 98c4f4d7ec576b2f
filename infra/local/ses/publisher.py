"""When an accepted message's events are published, and what a fault does to them."""

import asyncio
import heapq
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
    PAYLOADS,
    Accepted,
    event,
    identifier,
    notification,
)
from infra.local.ses.mailbox import Mail
from infra.local.ses.oracle import Oracle
from infra.local.ses.outcomes import Due
from infra.local.ses.sns import Sns

_SUPPRESSING = ("Bounce", "Complaint")
_HARD = ("General", "NoEmail")
FAULTS = ("withhold", "delay", "reorder", "duplicate")
TICK_S = 0.005
"""Events of the same few milliseconds go together."""
LOOK_S = 0.05
"""How soon after its fault has ended a withheld event goes out."""

_encode = msgspec.json.Encoder().encode


class Pending(NamedTuple):
    """An event that is still to come, in order of time; `number` keeps equal times in order."""

    at: float
    number: int
    accepted: Accepted
    due: Due
    mail: Mail
    live: Live | None


class Publisher:
    """Events wait in a heap; `run` publishes what is due, `drain` at once what is left."""

    def __init__(
        self, account: Account, sns: Sns, oracle: Oracle, *, faults: Faults, seed: int
    ) -> None:
        self._account, self._sns, self._oracle, self._faults = account, sns, oracle, faults
        self._choice = Random(seed)  # noqa: S311 - reproducible on purpose
        self._numbers = itertools.count()
        self._pending = list[Pending]()
        self._arrived = asyncio.Event()

    @property
    def outstanding(self) -> int:
        """Events that are still to come or not yet with SNS."""
        return len(self._pending) + self._sns.unpublished

    def identifier(self, at_s: float) -> str:
        """An id for a message."""
        return identifier(at_s, self._choice)

    def schedule(self, accepted: Accepted, planned: list[Due], mail: Mail) -> None:
        """Publish these events when they are due."""
        now = time.monotonic()
        for due in planned:
            live = self._fault(accepted, due) if self._faults else None
            at = now + due.after_s
            if live is not None and live.fault.kind == "delay":
                at += live.fault.seconds
            elif live is not None and live.fault.kind == "reorder":
                at += live.uniform(live.fault.seconds)
            self._push(Pending(at, next(self._numbers), accepted, due, mail, live))

    def at_once(self, accepted: Accepted, due: Due, mail: Mail) -> None:
        """Publish one now."""
        self._publish([Pending(0.0, 0, accepted, due, mail, None)])

    async def run(self) -> None:
        """Publish what is due, for ever."""
        while True:
            if not self._pending:
                self._arrived.clear()
                await self._arrived.wait()
            await asyncio.sleep(TICK_S)
            if due := self._due(time.monotonic()):
                self._publish(due)

    async def drain(self) -> None:
        """Publish at once what is still to come."""
        left, self._pending = sorted(self._pending), []
        self._publish(left)
        await self._sns.drained()

    def _fault(self, accepted: Accepted, due: Due) -> Live | None:
        about = " ".join([*due.recipients, *accepted.message.tags.values()])
        return self._faults.hit(FAULTS, due.event_type, about, time.monotonic())

    def _push(self, one: Pending) -> None:
        heapq.heappush(self._pending, one)
        self._arrived.set()

    def _due(self, now: float) -> list[Pending]:
        found = list[Pending]()
        while self._pending and self._pending[0].at <= now:
            one = heapq.heappop(self._pending)
            kind = None if one.live is None else one.live.fault.kind
            if kind == "withhold" and one.live and self._faults.holds(one.live, now):
                heapq.heappush(self._pending, one._replace(at=now + LOOK_S))
                continue
            if kind == "duplicate" and one.live:
                for _ in range(one.live.fault.copies):
                    at = now + one.live.uniform(one.live.fault.seconds)
                    self._push(one._replace(at=at, number=next(self._numbers), live=None))
            found.append(one)
        return found

    def _publish(self, due: list[Pending]) -> None:
        """Log first, then publish."""
        lines, bodies = list[dict[str, Any]](), list[tuple[str, bytes]]()
        for one in due:
            published = event(one.accepted, one.due, at_s=time.time(), choice=self._choice)
            body = _encode(published)
            one.mail.published.append(body)
            if one.due.event_type in _SUPPRESSING:
                self._suppress(one, published)
            # What nobody hears of is not logged: no checker may expect that somebody did.
            if heard := self._bodies(one.accepted, published, body):
                lines.append(_facts(one))
                bodies += heard
        if lines:
            self._oracle.write_all("event", lines)
        for topic, body in bodies:
            self._sns.publish(topic, body)

    def _bodies(
        self, accepted: Accepted, published: dict[str, Any], body: bytes
    ) -> list[tuple[str, bytes]]:
        """Each topic that hears of it, and what it gets."""
        kind = published["eventType"]
        topics = self._account.topics(accepted.message.configuration_set, API_NAMES[kind])
        found = [(topic, body) for topic in topics]
        identity = self._account.identities.get(accepted.identity)
        if identity is not None and kind in NOTIFICATIONS and kind in identity.notifications:
            older = _encode(notification(accepted, published))
            found.append((identity.notifications[kind], older))
        return found

    def _suppress(self, one: Pending, published: dict[str, Any]) -> None:
        """A hard bounce or a complaint puts an address on the account's list, but not one of the
        mailbox simulator (SES Developer Guide, "Using the account-level suppression list").
        """
        reason, payload = one.due.event_type.upper(), published[PAYLOADS[one.due.event_type]]
        if reason == "BOUNCE" and (
            payload["bounceType"] != "Permanent" or payload["bounceSubType"] not in _HARD
        ):
            return
        if payload.get("complaintFeedbackType") == "not-spam":
            return
        for address in one.due.recipients:
            self._account.suppress(
                address,
                reason,
                message_id=one.accepted.message_id,
                feedback_id=payload["feedbackId"],
            )


def _facts(one: Pending) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "eventType": one.due.event_type,
        "messageId": one.accepted.message_id,
        "recipients": one.due.recipients,
        "tags": one.accepted.message.tags,
        "bounceType": one.due.facts.get("bounceType"),
        "bounceSubType": one.due.facts.get("bounceSubType"),
    }
    return facts if one.live is None else {**facts, "fault": one.live.id}
