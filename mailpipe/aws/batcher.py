"""Group commit: the entries of many callers in one call, and to each caller the fate of its own.

An idle batcher calls at once. A busy one waits for the next entries, as long as those are to be
expected and at most `linger_s`, so that its batches are full: the fuller, the cheaper each entry.
What waits is bounded: who comes when the buffer is full waits outside.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from mailpipe import logs, metrics
from mailpipe.aws import errors
from mailpipe.aws.lingering import Gaps, Limits, linger_s, next_batch
from mailpipe.aws.retries import ENDING, alone
from mailpipe.outcomes import CallFailed, Kind

E = TypeVar("E")
F = TypeVar("F")

_LATE = ("AnswerTimeout", "no answer in time")

log = logs.get()

_Waiting = tuple[E, asyncio.Future[F | CallFailed], int]
"""An entry, what will be its fate, and its weight."""


class Batcher(Generic[E, F]):
    """Collects entries for `commit`, which gives each its fate or its CallFailed, in order.

    `name` is the operation's, for the metric; `weigh` says how much of a call's weight an entry
    takes; `key` names what it writes to: a call never has two entries of one key. Entries whose
    call failed are tried again alone if that can help: one bad entry must not fail its neighbours.
    """

    def __init__(
        self,
        name: str,
        commit: Callable[[list[E]], Awaitable[Sequence[F | CallFailed]]],
        limits: Limits,
        *,
        weigh: Callable[[E], int] | None = None,
        key: Callable[[E], Hashable] | None = None,
    ) -> None:
        self._name = name
        self._sizes = metrics.BATCH_ENTRIES.labels(name)
        self._commit = commit
        self._limits = limits
        self._weigh = weigh
        self._key = key
        self._buffer = list[_Waiting[E, F]]()
        self._weight = 0
        self._told = dict[asyncio.Future[F | CallFailed], asyncio.Future[None]]()
        self._room = asyncio.Event()
        self._calls = set[asyncio.Task[Any]]()
        self._tasks = set[asyncio.Task[Any]]()
        self._timer: asyncio.Handle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gaps = Gaps()
        self._closed = False

    def submit(self, entry: E) -> Awaitable[F | CallFailed]:
        """The entry's fate, to be awaited at once. Waits while the buffer is full."""
        has_room = len(self._buffer) < self._limits.capacity
        return self._put(entry) if has_room else self._submit_in_turn(entry)

    async def _submit_in_turn(self, entry: E) -> F | CallFailed:
        return await (await self.place(entry))

    async def submit_heard(self, entry: E, *, heard_s: float) -> F | CallFailed:
        """`submit`; who is cancelled meanwhile goes on when the fate is known, at the latest after
        `heard_s`.
        """
        fate = await self.place(entry)
        told = self._told[fate] = fate.get_loop().create_future()
        try:
            return await fate
        except asyncio.CancelledError:
            if fate.cancelled():
                await asyncio.wait([told], timeout=heard_s)
            raise
        finally:
            del self._told[fate]

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

    async def submit_all(
        self, entries: Sequence[E], *, due_s: float | None = None
    ) -> list[F | CallFailed]:
        """The fates of several, in order. Waits while the buffer is full.

        What is not known at `due_s` (of the loop's clock) is in doubt, and may be called for later;
        what had found no room by then is not.
        """
        if due_s is None:
            if len(entries) == 1:
                return [await self.submit(entries[0])]
            fates: list[asyncio.Future[F | CallFailed]] = []
            await self._place_all(entries, fates)
            return [await fate for fate in fates]
        return await self._all_until(due_s, entries)

    async def _all_until(self, due_s: float, entries: Sequence[E]) -> list[F | CallFailed]:
        fates: list[asyncio.Future[F | CallFailed]] = []
        if asyncio.get_running_loop().time() < due_s:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due_s):
                    await self._place_all(entries, fates)
                    return [await fate for fate in fates]
        late = CallFailed(Kind.IN_DOUBT, *_LATE, operation=self._name)
        outside = CallFailed(Kind.NOTHING_HAPPENED, *_LATE, operation=self._name)
        # The one that was waited for last is cancelled.
        known = [late if not fate.done() or fate.cancelled() else fate.result() for fate in fates]
        return known + [outside] * (len(entries) - len(fates))

    async def _place_all(
        self, entries: Sequence[E], fates: "list[asyncio.Future[F | CallFailed]]"
    ) -> None:
        """Put them in, and what will be their fates into `fates`."""
        capacity, placed = self._limits.capacity, 0
        while placed < len(entries):
            if len(self._buffer) >= capacity:
                self._consider()
                await self._turn()
            room = max(1, capacity - len(self._buffer))
            fates += self._add_all(entries[placed : placed + room])
            placed += room
        if fates and (self._timer is None or self._is_full()):
            self._consider()

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
        unsent, self._buffer = self._buffer, []
        for _, fate, _ in unsent:
            self._tell(fate, CallFailed(Kind.NOTHING_HAPPENED, *ENDING))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _put(self, entry: E) -> "asyncio.Future[F | CallFailed]":
        fate = self._add(entry)
        if self._timer is None or self._is_full():
            self._consider()
        return fate

    def _add(self, entry: E) -> "asyncio.Future[F | CallFailed]":
        loop = self._loop
        if loop is None:  # remembered, because asking for it is a system call
            loop = self._loop = asyncio.get_running_loop()
        fate: asyncio.Future[F | CallFailed] = loop.create_future()
        if self._closed:
            fate.set_result(CallFailed(Kind.NOTHING_HAPPENED, *ENDING))
            return fate
        weight = 0 if self._weigh is None else self._weigh(entry)
        self._buffer.append((entry, fate, weight))
        self._weight += weight
        self._gaps.came += 1
        return fate

    def _add_all(self, entries: Sequence[E]) -> "list[asyncio.Future[F | CallFailed]]":
        """The same for many at once."""
        loop = self._loop
        if loop is None or self._closed:
            return [self._add(entry) for entry in entries]
        fates = [loop.create_future() for _ in entries]
        weights = [0] * len(fates) if self._weigh is None else [*map(self._weigh, entries)]
        self._buffer += zip(entries, fates, weights, strict=True)
        self._weight += sum(weights)
        self._gaps.came += len(fates)
        return fates

    def _is_full(self) -> bool:
        return len(self._buffer) >= self._limits.most or self._weight >= self._limits.max_weight

    def _consider(self) -> None:
        """Call, or decide when to."""
        limits, loop = self._limits, self._loop
        assert loop is not None  # noqa: S101 - what is in the buffer was put there
        if len(self._calls) >= limits.at_once:
            return  # a call that ends considers again
        if self._is_full() or self._closed:
            self._flush()
        elif self._timer is None and self._buffer:
            room = limits.most - len(self._buffer)
            wait_s = linger_s(self._gaps.look(loop.time()), room=room, cap_s=limits.linger_s)
            # At once still means: together with what else comes in this turn of the loop.
            self._timer = (
                loop.call_later(wait_s, self._flush) if wait_s else loop.call_soon(self._flush)
            )

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._buffer and len(self._calls) < self._limits.at_once:
            self._calls.add(self._start(self._call(self._next_batch())))
            if len(self._buffer) < self._limits.most:
                break
        self._room.set()
        if self._buffer:
            self._consider()

    def _next_batch(self) -> list[_Waiting[E, F]]:
        batch, self._buffer = next_batch(self._buffer, self._limits, self._key)
        self._weight -= sum([weight for _, _, weight in batch])
        return batch

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._calls.discard(task)
        if self._buffer:
            self._consider()

    async def _call(self, batch: list[_Waiting[E, F]]) -> None:
        self._sizes.observe(len(batch))
        fates: Sequence[F | CallFailed]
        failed: CallFailed | None = None
        try:
            fates = await self._commit([entry for entry, _, _ in batch])
            if len(fates) != len(batch):
                raise RuntimeError(f"{len(fates)} fates for {len(batch)} entries")
        except asyncio.CancelledError:
            failed = CallFailed(Kind.IN_DOUBT, *ENDING)
        except CallFailed as why:
            failed = why
        except Exception as bug:
            log.exception("batch_bug", operation=self._name)
            failed = errors.in_doubt(self._name, bug)
        if failed is None:
            self._hand_out(batch, fates)
        else:
            self._fail(batch, failed)

    def _hand_out(self, batch: list[_Waiting[E, F]], fates: Sequence[F | CallFailed]) -> None:
        for (entry, waits, _), fate in zip(batch, fates, strict=True):
            if isinstance(fate, CallFailed) and fate.repeatable and not self._closed:
                # Apart, so that its neighbours hear of their fates now, and others may call.
                self._try_alone(entry, waits, fate)
            elif not waits.done():  # `_tell` for nearly all of them, without the call
                waits.set_result(fate)
            else:
                self._tell(waits, fate)

    def _fail(self, batch: list[_Waiting[E, F]], failed: CallFailed) -> None:
        # A call that is refused as a whole may have one bad entry.
        again = failed.kind is Kind.REFUSED and len(batch) > 1 and not self._closed
        for entry, waits, _ in batch:
            if again:
                self._try_alone(entry, waits, failed)
            else:
                self._tell(waits, failed)

    def _try_alone(
        self, entry: E, waits: asyncio.Future[F | CallFailed], first: CallFailed
    ) -> None:
        self._start(self._alone(entry, first)).add_done_callback(
            lambda task: self._tell(waits, first if task.cancelled() else task.result())
        )

    async def _alone(self, entry: E, first: CallFailed) -> F | CallFailed:
        try:
            return await alone(self._commit, entry, first)
        except Exception as bug:
            log.exception("batch_bug", operation=self._name)
            return errors.in_doubt(self._name, bug)

    def _tell(self, waits: asyncio.Future[F | CallFailed], fate: F | CallFailed) -> None:
        if not waits.done():
            waits.set_result(fate)
        elif waits in self._told:  # its caller was cancelled, and does not go on before this
            self._told[waits].set_result(None)
