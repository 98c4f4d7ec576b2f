"""A processor takes events, and keeps them, only while others know that it is there."""

import asyncio
from typing import cast

import pytest
from prometheus_client import REGISTRY

from mailpipe import resources
from mailpipe.aws.queue import BATCH, Depth
from mailpipe.aws.table import Fate, Tables
from mailpipe.evidence import CLOCKS_MS
from mailpipe.lifecycle import Stop
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.partiql import Statement
from mailpipe.testing import InMemoryQueue
from processor.flow import Flow
from processor.publishing import UNHEARD, Publisher
from tests.unit.memory_tables import MemoryTables

PREFIX = "t-"
NOW, EVERY, LATER = 1_795_514_400_000, 5_000, 100_000
DOWN = CallFailed(Kind.NOTHING_HAPPENED, "ConnectionRefused")


class _Tables(MemoryTables):
    """They may be down, or slow: who is cancelled meanwhile has still written (`late`)."""

    down = slow = False

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.late = list[Statement]()

    async def write(self, statement: Statement) -> Fate:
        """See MemoryTables."""
        if self.slow:
            self.late.append(statement)
            await asyncio.Event().wait()
        if self.down:
            raise DOWN
        return await super().write(statement)


class _Queue(InMemoryQueue):
    """Its depth may be unknown, or not be told at all."""

    down = hangs = False

    async def depth(self) -> Depth:
        """See InMemoryQueue."""
        if self.down:
            raise DOWN
        if self.hangs:
            await asyncio.Event().wait()
        return await super().depth()


class Rig:
    """A publisher by a clock of its own."""

    def __init__(self, **settings: float) -> None:
        self.now_ms, self.polled_ms, self.stop = NOW, 0, Stop()
        self.tables, self.queue = _Tables(PREFIX), _Queue("ses-events")
        self.flow = Flow(every_ms=EVERY, visibility_ms=60_000)
        self.publisher = Publisher(
            *(cast(Tables, self.tables), PREFIX, "p1"),
            flow=self.flow,
            queue=self.queue,
            polled_empty=lambda: self.polled_ms,
            every_s=EVERY / 1000,
            stop=self.stop,
            wall_ms=lambda: self.now_ms,
            **settings,
        )

    def told(self, name: str) -> object:
        """What is published under this name."""
        item = self.tables.items[PREFIX + resources.COORDINATION, "processor", "p1"]
        return item.get(name)


async def test_nothing_is_taken_before_it_has_published() -> None:
    rig = Rig()
    waits = asyncio.create_task(rig.publisher.appetite())
    await asyncio.sleep(0)
    assert not waits.done()
    assert rig.publisher.unready() == UNHEARD
    await rig.publisher.publish()
    assert await waits == BATCH
    assert rig.publisher.unready() is None


async def test_nothing_is_taken_or_kept_while_it_cannot_publish() -> None:
    rig = Rig()
    await rig.publisher.publish()
    rig.tables.down = True
    running = asyncio.create_task(rig.publisher.run())
    rig.now_ms = NOW + 2 * EVERY + CLOCKS_MS - 1
    await asyncio.sleep(0)
    assert rig.publisher.heard()
    rig.now_ms += 1
    assert not rig.publisher.heard()
    waits = asyncio.create_task(rig.publisher.appetite())
    await asyncio.sleep(0)
    assert not waits.done()
    assert not running.done()
    running.cancel()
    rig.tables.down = False
    await rig.publisher.publish()
    assert await waits == BATCH


async def test_figures_that_were_made_long_before_they_were_written_make_nobody_heard() -> None:
    rig = Rig()
    write = rig.tables.write

    async def slow(statement: Statement) -> Fate:
        rig.now_ms += LATER
        return await write(statement)

    rig.tables.write = slow  # type: ignore[method-assign]
    await rig.publisher.publish()
    assert not rig.publisher.heard()


async def test_a_stop_ends_the_wait() -> None:
    rig = Rig()
    waits = asyncio.create_task(rig.publisher.appetite())
    await asyncio.sleep(0)
    rig.stop.set()
    await waits


async def test_what_is_in_hand_is_told_although_the_depth_is_unknown() -> None:
    rig = Rig()
    rig.flow.received("m", 5)
    rig.queue.down, rig.polled_ms = True, NOW - 1_000
    await rig.publisher.publish()
    assert (rig.told("oldestInHand"), rig.told("emptyAt")) == (5, 0)
    rig.queue.down = False
    rig.polled_ms = rig.now_ms
    for _ in range(6):
        rig.now_ms += EVERY
        await rig.publisher.publish()
    assert rig.told("emptyAt") == NOW


async def test_what_is_in_hand_is_told_although_the_queue_does_not_tell_its_depth() -> None:
    rig = Rig(look_s=0)
    rig.flow.received("m", 5)
    rig.queue.hangs, rig.polled_ms = True, NOW - 1_000
    async with asyncio.timeout(5):
        await rig.publisher.publish()
    assert (rig.told("oldestInHand"), rig.told("emptyAt")) == (5, 0)
    assert rig.publisher.heard()


async def test_an_alarm_says_that_it_takes_no_events() -> None:
    rig = Rig()
    assert REGISTRY.get_sample_value("mailpipe_processor_unheard") == 1
    await rig.publisher.publish()
    assert REGISTRY.get_sample_value("mailpipe_processor_unheard") == 0
    rig.now_ms += LATER
    assert REGISTRY.get_sample_value("mailpipe_processor_unheard") == 1


async def test_who_ends_leaves_what_it_has_handled_and_no_empty_queue() -> None:
    rig = Rig()
    rig.flow.received("m", NOW - 9)
    rig.flow.handled("m", now_ms=NOW)
    rig.polled_ms = NOW + LATER  # by a clock that is wrong
    for _ in range(6):
        await rig.publisher.publish()
        rig.now_ms += EVERY
    assert rig.told("emptyAt") == NOW + LATER
    await rig.publisher.withdraw()
    assert (rig.told("at"), rig.told("emptyAt"), rig.told("handled")) == (0, 0, NOW - 9)


async def test_figures_that_are_written_only_after_the_end_do_not_take_it_back() -> None:
    rig = Rig()
    await rig.publisher.publish()
    rig.tables.slow = True
    publishing = asyncio.create_task(rig.publisher.publish())
    await asyncio.sleep(0)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    rig.tables.slow = False
    await rig.publisher.withdraw()
    (late,) = rig.tables.late
    await rig.tables.write(late)
    assert rig.told("at") == 0
