"""The slots of a lane over a scripted limiter."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from mailpipe.lifecycle import Stop
from sender.pacing import Lead, Reservation
from sender.slots import Slots
from sender.turns import Excess

FAR_S = 3600.0
"""An instant that is not due in any test."""
NEVER = Reservation([], again_in_s=FAR_S)


class Scripted:
    """A limiter that grants when it is told to, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked = list[tuple[int, int]]()
        self._answers = asyncio.Queue[Reservation]()

    async def reserve(self, lane: str, recipients: int, at_most: int) -> Reservation:
        self.asked.append((recipients, at_most))
        return await self._answers.get()

    def any_cap(self) -> bool:
        raise AssertionError("not the slots' business")

    async def cap_wait_s(self, scope: str, recipients: int) -> float:
        raise AssertionError("not the slots' business")

    def throttled(self) -> None:
        raise AssertionError("not the slots' business")

    async def grants(self, *instants: float) -> None:
        """Answer the next reservation."""
        self._answers.put_nowait(Reservation(list(instants), again_in_s=0.0))
        await settled()


async def settled() -> None:
    """Everybody has run who can."""
    for _ in range(20):
        await asyncio.sleep(0)


class Rig:
    """Slots, and those who wait for them."""

    def __init__(self, most: int, dig_every_s: float, apart_s: float) -> None:
        self.limiter = Scripted()
        self.slots = Slots(
            *(self.limiter, "bulk"),
            lead=Lead(),
            most=most,
            dig_every_s=dig_every_s,
            apart_s=apart_s,
        )

    async def waits(
        self, tenant: str, recipients: int = 1
    ) -> "asyncio.Task[float | Excess | None]":
        """A mail comes; who waits for its instant."""
        return await started(self.slots.next(tenant, recipients))


async def started(
    waiting: Awaitable[float | Excess | None],
) -> "asyncio.Task[float | Excess | None]":
    task = asyncio.ensure_future(waiting)
    await settled()
    assert isinstance(task, asyncio.Task)
    return task


@asynccontextmanager
async def running(
    most: int = 100, dig_every_s: float = 0.001, apart_s: float = 0.0
) -> AsyncIterator[Rig]:
    rig, stop = Rig(most, dig_every_s, apart_s), Stop()
    task = asyncio.create_task(rig.slots.run(stop))
    yield rig
    stop.set()
    rig.limiter._answers.put_nowait(NEVER)
    await task


def soon(count: int) -> list[float]:
    """Instants that are due, none of them past."""
    return [asyncio.get_running_loop().time() + 0.05 + n / 1000 for n in range(count)]
