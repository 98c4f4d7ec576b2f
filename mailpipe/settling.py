"""Outcomes become deletes, visibility changes, dead letters and parked messages: here and nowhere
else.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import random
from typing import Protocol

from mailpipe import failpoints, logs, metrics, origins
from mailpipe.aws.queue import (
    MAX_ATTRIBUTES,
    MAX_DELAY_S,
    MAX_VISIBILITY_S,
    Fault,
    Outgoing,
    Queue,
    Received,
)
from mailpipe.heartbeat import Heartbeat
from mailpipe.outcomes import CallFailed, Dead, Done, Outcome, Park, Retry
from mailpipe.parking import copy_of, often
from mailpipe.texts import without_addresses
from mailpipe.timing import backoff_s, now_ms

UNPARKED_S = 60.0
"""How long a message that waits for a condition is hidden where nothing is parked."""
UNPARKED_MOST_S = 900.0
"""The longest that a message is hidden which could not be parked."""

BURIED = frozenset({"reason", "attempts", "source", origins.ATTRIBUTE})
"""The attributes of a buried message that are ours."""

log = logs.get()


class Parking(Protocol):
    """Where messages wait outside their queue: `due.DueItems`."""

    def instead_of(self, retry: Retry, message: Received, queue: str) -> Park | None:
        """What is done in place of hiding this message; None: it may be hidden."""
        ...

    async def park(self, message: Received, queue: str, park: Park) -> None:
        """Durable when this returns. Raises CallFailed."""
        ...


@dataclass
class Progress:
    """How far a consumer has come: when the oldest message of its last poll was sent, when the last
    poll that brought nothing began (epoch ms), and when it last finished one (monotonic seconds).
    """

    finished_s: float
    oldest_sent_ms: int | None = None
    empty_ms: int = 0


class Settling:
    """Settles the messages of one queue. Without `parking` what would be parked is hidden.
    `settled` hears of each message when that is done.
    """

    def __init__(
        self,
        queue: Queue,
        dead: Queue,
        heartbeat: Heartbeat,
        parking: Parking | None,
        *,
        settled: Callable[[Received], None],
    ) -> None:
        self._queue = queue
        self._dead = dead
        self._heartbeat = heartbeat
        self._parking = parking
        self._settled = settled
        self.progress = Progress(time.monotonic())
        self._faults = {
            operation: metrics.QUEUE_FAULTS.labels(queue.name, operation)
            for operation in ("delete", "hide", "bury", "park")
        }
        self._counts = {
            kind: metrics.MESSAGES.labels(queue.name, kind.__name__.lower())
            for kind in (Done, Retry, Dead, Park)
        }

    async def settle(self, message: Received, outcome: Outcome) -> None:
        """Carry it out. Never raises: what fails comes back when its visibility ends."""
        ends_here = True
        try:
            if isinstance(outcome, Retry) and self._parking is not None:
                outcome = self._parking.instead_of(outcome, message, self._queue.name) or outcome
            self._counts[type(outcome)].inc()
            if not isinstance(outcome, Retry):
                self.progress.finished_s = time.monotonic()
            match outcome:
                case Done():
                    # A task that waited for this would only be woken to end.
                    self._queue.delete_soon(message.receipt, partial(self._deleted, message))
                    ends_here = False
                case Retry(after_s):
                    await self._hide(message, after_s)
                case Park():
                    await self._park(message, outcome)
                case Dead():
                    await self._bury(message, outcome)
        except Exception:
            # The message comes back by itself when its visibility ends.
            log.exception("settle_bug", queue=self._queue.name)
        finally:
            if ends_here:
                self.over(message)

    def _deleted(self, message: Received, fault: Fault) -> None:
        try:
            self._report("delete", fault)
        finally:
            self.over(message)

    def over(self, message: Received) -> None:
        """Nothing more is done for it: if it is not deleted it comes again."""
        self._heartbeat.drop(message.receipt)
        self._settled(message)

    async def _delete(self, message: Received) -> None:
        self._report("delete", *await self._queue.delete([message.receipt]))

    async def _hide(self, message: Received, after_s: float) -> None:
        await self._heartbeat.let_go(message.receipt)
        entry = (message.receipt, min(MAX_VISIBILITY_S, max(0, round(after_s))))
        self._report("hide", *await self._queue.hide([entry]))

    async def _park(self, message: Received, park: Park) -> None:
        """Keep it elsewhere; only when it is kept may it be deleted."""
        if self._parking is None:
            due_s = UNPARKED_S if park.due_ms is None else (park.due_ms - now_ms()) / 1000
            await self._hide(message, due_s)
            return
        try:
            await self._parking.park(message, self._queue.name, park)
        except CallFailed as fault:
            self._report("park", fault)
            if not await self._renewed(message):
                await self._hide(message, pause_s(message, cap_s=UNPARKED_MOST_S))
            return
        failpoints.hit("sender.parked")
        await self._delete(message)

    async def _renewed(self, message: Received) -> bool:
        """What is received too often dies as if it had crashed its process; before it comes to that
        it goes to the end of its queue anew.
        """
        if message.receives < often(self._queue.name):
            return False
        (fault,) = await self._queue.send([copy_of(message, delay_s=MAX_DELAY_S)])
        self._report("park", fault)
        if fault is None:
            await self._delete(message)
        return fault is None

    async def _bury(self, message: Received, outcome: Dead) -> None:
        """Keep the raw message with its reason; only when it is kept may it be deleted."""
        reason = without_addresses(outcome.reason)
        epitaph = _epitaph(message, reason, self._queue.name)
        (fault,) = await self._dead.send([Outgoing(message.body, attributes=epitaph)])
        if fault is not None:
            self._report("bury", fault)
            return
        log.error(
            "dead_letter",
            queue=self._queue.name,
            message_id=message.message_id,
            reason=reason,
        )
        await self._delete(message)

    def _report(self, operation: str, fault: Fault) -> None:
        if fault is not None:
            self._faults[operation].inc()
            log.warning(
                "queue_entry_failed",
                queue=self._queue.name,
                operation=operation,
                code=fault.code,
            )


def _epitaph(message: Received, reason: str, source: str) -> dict[str, str]:
    """Why a message died, and who had sent it where the queue tells: buried, it is sent by us. SQS
    takes ten attributes, and no control characters in them.
    """
    reason = "".join(c if " " <= c <= "~" else "?" for c in reason[:256])
    ours = {"reason": reason, "attempts": str(message.receives), "source": source}
    if message.sender_id is not None:
        ours[origins.ATTRIBUTE] = origins.extended(message.attributes, message.sender_id)
    foreign = [(name, value) for name, value in message.attributes.items() if name not in BURIED]
    return dict(foreign[: MAX_ATTRIBUTES - len(ours)]) | ours


def pause_s(message: Received, *, cap_s: float = 60) -> float:
    """Before the next try, longer each time."""
    return backoff_s(message.receives, first_s=1, cap_s=cap_s, jitter=random())  # noqa: S311


def longest_pause_s(message: Received) -> float:
    """The most that `pause_s` may answer."""
    return backoff_s(message.receives, first_s=1, cap_s=60, jitter=1)
