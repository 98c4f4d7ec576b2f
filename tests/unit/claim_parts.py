"""Who takes part in the life of a mail (`claim_world.py`), and who has no say in it."""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from mailpipe.aws.queue import Outgoing
from processor.events import Event
from tests.unit.memory_tables import step


@dataclass(eq=False)
class Process:
    """A sender with the mail in hand, or a processor with an event (`event`)."""

    work: Coroutine[Any, Any, Any]
    since_ms: int
    event: Event | None = None
    slow: bool = False
    token: object = None


class Nobody:
    """Slots, pauses, quota and the queue of events: none of them has anything to say."""

    closed = False
    name = url = "ses-events"

    def throttled(self) -> None: ...

    def listens(self, *_: object) -> bool:
        return True

    async def passed(self, *_: object) -> None: ...

    async def found(self, *_: object) -> None: ...

    async def days(self, _: str) -> int:
        return 90

    async def expiry(self, _: str, at_ms: int) -> int:
        return at_ms // 1000

    async def send(self, messages: Sequence[Outgoing]) -> list[None]:
        await step("before our event")
        return [None for _ in messages]
