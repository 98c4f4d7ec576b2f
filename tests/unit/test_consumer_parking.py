"""The consume loop where messages can wait outside their queue."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mailpipe.aws.queue import Outgoing, Received
from mailpipe.consumer import Consumer
from mailpipe.heartbeat import Heartbeat, Hide
from mailpipe.lifecycle import Stop
from mailpipe.outcomes import CallFailed, Done, Kind, Outcome, Park, Retry
from mailpipe.parking import Waits, instead_of
from mailpipe.resources import MAIL_BULK
from mailpipe.testing import InMemoryQueue

HOUR_S = 3600


class Parked:
    """Where messages wait: in a list, unless it fails."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.kept = list[tuple[str, Park]]()

    def instead_of(self, retry: Retry, message: Received, queue: str) -> Park | None:
        return instead_of(retry, message, queue, Waits(), now_ms=message.sent_at_ms)

    async def park(self, message: Received, queue: str, park: Park) -> None:
        if self.fault is not None:
            raise self.fault
        self.kept.append((queue, park))


async def handled(
    outcome: Outcome, parked: Parked | None, *, now_s: list[float], receives: int = 1
) -> InMemoryQueue:
    """A queue whose only message was handled once, with this outcome."""
    queue = InMemoryQueue(MAIL_BULK, clock=lambda: now_s[0])
    await queue.send([Outgoing("m")])
    for _ in range(receives - 1):
        (message,) = await queue.receive(1, wait_s=0)
        await queue.hide([(message.receipt, 0)])
    done = asyncio.Event()

    async def handle(_: Received) -> Outcome:
        done.set()
        return outcome

    @asynccontextmanager
    async def hiding() -> AsyncIterator[Hide]:
        yield lambda _, entries: queue.hide(entries)

    stop = Stop()
    consumer = Consumer(
        *(queue, InMemoryQueue(f"{MAIL_BULK}-dead"), handle),
        heartbeat=Heartbeat(hiding, visibility_s=60),
        concurrency=1,
        poll_s=0.01,
        parking=parked,
    )
    running = asyncio.create_task(consumer.run(stop, drain_s=5))
    await asyncio.wait_for(done.wait(), 5)
    stop.set()
    await asyncio.wait_for(running, 5)
    return queue


SCOPE = Park("account", "paused")


async def test_what_waits_for_a_scope_is_kept_and_then_deleted() -> None:
    parked = Parked()
    queue = await handled(SCOPE, parked, now_s=[0.0])
    assert parked.kept == [(MAIL_BULK, SCOPE)]
    assert await queue.depth() == (0, 0, 0)


@pytest.mark.parametrize("fault", [CallFailed(Kind.THROTTLED, "Slow"), RuntimeError("bug")])
async def test_what_could_not_be_kept_is_not_deleted(fault: Exception) -> None:
    now_s = [0.0]
    queue = await handled(SCOPE, Parked(fault), now_s=now_s)
    assert await queue.depth() == (0, 1, 0)
    now_s[0] += 61
    assert (await queue.depth()).visible == 1


async def test_what_cannot_be_kept_for_long_does_not_die_of_it() -> None:
    now_s = [0.0]
    fault = CallFailed(Kind.THROTTLED, "Slow")
    queue = await handled(SCOPE, Parked(fault), now_s=now_s, receives=25)
    assert await queue.depth() == (0, 0, 1)
    now_s[0] += 901
    (again,) = await queue.receive(1, wait_s=0)
    assert (again.body, again.receives) == ("m", 1)


@pytest.mark.parametrize(
    ("retry", "receives", "parks"),
    [
        (Retry(900, "soon"), 1, False),
        (Retry(HOUR_S, "late"), 1, True),
        (Retry(1, "again"), 24, False),
        (Retry(0, "again"), 25, True),
    ],
)
async def test_long_waits_and_frequent_returns_are_kept_elsewhere(
    retry: Retry, receives: int, parks: bool
) -> None:
    parked = Parked()
    queue = await handled(retry, parked, now_s=[0.0], receives=receives)
    assert bool(parked.kept) is parks
    assert (sum(await queue.depth()) == 0) is parks


async def test_without_a_place_to_wait_it_is_hidden() -> None:
    now_s = [0.0]
    queue = await handled(SCOPE, None, now_s=now_s)
    assert await queue.depth() == (0, 1, 0)
    now_s[0] += 59
    assert (await queue.depth()).visible == 0
    now_s[0] += 2
    assert (await queue.depth()).visible == 1


async def test_what_is_finished_is_not_asked_about() -> None:
    parked = Parked()
    await handled(Done(), parked, now_s=[0.0], receives=30)
    assert parked.kept == []
