"""The consume loop. A message is deleted only after its work is durable; a crash repeats, never
loses.

A slot is taken before a message is fetched, so what is in hand is bounded hard. A handler answers
with an outcome; outcomes become batched deletes, visibility changes and dead letters here and
nowhere else. While a message is in hand its visibility is renewed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import random

from mailpipe import logs, metrics
from mailpipe.aws.queue import BATCH, MAX_VISIBILITY_S, Outgoing, Queue, Received
from mailpipe.lifecycle import Stop
from mailpipe.outcomes import CallFailed, Dead, Done, Outcome, Retry
from mailpipe.timing import backoff_s, now_ms

Handle = Callable[[Received], Awaitable[Outcome]]

LINGER_S = 0.005
"""How long an outcome waits for others to share its queue call."""

MAX_ATTRIBUTES = 10

log = logs.get()


class Consumer:
    """Handles the messages of one queue, at most `concurrency` at a time."""

    def __init__(
        self,
        queue: Queue,
        dead: Queue,
        handle: Handle,
        *,
        concurrency: int,
        visibility_s: float,
        poll_s: float,
    ) -> None:
        self._queue = queue
        self._dead = dead
        self._handle = handle
        self._visibility_s = visibility_s
        self._poll_s = poll_s
        self._free = concurrency
        self._slot_freed = asyncio.Event()
        self._tasks = set[asyncio.Task[None]]()
        self._in_hand = dict[str, Received]()
        self._finished = asyncio.Queue[tuple[Received, Outcome]]()
        # A late renewal would overwrite a back-off: only one of the two runs at a time.
        self._visibility = asyncio.Lock()
        name = queue.name
        self._seconds = metrics.HANDLE_SECONDS.labels(name)
        self._gauge = metrics.IN_HAND.labels(name)
        self._oldest = metrics.OLDEST_RECEIVED.labels(name)
        self._counts = {
            kind: metrics.MESSAGES.labels(name, label)
            for kind, label in ((Done, "done"), (Retry, "retry"), (Dead, "dead"))
        }

    async def run(self, stop: Stop, *, drain_s: float) -> None:
        """Consume until `stop`; then finish what is in hand, or hand it back after `drain_s`."""
        finisher = asyncio.create_task(self._finish_forever())
        heartbeat = asyncio.create_task(self._renew_forever())
        try:
            await self._poll(stop)
            await self._drain(drain_s)
        finally:
            heartbeat.cancel()
            await asyncio.gather(heartbeat, return_exceptions=True)
            await self._finished.join()
            finisher.cancel()
            await asyncio.gather(finisher, return_exceptions=True)

    async def _poll(self, stop: Stop) -> None:
        failures = 0
        while not stop.is_set():
            if self._free == 0:
                self._slot_freed.clear()
                await stop.first(self._slot_freed.wait())
                continue
            try:
                messages = await self._queue.receive(min(self._free, BATCH), wait_s=self._poll_s)
                failures = 0
            except CallFailed as error:
                failures += 1
                metrics.QUEUE_FAULTS.labels(self._queue.name, "receive").inc()
                log.warning("receive_failed", queue=self._queue.name, code=error.code)
                wait_s = backoff_s(failures, first_s=0.2, cap_s=10, jitter=random())  # noqa: S311
                await stop.first(asyncio.sleep(wait_s))
                continue
            for message in messages:
                if stop.is_set():
                    self._finished.put_nowait((message, Retry(0, "stopping")))
                else:
                    self._start(message)

    def _start(self, message: Received) -> None:
        self._free -= 1
        self._in_hand[message.receipt] = message
        self._gauge.set(len(self._in_hand))
        self._oldest.set(max(0.0, (now_ms() - message.sent_at_ms) / 1000))
        task = asyncio.create_task(self._work(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, message: Received) -> None:
        begun = time.perf_counter()
        try:
            outcome = await self._handle(message)
        except asyncio.CancelledError:
            outcome = Retry(0, "not finished before the drain deadline")
        except CallFailed as error:
            outcome = Retry(_pause_s(message), error.code)
            log.warning("handle_failed", queue=self._queue.name, code=error.code, text=error.text)
        except Exception:
            outcome = Retry(_pause_s(message), "bug")
            log.exception("handler_bug", queue=self._queue.name, message_id=message.message_id)
        self._seconds.observe(time.perf_counter() - begun)
        self._counts[type(outcome)].inc()
        self._finished.put_nowait((message, outcome))
        self._free += 1
        self._slot_freed.set()

    async def _drain(self, drain_s: float) -> None:
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=drain_s)
        for task in late:
            task.cancel()
        if late:
            log.warning("drain_deadline", queue=self._queue.name, handed_back=len(late))
            await asyncio.wait(late)

    async def _finish_forever(self) -> None:
        while True:
            batch = [await self._finished.get()]
            await asyncio.sleep(LINGER_S)
            while not self._finished.empty() and len(batch) < BATCH:
                batch.append(self._finished.get_nowait())
            try:
                await self._finish(batch)
            except Exception:
                # The messages come back by themselves when their visibility ends.
                log.exception("finish_bug", queue=self._queue.name)
            for _ in batch:
                self._finished.task_done()

    async def _finish(self, batch: list[tuple[Received, Outcome]]) -> None:
        done = [message for message, outcome in batch if isinstance(outcome, Done)]
        done += await self._bury([(m, o) for m, o in batch if isinstance(o, Dead)])
        hidden = [(m, o) for m, o in batch if isinstance(o, Retry)]
        async with self._visibility:
            for message, _ in batch:
                self._in_hand.pop(message.receipt, None)
            self._gauge.set(len(self._in_hand))
            if hidden:
                entries = [(m.receipt, min(MAX_VISIBILITY_S, round(o.after_s))) for m, o in hidden]
                self._report("hide", await self._queue.hide(entries))
        if done:
            self._report("delete", await self._queue.delete([m.receipt for m in done]))

    async def _bury(self, dead: list[tuple[Received, Dead]]) -> list[Received]:
        """Keep the raw messages with their reasons; those that are kept may be deleted."""
        if not dead:
            return []
        faults = await self._dead.send(
            [
                Outgoing(message.body, attributes=_epitaph(message, outcome, self._queue.name))
                for message, outcome in dead
            ]
        )
        self._report("bury", faults)
        for message, outcome in dead:
            log.error(
                "dead_letter",
                queue=self._queue.name,
                message_id=message.message_id,
                reason=outcome.reason,
            )
        return [m for (m, _), fault in zip(dead, faults, strict=True) if fault is None]

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(self._visibility_s / 3)
            async with self._visibility:
                if not self._in_hand:
                    continue
                entries = [(receipt, round(self._visibility_s)) for receipt in self._in_hand]
                self._report("renew", await self._queue.hide(entries))

    def _report(self, operation: str, faults: list[CallFailed | None]) -> None:
        failed = [fault for fault in faults if fault is not None]
        if failed:
            metrics.QUEUE_FAULTS.labels(self._queue.name, operation).inc(len(failed))
            log.warning(
                "queue_entries_failed",
                queue=self._queue.name,
                operation=operation,
                count=len(failed),
                code=failed[0].code,
            )


def _epitaph(message: Received, outcome: Dead, source: str) -> dict[str, str]:
    """Why a message died. SQS takes ten attributes, and no control characters in them."""
    kept = dict(list(message.attributes.items())[: MAX_ATTRIBUTES - 3])
    reason = "".join(c if " " <= c <= "~" else "?" for c in outcome.reason[:256])
    return {**kept, "reason": reason, "attempts": str(message.receives), "source": source}


def _pause_s(message: Received) -> float:
    return backoff_s(message.receives, first_s=1, cap_s=60, jitter=random())  # noqa: S311
