"""What lies in a dead-letter queue: looked at, put back where it came from, or thrown away.

Nothing is ever lost when this is killed in between: a message is put back first and deleted then.
It may be there twice afterwards, which is harmless (one id is one mail, one webhook).
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from mailpipe import origins
from mailpipe.aws.queue import BATCH, MAX_ATTRIBUTES, Fault, Outgoing, Queue, Received
from mailpipe.messages import group_of
from mailpipe.outcomes import CallFailed
from mailpipe.parking import OURS
from mailpipe.settling import BURIED

HOLD_S = 600
"""How long what was taken is hidden from others; what is kept is handed back at the end."""

CRASH_LOOP = "crash_loop"
"""The reason of what SQS itself has put there: received too often without an end."""

FORGED = "auth"
"""Put back it would die again, unless somebody has been given the right: only by this reason."""

Wanted = Callable[[Received], bool]


def reason(message: Received) -> str:
    """Why it is there: the first word of what its process wrote."""
    return message.attributes.get("reason", CRASH_LOOP).partition(":")[0]


def wanted(kind: str | None, *, forged: bool = True) -> Wanted:
    """Which messages: those of one reason, or all (`forged`: those with a forged tenant too)."""
    if kind is not None:
        return lambda message: reason(message) == kind
    return lambda message: forged or reason(message) != FORGED


def revived(message: Received, *, vouched: bool = False) -> Outgoing:
    """The message as it was before it was buried, with all who have sent it: whoever wrote it, and
    who put it here (the process that buried it; after a crash loop SQS has only moved it).

    What only senders may say (that it is a probe, how long it was held) is left out: after a crash
    loop anybody may have written it. `vouched`: whoever puts it back answers for it, so that its
    history no longer counts.
    """
    attributes = message.attributes
    left_out = BURIED | OURS
    foreign = [(name, value) for name, value in attributes.items() if name not in left_out]
    kept = dict(foreign[: MAX_ATTRIBUTES - 1])
    if not vouched:
        if "reason" in attributes and origins.ATTRIBUTE not in attributes:
            attributes = attributes | {origins.ATTRIBUTE: origins.UNKNOWN}
        kept[origins.ATTRIBUTE] = origins.extended(attributes, message.sender_id)
    return Outgoing(message.body, group=group_of(message.body), attributes=kept)


@dataclass
class Tally:
    """What became of the messages. `failed` are still there."""

    done: int = 0
    failed: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    fault: CallFailed | None = None

    def count(self, messages: list[Received], faults: list[Fault]) -> None:
        """Add a batch and its fates."""
        for message, fault in zip(messages, faults, strict=True):
            if fault is not None:
                self.failed += 1
                self.fault = fault
                continue
            self.done += 1
            self.reasons[reason(message)] = self.reasons.get(reason(message), 0) + 1


class DeadLetters:
    """One dead-letter queue, as it was at `before_ms`: what is buried later is left alone, so that
    a message that dies again is not put back for ever.
    """

    def __init__(self, dead: Queue, *, before_ms: int, wait_s: float = 1.0) -> None:
        self._dead = dead
        self._before_ms = before_ms
        self._wait_s = wait_s
        self._held = dict[str, str]()

    async def taken(
        self, wanted: Wanted, *, most: int | None
    ) -> AsyncGenerator[list[Received], None]:
        """Messages that are wanted, at most ten at a time and `most` in all, hidden for HOLD_S.

        What is still there at the end is handed back at once. Raises CallFailed.
        """
        seen, left, again, wait_s = set[str](), most, 0, self._wait_s
        try:
            # What is held longer than HOLD_S comes again, ahead of what is new: then go on, until
            # all of it has come once more.
            while (left is None or left > 0) and again <= len(seen):
                found = await self._dead.receive(BATCH, wait_s=wait_s, visibility_s=HOLD_S)
                if not found:
                    return
                if len(found) < BATCH:  # the last poll waits only where something may be left
                    wait_s = self._wait_s if (await self._dead.depth()).visible else 0
                new = [one for one in found if one.message_id not in seen]
                self._held |= {one.message_id: one.receipt for one in found}
                seen |= {one.message_id for one in found}
                again = 0 if new else again + len(found)
                fit = [one for one in new if one.sent_at_ms < self._before_ms and wanted(one)]
                fit = fit if left is None else fit[:left]
                if fit:
                    left = None if left is None else left - len(fit)
                    yield fit
        finally:
            await self._dead.hide([(receipt, 0) for receipt in self._held.values()])
            self._held.clear()

    async def look(self, wanted: Wanted, *, most: int | None) -> list[Received]:
        """The messages, which stay."""
        async with aclosing(self.taken(wanted, most=most)) as batches:
            return [message async for batch in batches for message in batch]

    async def redrive(
        self,
        source: Queue,
        wanted: Wanted,
        *,
        most: int | None,
        moved: Callable[[int], None],
        vouched: bool = False,
    ) -> Tally:
        """Put them back onto their queue; `moved` is told of each advance. Raises CallFailed."""
        tally = Tally()
        async with aclosing(self.taken(wanted, most=most)) as batches:
            async for batch in batches:
                faults = await source.send([revived(one, vouched=vouched) for one in batch])
                back = [
                    message for message, fault in zip(batch, faults, strict=True) if fault is None
                ]
                # Where the deletion fails the message is back all the same, and still here too.
                await self._delete(back)
                tally.count(batch, faults)
                moved(len(batch))
        return tally

    async def purge(
        self, wanted: Wanted, *, most: int | None, moved: Callable[[int], None]
    ) -> Tally:
        """Throw them away. Raises CallFailed."""
        tally = Tally()
        async with aclosing(self.taken(wanted, most=most)) as batches:
            async for batch in batches:
                tally.count(batch, await self._delete(batch))
                moved(len(batch))
        return tally

    async def _delete(self, messages: list[Received]) -> list[Fault]:
        faults = await self._dead.delete([message.receipt for message in messages])
        for message, fault in zip(messages, faults, strict=True):
            if fault is None:
                del self._held[message.message_id]
        return faults
