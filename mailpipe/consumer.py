"""The consume loop. A message is deleted only after its work is durable; a crash repeats, never
loses.

A slot is taken before a message is fetched, so what is in hand is bounded hard. A handler answers
with an outcome, which `settling.py` carries out (ten share a call: `aws/batcher.py`). While a
message is in hand its visibility is renewed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import random
from typing import Protocol

from mailpipe import logs, metrics
from mailpipe.aws.queue import BATCH, Queue, Received
from mailpipe.heartbeat import Heartbeat
from mailpipe.lifecycle import Stop
from mailpipe.outcomes import CallFailed, Outcome, Retry
from mailpipe.settling import Parking, Progress, Settling, pause_s
from mailpipe.timing import backoff_s, now_ms

Handle = Callable[[Received], Awaitable[Outcome]]

GATHER_S = 0.04
"""After a poll that brought some messages, but fewer than asked for: the next one then brings more.
The first message of an idle queue never waits for it."""

SETTLE_S = 10.0
"""After the drain: so long the calls that delete or hand back may take."""

log = logs.get()


class Appetite(Protocol):
    """Says how much a handler can use of what `concurrency` allows."""

    async def appetite(self) -> int:
        """Messages to fetch now; waits while there is no use for any. Returns at a stop, too."""
        ...

    def full_for(self, seconds: float) -> None:
        """`concurrency` was the limit for so long."""
        ...


class Consumer:
    """Handles the messages of one queue, at most `concurrency` at a time. Without `parking` what
    would be parked is hidden.
    """

    def __init__(
        self,
        queue: Queue,
        dead: Queue,
        handle: Handle,
        *,
        heartbeat: Heartbeat,
        concurrency: int,
        poll_s: float,
        appetite: Appetite | None = None,
        parking: Parking | None = None,
    ) -> None:
        self._appetite = appetite
        self.queue = queue
        self._handle = handle
        self._heartbeat = heartbeat
        self._poll_s = poll_s
        self._concurrency = self._free = concurrency
        self._slot_freed = asyncio.Event()
        self._tasks = dict[str, asyncio.Task[None]]()  # by receipt
        self._handling = set[str]()
        name = queue.name
        self._seconds = metrics.HANDLE_SECONDS.labels(name)
        metrics.IN_HAND.labels(name).set_function(lambda: self.in_hand)
        self._oldest = metrics.OLDEST_RECEIVED.labels(name)
        self._settling = Settling(queue, dead, heartbeat, parking, settled=self._settled)
        self._failed_polls = metrics.QUEUE_FAULTS.labels(name, "receive")

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        return self._settling.progress

    @property
    def in_hand(self) -> int:
        """Messages received and not settled."""
        return self._concurrency - self._free

    async def run(self, stop: Stop, *, drain_s: float) -> None:
        """Consume until `stop`; then finish what is in hand, or hand it back after `drain_s`."""
        await self._poll(stop)
        # The last poll was awaited; what it took of the time is gone.
        await self._drain(max(0.0, drain_s - stop.since_s()))

    async def _poll(self, stop: Stop) -> None:
        failures = 0
        stop.wakes(self._slot_freed)
        while not stop.is_set():
            most = await self._most()
            if stop.is_set():
                break
            begun_ms = now_ms()
            try:
                # Not cut off at a stop: what SQS has handed out by then would stay hidden for its
                # whole visibility. The poll ends after `poll_s`; what it brings goes back at once.
                messages = await self.queue.receive(
                    most, wait_s=self._poll_s, visibility_s=self._heartbeat.visibility_s
                )
                failures = 0
            except CallFailed as error:
                failures += 1
                self._failed_polls.inc()
                log.warning("receive_failed", queue=self.queue.name, code=error.code)
                await stop.sleep(_after_failed_polls_s(failures))
                continue
            except Exception:
                failures += 1
                log.exception("receive_bug", queue=self.queue.name)
                await stop.sleep(_after_failed_polls_s(failures))
                continue
            if not messages:
                self._settling.progress.empty_ms = begun_ms
            else:
                oldest_ms = min(message.sent_at_ms for message in messages)
                self._settling.progress.oldest_sent_ms = oldest_ms
                self._oldest.set(max(0.0, (now_ms() - oldest_ms) / 1000))
            for message in messages:
                self._start(message, stopping=stop.is_set())
            if 0 < len(messages) < most:
                await stop.sleep(GATHER_S)

    async def _most(self) -> int:
        """Messages to fetch, as soon as there may be more in hand, and there is use for them."""
        if self._free <= 0:
            begun_s = time.monotonic()
            self._slot_freed.clear()
            await self._slot_freed.wait()
            if self._appetite is not None:
                self._appetite.full_for(time.monotonic() - begun_s)
        wanted = BATCH if self._appetite is None else await self._appetite.appetite()
        return min(self._free, wanted, BATCH)

    def _start(self, message: Received, *, stopping: bool) -> None:
        self._free -= 1
        self._heartbeat.hold(message.receipt, self.queue.url)
        back = Retry(0, "stopping")
        work = self._settling.settle(message, back) if stopping else self._work(message)
        self._tasks[message.receipt] = asyncio.create_task(work)

    def _settled(self, message: Received) -> None:
        """`Settling` has nothing more to do for this message."""
        if self._tasks.pop(message.receipt, None) is not None:
            self._free += 1
            self._slot_freed.set()

    async def _work(self, message: Received) -> None:
        begun = time.perf_counter()
        self._handling.add(message.receipt)
        outcome: Outcome | None = None
        try:
            outcome = await self._handle(message)
        except asyncio.CancelledError:
            outcome = Retry(0, "not finished before the drain deadline")
        except CallFailed as error:
            log.warning("handle_failed", queue=self.queue.name, code=error.code, text=error.text)
            outcome = Retry(pause_s(message), error.code)
        except Exception:
            log.exception("handler_bug", queue=self.queue.name, message_id=message.message_id)
            outcome = Retry(pause_s(message), "bug")
        finally:
            self._handling.discard(message.receipt)
            if outcome is None:  # not even the log could be written
                self._settling.over(message)
        self._seconds.observe(time.perf_counter() - begun)
        await self._settling.settle(message, outcome)

    async def _drain(self, drain_s: float) -> None:
        deadline = asyncio.get_running_loop().time() + drain_s
        await self._all_settled(drain_s)
        late = [self._tasks[receipt] for receipt in self._handling]
        for task in late:
            task.cancel()
        if late:
            log.warning("drain_deadline", queue=self.queue.name, handed_back=len(late))
        await self._all_settled(SETTLE_S)
        log.info(
            "drained",
            queue=self.queue.name,
            left_s=round(deadline - asyncio.get_running_loop().time(), 3),
        )

    async def _all_settled(self, timeout_s: float) -> None:
        """Until nothing is in hand, or so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.in_hand:
                    self._slot_freed.clear()
                    await self._slot_freed.wait()


def _after_failed_polls_s(failures: int) -> float:
    return backoff_s(failures, first_s=0.2, cap_s=10, jitter=random())  # noqa: S311
