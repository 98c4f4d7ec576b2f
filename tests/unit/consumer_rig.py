"""A consumer over the in-memory queue."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from msgspec.structs import replace

from mailpipe.aws.queue import Outgoing, Received
from mailpipe.consumer import Appetite, Consumer
from mailpipe.heartbeat import Heartbeat, Hide
from mailpipe.lifecycle import Stop
from mailpipe.outcomes import Outcome
from mailpipe.testing import InMemoryQueue

Handle = Callable[[Received], Awaitable[Outcome]]


class Beats(Heartbeat):
    """A heartbeat without its thread; `gate` holds up whoever wants to let a message go."""

    def __init__(self, open_hide: Callable[[], AbstractAsyncContextManager[Hide]]) -> None:
        super().__init__(open_hide, visibility_s=60)
        self.held = set[str]()
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    def hold(self, receipt: str, queue: str) -> None:
        self.held.add(receipt)

    def drop(self, receipt: str) -> None:
        self.held.discard(receipt)

    async def let_go(self, receipt: str) -> None:
        self.asked.set()
        await self.gate.wait()


class Telling(InMemoryQueue):
    """A queue that tells who has sent its messages: always the same."""

    sender_id: str | None = None

    async def receive(
        self, most: int, *, wait_s: float, visibility_s: float | None = None
    ) -> list[Received]:
        found = await super().receive(most, wait_s=wait_s, visibility_s=visibility_s)
        return [replace(one, sender_id=self.sender_id) for one in found]


class Rig:
    """A queue with messages, its dead letters, and a consumer that runs until told to stop."""

    def __init__(
        self,
        bodies: list[str],
        handle: Handle,
        *,
        concurrency: int = 4,
        sender_id: str | None = None,
        appetite: Appetite | None = None,
    ) -> None:
        self.now = 1000.0
        self.dead = InMemoryQueue("q-dead", clock=lambda: self.now)
        self.queue = Telling("q", clock=lambda: self.now, dead=self.dead)
        self.queue.sender_id = sender_id
        self.bodies = bodies
        self.stop = Stop()
        self.heartbeat = Beats(self.hiding)
        self.consumer = Consumer(
            self.queue,
            self.dead,
            handle,
            heartbeat=self.heartbeat,
            concurrency=concurrency,
            poll_s=0.01,
            appetite=appetite,
        )

    @asynccontextmanager
    async def hiding(self) -> AsyncIterator[Hide]:
        """What the heartbeat renews with."""
        yield lambda _, entries: self.queue.hide(entries)

    async def run(self, until: asyncio.Event, *, drain_s: float = 5.0) -> None:
        """Consume until the event is set, then drain."""
        await self.queue.send([Outgoing(body) for body in self.bodies])
        running = asyncio.create_task(self.consumer.run(self.stop, drain_s=drain_s))
        await asyncio.wait_for(until.wait(), 5)
        self.stop.set()
        await asyncio.wait_for(running, 5)


def answering(outcome: Outcome | Exception, until: asyncio.Event) -> Handle:
    """A handler that always answers the same."""

    async def handle(_: Received) -> Outcome:
        until.set()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return handle
