"""For tests without a cloud: `Outbox` for the code of producers, and an in-memory queue.

The queue behaves as SQS does: leases, receive counts, delays, dead letters. It obeys the same
contract suite as the real one (`tests/integration/test_queue_contract.py`), so rules that meet a
queue can be tested as values: no network, and time is what `clock` says.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mailpipe.aws.queue import (
    MAX_DELAY_S,
    MAX_VISIBILITY_S,
    Depth,
    Fault,
    Outgoing,
    Received,
    weight,
)
from mailpipe.messages import MAX_MESSAGE_BYTES
from mailpipe.outbox import Mail, Outbox
from mailpipe.outcomes import CallFailed, Kind

__all__ = ["InMemoryQueue", "Mail", "Outbox"]


@dataclass
class _Stored:
    message_id: str
    body: str
    attributes: dict[str, str]
    sent_at_s: float
    visible_at_s: float
    receives: int = 0
    receipt: str | None = None
    delayed: bool = False
    order: int = field(default=0)


class InMemoryQueue:
    """A standard queue in this process; `clock` gives seconds."""

    def __init__(
        self,
        name: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        visibility_s: int = 60,
        max_receive_count: int = 100,
        dead: "InMemoryQueue | None" = None,
    ) -> None:
        self.name = name
        self.url = f"memory://{name}"
        self._clock = clock
        self._visibility_s = visibility_s
        self._max_receive_count = max_receive_count
        self._dead = dead
        self._messages = dict[str, _Stored]()
        self._numbers = itertools.count(1)
        self._arrival = asyncio.Event()

    async def send(self, messages: Sequence[Outgoing]) -> list[Fault]:
        """See mailpipe.aws.queue.Queue.send."""
        return [self._send(message) for message in messages]

    def _send(self, message: Outgoing) -> Fault:
        if weight(message) > MAX_MESSAGE_BYTES or not message.body:
            return _refused("InvalidParameterValue", "1 byte to 1 MiB")
        if not 0 <= message.delay_s <= MAX_DELAY_S:
            return _refused("InvalidParameterValue", "DelaySeconds must be 0 to 900")
        number, now = next(self._numbers), self._clock()
        self._messages[f"m{number}"] = _Stored(
            *(f"m{number}", message.body, dict(message.attributes), now, now + message.delay_s),
            delayed=message.delay_s > 0,
            order=number,
        )
        self._arrival.set()
        return None

    async def receive(
        self, most: int, *, wait_s: float, visibility_s: float | None = None
    ) -> list[Received]:
        """See mailpipe.aws.queue.Queue.receive."""
        hidden_s = self._visibility_s if visibility_s is None else round(visibility_s)
        found = self._take(most, hidden_s)
        if not found and wait_s > 0:
            self._arrival.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrival.wait(), wait_s)
            found = self._take(most, hidden_s)
        return found

    def _take(self, most: int, hidden_s: int) -> list[Received]:
        now, found = self._clock(), list[Received]()
        for stored in sorted(self._messages.values(), key=lambda one: one.order):
            if stored.visible_at_s > now or len(found) == most:
                continue
            if stored.receives >= self._max_receive_count:
                self._redrive(stored)
                continue
            stored.receives += 1
            stored.delayed = False
            stored.visible_at_s = now + hidden_s
            stored.receipt = f"{stored.message_id}/{stored.receives}"
            found.append(
                Received(
                    stored.message_id,
                    stored.receipt,
                    stored.body,
                    receives=stored.receives,
                    sent_at_ms=round(stored.sent_at_s * 1000),
                    attributes=stored.attributes,
                )
            )
        return found

    def _redrive(self, stored: _Stored) -> None:
        del self._messages[stored.message_id]
        if self._dead is not None:
            self._dead._send(Outgoing(stored.body, attributes=stored.attributes))

    async def delete(self, receipts: Sequence[str]) -> list[Fault]:
        """See mailpipe.aws.queue.Queue.delete. An old receipt deletes nothing."""
        for receipt in receipts:
            if (stored := self._held(receipt)) is not None:
                del self._messages[stored.message_id]
        return [None] * len(receipts)

    async def hide(self, entries: Sequence[tuple[str, int]]) -> list[Fault]:
        """See mailpipe.aws.queue.Queue.hide."""
        faults = list[Fault]()
        for receipt, seconds in entries:
            stored = self._held(receipt)
            if not 0 <= seconds <= MAX_VISIBILITY_S:
                faults.append(_refused("InvalidParameterValue", "0 to 43,200 seconds"))
            elif stored is None or stored.visible_at_s <= self._clock():
                faults.append(_refused("MessageNotInflight", "not in flight"))
            else:
                stored.visible_at_s = self._clock() + seconds
                if seconds == 0:
                    self._arrival.set()
                faults.append(None)
        return faults

    async def depth(self) -> Depth:
        """See mailpipe.aws.queue.Queue.depth."""
        now, stored = self._clock(), self._messages.values()
        waiting = [one for one in stored if one.visible_at_s > now]
        delayed = sum(one.delayed for one in waiting)
        return Depth(len(stored) - len(waiting), len(waiting) - delayed, delayed)

    def _held(self, receipt: str) -> _Stored | None:
        stored = self._messages.get(receipt.partition("/")[0])
        return stored if stored is not None and stored.receipt == receipt else None


def _refused(code: str, text: str) -> CallFailed:
    return CallFailed(Kind.REFUSED, code, text)
