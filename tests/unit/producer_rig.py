"""A queue and a bucket for a producer that answer when the test says so."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from mailpipe import Email
from mailpipe.aws.queue import Fault, Outgoing
from mailpipe.bodies import Bodies
from mailpipe.doors import Doors, divert
from mailpipe.outbox import MemoryBucket
from mailpipe.producer import READ_AHEAD

LARGE = "x" * 60_000


def email(number: int = 0, text: str = "Hello") -> Email:
    """A good e-mail."""
    return Email(
        to=["a@example.com"], from_="b@example.com", subject=f"Mail {number}", body_text=text
    )


class Slow(MemoryBucket):
    """A queue and a bucket that answer when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.placed = list[asyncio.Future[Fault]]()
        self.answers = False
        self.told: threading.Event | None = None
        self.began = asyncio.Semaphore(0)
        self.upload = asyncio.Event()
        self.room = asyncio.Event()
        self.room.set()

    def doors(self) -> Doors:
        return Doors({"bulk": self, "transactional": self}, Bodies(self))

    async def place(self, message: Outgoing) -> asyncio.Future[Fault]:
        await self.room.wait()
        fate = asyncio.get_running_loop().create_future()
        self.placed.append(fate)
        if self.told is not None:
            self.told.set()
        if self.answers:
            fate.set_result(None)
        return fate

    async def put(self, key: str, body: bytes) -> None:
        self.began.release()
        await self.upload.wait()
        await super().put(key, body)


@pytest.fixture
def slow() -> Iterator[Slow]:
    made = Slow()
    with divert(made):
        yield made


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(READ_AHEAD):
        await asyncio.sleep(0)
