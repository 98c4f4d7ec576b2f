"""Parked mail in tables of the local cloud; queues are in this process, and time is the test's."""

from collections.abc import Sequence
from uuid import uuid4

from mailpipe.aws.queue import Fault, Outgoing, Received
from mailpipe.due import DueItems
from mailpipe.messages import encode
from mailpipe.outbox import MemoryBucket
from mailpipe.parking import Waits
from mailpipe.resources import MAIL_BULK, MAIL_TRANSACTIONAL
from mailpipe.testing import InMemoryQueue
from mailpipe.timing import iso, now_ms
from tests.integration.conftest import PREFIX, Parts, message


class Killed(BaseException):
    """The process ended here."""


class MortalQueue(InMemoryQueue):
    """A queue whose caller is killed right after the next send, or cannot reach it."""

    kills = False
    fault: Fault = None

    async def send(self, messages: Sequence[Outgoing]) -> list[Fault]:
        if self.fault is not None:
            return [self.fault] * len(messages)
        faults = await super().send(messages)
        if self.kills:
            self.kills = False
            raise Killed
        return faults


class MortalBucket(MemoryBucket):
    """A bucket that may be out of reach."""

    fault: Fault = None

    async def get(self, key: str, *, max_bytes: int) -> bytes | None:
        if self.fault is not None:
            raise self.fault
        return await super().get(key, max_bytes=max_bytes)


class Rig:
    """Parking as one sender has it."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.now_ms = now_ms()
        self.bucket = MortalBucket()
        self.scope = f"set#{uuid4()}"
        self.queues = {
            name: MortalQueue(name, clock=lambda: self.now_ms / 1000)
            for name in (MAIL_TRANSACTIONAL, MAIL_BULK)
        }
        self.due = DueItems(
            *(parts.tables, PREFIX, self.queues),
            bucket=self.bucket,
            waits=Waits(),
            wall_ms=lambda: self.now_ms,
        )

    def mail(self, *, age_s: float = 0, **changes: object) -> Received:
        """A mail in hand that was accepted `age_s` ago."""
        one = message(**changes)
        one.queued_at = iso(self.now_ms - round(age_s * 1000))
        return Received(
            *(f"m-{one.email_id}", "r", encode(one)),
            receives=1,
            sent_at_ms=self.now_ms,
            sender_id="AIDASHOP",
        )

    async def on_queue(self, name: str = MAIL_BULK) -> list[Received]:
        """What can be received from this queue now; it is deleted."""
        found = list[Received]()
        while batch := await self.queues[name].receive(10, wait_s=0):
            found += batch
            await self.queues[name].delete([one.receipt for one in batch])
        return found

    async def waiting(self) -> int:
        """How many wait for this rig's scope."""
        return sum([len(await self.due.first(self.scope, name, 100)) for name in self.queues])
