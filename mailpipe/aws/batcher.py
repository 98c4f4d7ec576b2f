"""Group commit: the entries of many callers in one call, and to each caller the fate of its own.

An idle batcher calls at once. A busy one waits as long as it takes the next entries to come, at
most `linger_s`, so that its batches are full: the fuller, the cheaper each entry. What waits is
bounded: who comes when the buffer is full waits outside.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from random import random
from typing import Any, Generic, NamedTuple, TypeGuard, TypeVar

from mailpipe import logs, metrics
from mailpipe.aws import errors
from mailpipe.aws.retries import FIRST_WAIT_S, again, told
from mailpipe.outcomes import CallFailed, Kind

E = TypeVar("E")
F = TypeVar("F")

_ENDING = ("Closed", "the process is ending")
_GAP_WEIGHT = 0.2
"""How much the newest gap between two entries counts in their running mean."""

log = logs.get()


class Limits(NamedTuple):
    """`most` entries and `max_bytes` fit into a call, `at_once` calls may be under way, `capacity`
    entries may wait here.
    """

    most: int
    linger_s: float
    max_bytes: int = 16_000_000
    at_once: int = 16
    capacity: int = 1_000


def linger_s(gap_s: float, *, room: int, cap_s: float) -> float:
    """How long to wait for `room` more entries that come every `gap_s` seconds. Pure.

    Not at all if not even one is to be expected within the cap.
    """
    return 0.0 if gap_s >= cap_s else min(cap_s, gap_s * room)


class _Waiting(NamedTuple, Generic[E, F]):
    entry: E
    fate: "asyncio.Future[F | CallFailed]"
    weight: int
    key: Hashable


class Batcher(Generic[E, F]):
    """Collects entries for `commit`, which gives each its fate or its CallFailed, in order.

    `name` is the operation's, for the metric; `key` names what an entry writes to: a call never has
    two entries of one key. Entries whose call failed are tried again alone if that can help: one
    bad entry must not fail its neighbours.
    """

    def __init__(
        self,
        name: str,
        commit: Callable[[list[E]], Awaitable[Sequence[F | CallFailed]]],
        limits: Limits,
        *,
        weigh: Callable[[E], int] = lambda _: 1,
        key: Callable[[E], Hashable] | None = None,
    ) -> None:
        self._name = name
        self._sizes = metrics.BATCH_ENTRIES.labels(name)
        self._commit = commit
        self._limits = limits
        self._weigh = weigh
        self._key = key
        self._buffer = deque[_Waiting[E, F]]()
        self._bytes = 0
        self._room = asyncio.Event()
        self._calls = set[asyncio.Task[None]]()
        self._tasks = set[asyncio.Task[None]]()
        self._timer: asyncio.Handle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gap_s = 1.0
        self._last_s = 0.0
        self._closed = False

    async def submit(self, entry: E) -> F | CallFailed:
        """The entry's fate. Waits while the buffer is full."""
        if len(self._buffer) >= self._limits.capacity:
            await self._turn()
        return await self._put(entry)

    async def place(self, entry: E) -> "asyncio.Future[F | CallFailed]":
        """Put the entry in and return what will be its fate. Waits while the buffer is full."""
        if len(self._buffer) >= self._limits.capacity:
            await self._turn()
        return self._put(entry)

    def post(self, entry: E, told: "Callable[[F | CallFailed], None]") -> None:
        """`submit` for who does not wait, neither for the fate, of which `told` hears, nor for room
        in the buffer.
        """
        self._put(entry).add_done_callback(lambda fate: told(fate.result()))

    async def submit_all(self, entries: Sequence[E]) -> list[F | CallFailed]:
        """The fates of several, in order. Waits while the buffer is full."""
        fates = []
        for entry in entries:
            if len(self._buffer) >= self._limits.capacity:
                await self._turn()
            fates.append(self._put(entry))
        return [await fate for fate in fates]

    async def _turn(self) -> None:
        while len(self._buffer) >= self._limits.capacity and not self._closed:
            self._room.clear()
            await self._room.wait()

    async def close(self, *, timeout_s: float = 5.0) -> None:
        """Write what waits; tell those whose fate is not known by then."""
        self._closed = True
        self._room.set()
        self._flush()
        deadline = asyncio.get_running_loop().time() + timeout_s
        while self._tasks and (left_s := deadline - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(self._tasks, timeout=left_s)
        unsent, self._buffer = self._buffer, deque()
        for one in unsent:
            _tell(one, CallFailed(Kind.NOTHING_HAPPENED, *_ENDING))
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _put(self, entry: E) -> "asyncio.Future[F | CallFailed]":
        loop = self._loop
        if loop is None:  # remembered, because asking for it is a system call
            loop = self._loop = asyncio.get_running_loop()
        fate: asyncio.Future[F | CallFailed] = loop.create_future()
        if self._closed:
            fate.set_result(CallFailed(Kind.NOTHING_HAPPENED, *_ENDING))
            return fate
        now_s = loop.time()
        self._gap_s += _GAP_WEIGHT * (min(now_s - self._last_s, 1.0) - self._gap_s)
        self._last_s = now_s
        weight = self._weigh(entry)
        key = None if self._key is None else self._key(entry)
        self._buffer.append(_Waiting(entry, fate, weight, key))
        self._bytes += weight
        self._consider(loop)
        return fate

    def _consider(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call, or decide when to."""
        limits = self._limits
        if len(self._calls) >= limits.at_once:
            return  # a call that ends considers again
        if len(self._buffer) >= limits.most or self._bytes >= limits.max_bytes or self._closed:
            self._flush()
        elif self._timer is None and self._buffer:
            room = limits.most - len(self._buffer)
            wait_s = linger_s(self._gap_s, room=room, cap_s=limits.linger_s)
            # At once still means: together with what else comes in this turn of the loop.
            self._timer = (
                loop.call_later(wait_s, self._flush) if wait_s else loop.call_soon(self._flush)
            )

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._buffer and len(self._calls) < self._limits.at_once:
            batch = self._next_batch()
            call = self._start(self._call(batch))
            self._calls.add(call)
            call.add_done_callback(self._ended)
            if len(self._buffer) < self._limits.most:
                break
        self._room.set()
        if self._buffer:
            self._again()

    def _next_batch(self) -> list[_Waiting[E, F]]:
        """What fits into one call, in order; entries of one key go into calls of their own."""
        batch, weight, keys, later = (
            list[_Waiting[E, F]](),
            0,
            set[Hashable](),
            deque[_Waiting[E, F]](),
        )
        while self._buffer and len(batch) < self._limits.most:
            one = self._buffer.popleft()
            if one.key is not None and one.key in keys:
                later.append(one)
                continue
            if batch and weight + one.weight > self._limits.max_bytes:
                later.append(one)
                break
            batch.append(one)
            keys.add(one.key)
            weight += one.weight
        self._buffer.extendleft(reversed(later))
        self._bytes -= weight
        return batch

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _ended(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if self._buffer:
            self._again()

    def _again(self) -> None:
        assert self._loop is not None  # noqa: S101 - what is in the buffer was put there
        self._consider(self._loop)

    async def _call(self, batch: list[_Waiting[E, F]]) -> None:
        self._sizes.observe(len(batch))
        fates: Sequence[F | CallFailed]
        again = set[int]()
        try:
            fates = await self._commit([one.entry for one in batch])
            if len(fates) != len(batch):
                raise RuntimeError(f"{len(fates)} fates for {len(batch)} entries")
            again = {n for n, fate in enumerate(fates) if _may_pass(fate)}
        except asyncio.CancelledError:
            fates = [CallFailed(Kind.IN_DOUBT, *_ENDING)] * len(batch)
        except CallFailed as failed:
            fates = [failed] * len(batch)
            # A call that is refused as a whole may have one bad entry.
            if failed.kind is Kind.REFUSED and len(batch) > 1:
                again = set(range(len(batch)))
        except Exception as bug:
            log.exception("batch_bug", operation=self._name)
            fates = [errors.in_doubt(self._name, bug)] * len(batch)
        for n, (one, fate) in enumerate(zip(batch, fates, strict=True)):
            if n in again and not self._closed:
                # Apart, so that its neighbours hear of their fates now, and others may call.
                self._start(self._alone(one, fate))
            else:
                _tell(one, fate)

    async def _alone(self, one: _Waiting[E, F], first: F | CallFailed) -> None:
        """Try again, in the end four times; what a whole call meets is repeated by the call."""

        async def attempt() -> F | CallFailed:
            try:
                (fate,) = await self._commit([one.entry])
            except CallFailed as failed:
                return failed
            if _may_pass(fate):
                raise fate
            return fate

        fate: F | CallFailed = first
        tries = [first] if isinstance(first, CallFailed) else []
        try:
            await asyncio.sleep(random() * FIRST_WAIT_S)  # noqa: S311
            fate = await again(attempt, tries)
            if isinstance(fate, CallFailed):
                fate = told([*tries, fate])
        except CallFailed as failed:
            fate = failed
        except Exception as bug:
            log.exception("batch_bug", operation=self._name)
            fate = errors.in_doubt(self._name, bug)
        finally:
            _tell(one, fate)


def _may_pass(fate: object) -> TypeGuard[CallFailed]:
    return isinstance(fate, CallFailed) and fate.repeatable


def _tell(waiting: _Waiting[E, F], fate: F | CallFailed) -> None:
    if not waiting.fate.done():  # its caller was cancelled
        waiting.fate.set_result(fate)
