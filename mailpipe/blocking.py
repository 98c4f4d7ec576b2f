"""The producer for code without an event loop: one thread of its own runs it for all others.

It starts with the first mail, so that it may be made at import. A process that was forked (gunicorn
with `preload_app`, Celery's prefork pool) starts a thread and connections of its own: those of its
parent are left alone.
"""

import asyncio
import atexit
import concurrent.futures
import os
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from time import monotonic
from typing import Any, Self, TypeVar
from weakref import WeakSet

from mailpipe.fates import Accepted, Closed, Keyed, Refused
from mailpipe.messages import Email, Stream
from mailpipe.producer import Producer

T = TypeVar("T")

CHUNK = 200
CHUNK_S = 0.05
"""A chunk of `send_many` goes when it is full, or with the first mail that comes this late."""
AHEAD = 4
"""So many chunks may be under way."""
LAST_S = 1.0
END_S = 15.0
"""So long the thread may take to end: two queues, 5 s each, and who waits."""


class _Running:
    """A thread with an event loop and the open producer."""

    def __init__(self, make: Callable[[], Producer]) -> None:
        self._opened = concurrent.futures.Future[None]()
        self.producer = make()
        self.thread = threading.Thread(target=self._run, name="mailpipe-producer", daemon=True)
        self.thread.start()
        self._opened.result()

    def submit(self, work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        """Have it done there."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def end(self) -> list[str]:
        """Write what waits and end the thread; the ids of what was not accepted."""
        self.loop.call_soon_threadsafe(self._stop.set)
        self.thread.join(END_S)
        return self._left

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self.loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._left = list[str]()
        try:
            await self.producer.__aenter__()
        except BaseException as error:
            self._opened.set_exception(error)
            return
        self._opened.set_result(None)
        await self._stop.wait()
        self._left = await self.producer.close()
        # Those who wait hear of it before the loop ends, and with it all of its tasks.
        if waiting := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(waiting, timeout=LAST_S)


class SyncProducer:
    """Enqueues e-mail for one tenant, from any thread::

        with Producer.sync() as producer:
            email_id = producer.send(Email(to=[…], from_="…", subject="…", body_text="…"))

    Without `with` it connects at the first mail and closes at the end of the process.
    """

    def __init__(self, make: Callable[[], Producer]) -> None:
        self._make = make
        self._closed = False
        self._forget()
        _all.add(self)

    def _forget(self) -> None:
        self._running: _Running | None = None
        self._starting = threading.Lock()

    def __enter__(self) -> Self:
        """Connect. Raises CallFailed when a queue does not exist or may not be used."""
        self._started()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> list[str]:
        """Write what waits, for at most 5 seconds; the ids of what was not accepted by then. Who
        waits for one of them hears of it as NotAccepted.
        """
        self._closed = True
        with self._starting:
            running, self._running = self._running, None
        return [] if running is None else running.end()

    def send(
        self,
        email: Email,
        *,
        stream: Stream = "transactional",
        email_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        """See Producer.send. Raises CallFailed too, when it cannot connect."""
        running = self._started()
        return running.submit(
            running.producer.send(
                email, stream=stream, email_id=email_id, idempotency_key=idempotency_key
            )
        ).result()

    def send_many(
        self, emails: Iterable[Email | Keyed], *, stream: Stream = "bulk"
    ) -> Iterator[Accepted | Refused]:
        """See Producer.send_many. `emails` is read in the thread of the caller."""
        running, under_way = self._started(), deque[concurrent.futures.Future[list[_Fate]]]()
        error: Exception | None = None
        try:
            for chunk in _chunks(emails):
                under_way.append(running.submit(_fates(running.producer, chunk, stream)))
                while under_way and (under_way[0].done() or len(under_way) > AHEAD):
                    yield from under_way.popleft().result()
        except Exception as raised:
            error = raised
        for last in under_way:
            yield from last.result()
        if error is not None:
            raise error

    def _started(self) -> _Running:
        running = self._running
        if running is not None:
            return running
        with self._starting:
            if self._closed:
                raise Closed("the producer is closed")
            if self._running is None:
                self._running = _Running(self._make)
            return self._running


_Fate = Accepted | Refused
_all = WeakSet[SyncProducer]()
_left_behind = list[_Running]()


async def _fates(producer: Producer, chunk: list[Email | Keyed], stream: Stream) -> list[_Fate]:
    return [fate async for fate in producer.send_many(chunk, stream=stream)]


def _chunks(emails: Iterable[Email | Keyed]) -> Iterator[list[Email | Keyed]]:
    chunk, due_s = list[Email | Keyed](), 0.0
    error: Exception | None = None
    source = iter(emails)
    while True:
        try:
            email = next(source)
        except StopIteration:
            break
        except Exception as raised:
            error = raised
            break
        now_s = monotonic()
        if not chunk:
            due_s = now_s + CHUNK_S
        chunk.append(email)
        if len(chunk) >= CHUNK or now_s >= due_s:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
    if error is not None:
        raise error


def _close_all() -> None:
    for producer in list(_all):
        producer.close()


def _after_fork() -> None:
    for producer in list(_all):
        if producer._running is not None:
            # Never finalised: its selector is shared with the parent.
            _left_behind.append(producer._running)
        producer._forget()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
