"""A put that took long, and the watermark that passes its minute at the same moment: one of the two
sees the other, whoever dies.
"""

from collections.abc import Awaitable, Callable

import pytest

from loadtest.virtual.tables import MemoryTables
from mailpipe.aws.queue import Received
from mailpipe.aws.table import Fate
from mailpipe.due import DueItems
from mailpipe.due_times import DueTimes
from mailpipe.outcomes import Park
from mailpipe.parked_items import WATERMARK, ParkedItems
from mailpipe.parking import MINUTE_MS, Parked, Waits, item_of
from mailpipe.partiql import Statement
from mailpipe.resources import DUE_ITEMS, MAIL_BULK, physical
from mailpipe.testing import InMemoryQueue

PREFIX = "x-"
MARK = (physical(PREFIX, DUE_ITEMS), *WATERMARK.values())
BEGAN = 30_000_000 * MINUTE_MS
WHEN = pytest.mark.parametrize("when", ["before", "after"])


class Moved(MemoryTables):
    """Does something around the next move of the watermark."""

    before: Callable[[], Awaitable[object]] | None = None
    after: Callable[[], Awaitable[object]] | None = None

    async def write(self, statement: Statement, *, heard_s: float = 0.0) -> Fate:
        """See MemoryTables.write."""
        if statement.key != MARK:
            return await super().write(statement, heard_s=heard_s)
        before, after, self.before, self.after = self.before, self.after, None, None
        if before is not None:
            await before()
        fate = await super().write(statement, heard_s=heard_s)
        if after is not None:
            await after()
        return fate


class World:
    """One queue, one table, a time that the test sets."""

    def __init__(self) -> None:
        self.now_ms = BEGAN
        self.tables = Moved(PREFIX)
        self.queue = InMemoryQueue(MAIL_BULK)
        queues = {MAIL_BULK: self.queue}
        self.due = DueItems(self.tables, PREFIX, queues, waits=Waits(), wall_ms=lambda: self.now_ms)
        self.items = ParkedItems(self.tables, PREFIX, self.due.wall_ms)

    def releaser(self) -> DueTimes:
        return DueTimes(self.due, self.tables, PREFIX)

    async def sent(self, releaser: DueTimes) -> int:
        """How much is on the queue after a look at all minutes."""
        while await releaser.work():
            pass
        depth = await self.queue.depth()
        return depth.waiting + depth.delayed


@WHEN
@pytest.mark.parametrize("dies", [False, True])
async def test_what_is_put_while_its_minute_is_passed_is_found(when: str, dies: bool) -> None:
    world = World()
    releaser = world.releaser()
    assert await world.sent(releaser) == 0
    late = _waiting(BEGAN + MINUTE_MS)
    put = list[Parked]()

    async def arrives() -> None:
        put.extend(await world.items.put(late))

    setattr(world.tables, when, arrives)
    world.now_ms += 9 * MINUTE_MS  # its minute was empty for long, and is passed
    assert await world.sent(releaser) == 0
    assert len(put) == (1 if when == "before" else 2)
    if dies:
        releaser = world.releaser()
    world.now_ms += MINUTE_MS
    assert await world.sent(releaser) >= 1


def _waiting(due_ms: int) -> Parked:
    message = Received("m-1", "r-1", '{"n":1}', receives=1, sent_at_ms=BEGAN)
    park = Park(None, "later", due_ms=due_ms)
    return item_of(message, MAIL_BULK, park, now_ms=BEGAN, body_key=None)
