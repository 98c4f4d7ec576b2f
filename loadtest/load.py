"""A steady load through both doors that outlives restarts and kills of the services.

The producers of the SDK live here, in the generator: nobody ends them. A REST client tries again
after a broken connection or a 503, as an outside client would, at the next replica.
"""

import asyncio
import math
import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol

import aiohttp

from infra.local.demo import Run
from infra.local.mails import DOORS, Doors, Refused, mails, open_doors
from infra.local.observe import Depths
from infra.local.stack import Stack
from loadtest.checker import read_log

AGAIN_S = 0.1
AGAIN_MOST_S = 1.6
"""Between two tries of a client, longer each time."""
UNAVAILABLE = 503
BATCH = 500
BEGUN_S = 0.005
"""How late `many_begun` may be."""


class Make(Protocol):
    """Makes so many mails, numbered from `first`."""

    def __call__(self, count: int, seed: int, *, first: int = 0) -> list[dict[str, Any]]:
        """As `POST /send-email` takes them."""
        ...


class Load:
    """`acks` are the doors' promises; `cut` are the POSTs that ended without an answer, or with a
    503: their mails may be on the queue, and nobody was promised that they are. `posts_open` is how
    many POSTs wait for their answer now, `begun` how many mails were sent, answered or not.
    """

    def __init__(
        self, doors: Sequence[Doors], *, rate: float, seed: int, make: Make = mails
    ) -> None:
        self.acks = list[dict[str, Any]]()
        self.cut = list[dict[str, Any]]()
        self.posts_open = 0
        self.begun = 0
        self._doors = doors
        self._rate = rate
        self._seed = seed
        self._make = make
        self._stop = asyncio.Event()
        self._offered_s = math.inf

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Send while the body runs, then until every mail is acknowledged."""
        begun, sending = time.monotonic(), asyncio.create_task(self._run())
        sending.add_done_callback(lambda _: self._stop.set())
        try:
            yield
        except BaseException:
            # What the clients wait for may never come.
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            raise
        self._stop.set()
        self._offered_s = time.monotonic() - begun
        await sending

    async def many_begun(self, count: int) -> None:
        """While it flows: until so many are begun, or one was refused for good."""
        while True:
            if self.begun >= count or self._stop.is_set():
                return
            await asyncio.sleep(BEGUN_S)

    @property
    def rate(self) -> float:
        """Mails a second, over the time in which they were begun; all are acknowledged."""
        return len(self.acks) / self._offered_s

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        async with asyncio.TaskGroup() as sending:
            for index, mail in self._mails():
                await asyncio.sleep(max(0.0, begun + index / self._rate - loop.time()))
                if self._stop.is_set():
                    return
                self.begun += 1
                sending.create_task(self._send(index, mail))

    def _mails(self) -> Iterator[tuple[int, dict[str, Any]]]:
        index = 0
        while True:
            for mail in self._make(BATCH, self._seed + index, first=index):
                yield index, mail
                index += 1

    async def _send(self, index: int, mail: dict[str, Any]) -> None:
        if DOORS[index % 2] == "sdk":
            self.acks.append(await self._doors[0].send("sdk", mail))
        else:
            self.acks.append(await self._by_rest(index // 2, mail))

    async def _by_rest(self, turn: int, mail: dict[str, Any]) -> dict[str, Any]:
        again_s = AGAIN_S
        while True:
            self.posts_open += 1
            try:
                return await self._doors[turn % len(self._doors)].send("rest", mail)
            except aiohttp.ClientConnectorError:
                pass  # nobody was there: nothing can have been accepted
            except aiohttp.ClientError:
                self._note_cut(mail)
            except Refused as refused:
                if refused.status != UNAVAILABLE:
                    raise
                self._note_cut(mail)
            finally:
                self.posts_open -= 1
            turn += 1
            await asyncio.sleep(again_s)
            again_s = min(2 * again_s, AGAIN_MOST_S)

    def _note_cut(self, mail: dict[str, Any]) -> None:
        self.cut.append({"recipients": mail["to"], "door": "rest", "t": time.time()})


@contextmanager
def pointed_at(stack: Stack) -> Iterator[None]:
    """The SDK finds this stack by the environment; the next stack must not."""
    before = dict(os.environ)
    os.environ.update(stack.aws_environment())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@asynccontextmanager
async def doors_of(stack: Stack) -> AsyncIterator[Doors]:
    """Both doors."""
    with pointed_at(stack):
        async with open_doors(stack.ingest_url) as doors:
            yield doors


async def evidence(stack: Stack, doors: Doors, acks: list[dict[str, Any]]) -> dict[str, Any]:
    """What was seen outside of our services, as the judges take it."""
    return {
        "acks": acks,
        "simulator": read_log(stack.ses_log),
        "receiver": read_log(stack.receiver_log),
        "statuses": await doors.statuses(ack["emailId"] for ack in acks),
        "endpoints": stack.plan.endpoints,
    }


async def quiet(run: Run, depths: Depths, *, within_s: float) -> bool:
    """Wait until no queue holds anything (dead letters apart) and no outside log grows; whether
    that came within the time.
    """
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        await run.settle(at_least_s=1.0)
        waiting = await asyncio.to_thread(depths.read)
        if not any(count for name, count in waiting.items() if not name.endswith("-dead")):
            return True
    return False
