"""Keeps messages in hand hidden, from a thread of its own: slow work, or an event loop that stalls,
must not let a message go to somebody else meanwhile.

The thread has its own event loop and its own client, opened when the first renewal is due, which
is hardly ever: most messages are finished in a fraction of their visibility.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Self

from mailpipe import logs, metrics
from mailpipe.outcomes import CallFailed

Hide = Callable[[str, list[tuple[str, int]]], Awaitable[list[CallFailed | None]]]
"""Hide (receipt, seconds) of a queue, by its URL."""

log = logs.get()


_Held = tuple[str, float]
"""The queue of a message in hand, and when it is to be renewed."""


class Heartbeat:
    """Renews at a third of the visibility, and what failed again at every twelfth.

    `hold`, `drop` and `let_go` are called on the consumer's loop, the rest runs in the thread.
    While `may_keep` says no, nothing is renewed.
    """

    def __init__(
        self,
        open_hide: Callable[[], AbstractAsyncContextManager[Hide]],
        *,
        visibility_s: float,
        may_keep: Callable[[], bool] = lambda: True,
    ) -> None:
        self._open_hide = open_hide
        self._may_keep = may_keep
        self.visibility_s = visibility_s
        self._held = dict[str, _Held]()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._renewing: tuple[frozenset[str], Future[None]] = (frozenset(), Future())
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """What is still held then comes back when its visibility ends."""
        self._stopped.set()
        await asyncio.to_thread(self._thread.join)

    def hold(self, receipt: str, queue: str) -> None:
        """From now on, which is when the message was received, this one is kept hidden."""
        held = queue, time.monotonic() + self.visibility_s / 3
        with self._lock:
            self._held[receipt] = held

    def drop(self, receipt: str) -> None:
        """Its work is done: a late renewal of a message that is deleted does no harm."""
        with self._lock:
            self._held.pop(receipt, None)

    async def let_go(self, receipt: str) -> None:
        """Its visibility is about to be set: returns when no renewal can overwrite that."""
        with self._lock:
            self._held.pop(receipt, None)
            receipts, ended = self._renewing
        if receipt in receipts and not ended.done():
            await asyncio.wrap_future(ended)

    def _run(self) -> None:
        while not self._stopped.wait(self.visibility_s / 12):
            try:
                with self._lock:
                    anything = bool(self._due())
                if anything:
                    asyncio.run(self._beat())
            except Exception:
                log.exception("heartbeat_failed")

    async def _beat(self) -> None:
        async with self._open_hide() as hide:
            await self._renew(hide)
            # Nothing else runs on this loop, so it may as well stand still in between.
            while not self._stopped.wait(self.visibility_s / 12):
                await self._renew(hide)

    def _due(self) -> dict[str, list[str]]:
        now_s, due = time.monotonic(), dict[str, list[str]]()
        if not self._may_keep():
            return due
        for receipt, (queue, due_s) in self._held.items():
            if due_s <= now_s:
                due.setdefault(queue, []).append(receipt)
        return due

    async def _renew(self, hide: Hide) -> None:
        with self._lock:
            due, ended = self._due(), Future[None]()
            ended.set_running_or_notify_cancel()  # nobody who waits for it may cancel it
            self._renewing = (frozenset(one for some in due.values() for one in some), ended)
        try:
            for queue, receipts in due.items():
                now_s = time.monotonic()
                faults = await hide(queue, [(one, round(self.visibility_s)) for one in receipts])
                for receipt, fault in zip(receipts, faults, strict=True):
                    due_s = now_s if fault else now_s + self.visibility_s / 3
                    self._renewed((queue, due_s), receipt, fault)
        finally:
            ended.set_result(None)

    def _renewed(self, held: _Held, receipt: str, fault: CallFailed | None) -> None:
        if fault is None:
            metrics.RENEWED.inc()
        else:
            log.warning("renewal_failed", code=fault.code)
        # One that is gone for good is not asked for again and again; its work may still end well.
        keep = fault is None or fault.repeatable
        with self._lock:
            if receipt in self._held and keep:
                self._held[receipt] = held
            else:
                self._held.pop(receipt, None)
