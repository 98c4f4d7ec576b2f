"""For tests without a cloud: `Outbox` for the code of producers, and an in-memory queue.

The queue behaves as SQS does: leases, receive counts, delays, dead letters, retention. It obeys the
same contract suite as the real one (`tests/integration/test_queue_contract.py`), so rules that meet
a queue can be tested as values: no network, and time is what `clock` says.
"""

import asyncio
import contextlib
import heapq
import itertools
import math
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

RETENTION_S = 4 * 86_400
"""From the send on, whatever happens to the message meanwhile, unless a queue says otherwise (SQS
Developer Guide, "Amazon SQS queue parameters"). What is in the dead letters has come anew here.
"""


@dataclass(order=True)
class _Stored:
    number: int
    queue: str = field(compare=False)
    body: str = field(compare=False)
    attributes: dict[str, str] = field(compare=False)
    sent_at_s: float = field(compare=False)
    visible_at_s: float = field(compare=False)
    delayed: bool = field(compare=False)
    receives: int = field(default=0, compare=False)
    received_at_s: float = field(default=0.0, compare=False)
    receipt: str | None = field(default=None, compare=False)

    @property
    def message_id(self) -> str:
        return f"{self.queue}-m{self.number}"


class InMemoryQueue:
    """A standard queue in this process; `clock` gives seconds."""

    def __init__(
        self,
        name: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        visibility_s: int = 60,
        retention_s: float = RETENTION_S,
        max_receive_count: int = 100,
        dead: "InMemoryQueue | None" = None,
    ) -> None:
        self.name = name
        self.url = f"memory://{name}"
        self._clock = clock
        self._visibility_s = visibility_s
        self._retention_s = retention_s
        self._max_receive_count = max_receive_count
        self._dead = dead
        self._messages = dict[str, _Stored]()  # in the order in which they were sent
        self._ready = list[_Stored]()
        self._later = list[tuple[float, _Stored]]()
        self._numbers = itertools.count(1)
        self._arrival = asyncio.Event()

    async def send(self, messages: Sequence[Outgoing]) -> list[Fault]:
        """See mailpipe.aws.queue.Queue.send."""
        return [self._send(message) for message in messages]

    async def send_until(self, messages: Sequence[Outgoing], due_s: float) -> list[Fault]:
        """See mailpipe.aws.queue.TimedQueue.send_until."""
        return await self.send(messages)

    def _send(self, message: Outgoing) -> Fault:
        if weight(message) > MAX_MESSAGE_BYTES or not message.body:
            return _refused("InvalidParameterValue", "1 byte to 1 MiB")
        if not 0 <= message.delay_s <= MAX_DELAY_S:
            return _refused("InvalidParameterValue", "DelaySeconds must be 0 to 900")
        now = self._clock()
        stored = _Stored(
            *(next(self._numbers), self.name, message.body, dict(message.attributes)),
            *(now, now + message.delay_s, message.delay_s > 0),
        )
        self._messages[stored.message_id] = stored
        self._appears(stored)
        return None

    def _appears(self, stored: _Stored) -> None:
        """It is visible from `visible_at_s` on."""
        if stored.visible_at_s > self._clock():
            heapq.heappush(self._later, (stored.visible_at_s, stored))
        else:
            heapq.heappush(self._ready, stored)
        self._arrival.set()

    async def receive(
        self, most: int, *, wait_s: float, visibility_s: float | None = None
    ) -> list[Received]:
        """See mailpipe.aws.queue.Queue.receive."""
        hidden_s = self._visibility_s if visibility_s is None else round(visibility_s)
        while not (found := self._take(most, hidden_s)) and wait_s > 0:
            step_s = min(wait_s, max(0.001, self._next_s() - self._clock()))
            self._arrival.clear()
            begun_s = asyncio.get_running_loop().time()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrival.wait(), step_s)
            wait_s -= max(0.001, asyncio.get_running_loop().time() - begun_s)
        return found

    def _next_s(self) -> float:
        """When the next hidden message may be seen."""
        return self._later[0][0] if self._later else math.inf

    def _take(self, most: int, hidden_s: int) -> list[Received]:
        now, found = self._clock(), list[Received]()
        self._forget(now)
        while self._later and self._later[0][0] <= now:
            heapq.heappush(self._ready, heapq.heappop(self._later)[1])
        while self._ready and len(found) < most:
            stored = heapq.heappop(self._ready)
            # Places of messages that are deleted or hidden anew are left behind.
            if stored.message_id not in self._messages or stored.visible_at_s > now:
                continue
            if stored.receives >= self._max_receive_count:
                self._redrive(stored)
            else:
                found.append(self._handed_out(stored, now, hidden_s))
        return found

    def _handed_out(self, stored: _Stored, now: float, hidden_s: int) -> Received:
        stored.receives += 1
        stored.delayed = False
        stored.received_at_s, stored.visible_at_s = now, now + hidden_s
        stored.receipt = f"{stored.message_id}/{stored.receives}"
        self._appears(stored)
        return Received(
            stored.message_id,
            stored.receipt,
            stored.body,
            receives=stored.receives,
            sent_at_ms=round(stored.sent_at_s * 1000),
            attributes=stored.attributes,
        )

    def _forget(self, now: float) -> None:
        """Retention deletes what was sent too long ago, in hand or not."""
        while self._messages:
            oldest = next(iter(self._messages.values()))
            if now - oldest.sent_at_s < self._retention_s:
                return
            del self._messages[oldest.message_id]

    def _redrive(self, stored: _Stored) -> None:
        del self._messages[stored.message_id]
        if self._dead is not None:
            self._dead._send(Outgoing(stored.body, attributes=stored.attributes))

    async def delete(self, receipts: Sequence[str]) -> list[Fault]:
        """See mailpipe.aws.queue.Queue.delete. An old receipt deletes nothing."""
        faults = list[Fault]()
        for receipt in receipts:
            self.delete_soon(receipt, faults.append)
        return faults

    def delete_soon(self, receipt: str, told: Callable[[Fault], None]) -> None:
        """See mailpipe.aws.queue.Queue.delete_soon."""
        if (stored := self._held(receipt)) is not None:
            del self._messages[stored.message_id]
        told(None)

    async def hide(self, entries: Sequence[tuple[str, int]]) -> list[Fault]:
        """See mailpipe.aws.queue.Queue.hide. Nobody has a message in hand for more than 12 hours
        (SQS Developer Guide, "Amazon SQS visibility timeout").
        """
        now, faults = self._clock(), list[Fault]()
        for receipt, seconds in entries:
            stored = self._held(receipt)
            if not 0 <= seconds <= MAX_VISIBILITY_S:
                faults.append(_refused("InvalidParameterValue", "0 to 43,200 seconds"))
            elif stored is None or stored.visible_at_s <= now:
                faults.append(_refused("MessageNotInflight", "not in flight"))
            elif now + seconds - stored.received_at_s > MAX_VISIBILITY_S:
                faults.append(_refused("InvalidParameterValue", "43,200 seconds in all"))
            else:
                stored.visible_at_s = now + seconds
                self._appears(stored)
                faults.append(None)
        return faults

    async def depth(self) -> Depth:
        """See mailpipe.aws.queue.Queue.depth."""
        now, stored = self._clock(), self._messages.values()
        self._forget(now)
        waiting = [one for one in stored if one.visible_at_s > now]
        delayed = sum(one.delayed for one in waiting)
        return Depth(len(stored) - len(waiting), len(waiting) - delayed, delayed)

    def _held(self, receipt: str) -> _Stored | None:
        stored = self._messages.get(receipt.partition("/")[0])
        return stored if stored is not None and stored.receipt == receipt else None


def _refused(code: str, text: str) -> CallFailed:
    return CallFailed(Kind.REFUSED, code, text)
