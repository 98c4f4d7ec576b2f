"""Mail for later: it waits outside its queue until the time that its record names.

The record is the authority on when a mail goes; its messages only carry it there. So there is a
record before a mail waits, it is looked at before a message waits or ends by its own times, and the
claim names its version. Then copies of a message, and messages that were released for a time which
is no longer the mail's, do no harm: whoever gets one lets it wait for the right time, where all
copies are one item.
"""

import asyncio
import math
from collections.abc import Callable

from msgspec.structs import replace

from mailpipe import logs, metrics, records, scheduled
from mailpipe.attachments import is_large
from mailpipe.aws.queue import Received
from mailpipe.aws.table import Tables
from mailpipe.bodies import Bodies
from mailpipe.messages import EmailMessage, encode
from mailpipe.outcomes import Done, Park, Retry
from mailpipe.parking import SCHEDULED
from mailpipe.resources import EMAIL_TRACKING
from mailpipe.settling import Parking
from mailpipe.status import FIRST_ENDED_RANK
from mailpipe.times import Times, times_of
from sender.claims import Answer, Doubtful, Open, Scheduled
from sender.slots import Slots
from sender.store import SenderStore
from sender.verdicts import broken, expired, read

TRIES = 5

log = logs.get()


class Scheduling:
    """What the handler of a lane asks first. SQS delays by whole seconds, so scheduled mail comes
    up to one too early: what comes no more than `kept_s` early stays in hand.
    """

    def __init__(
        self,
        store: SenderStore,
        slots: Slots,
        *,
        kept_s: float,
        expire_after_s: float,
        wall_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._slots = slots
        self._kept_ms = round(kept_s * 1000)
        self._expire_after_s = expire_after_s
        self._wall_ms = wall_ms

    def concerns(
        self, message: EmailMessage, received: Received, times: Times, *, now_ms: int
    ) -> bool:
        """Whether to `look` at a mail with these times: it was for later once, or is over by its
        message.
        """
        for_later = message.email.send_at is not None or SCHEDULED in received.attributes
        return for_later or self._over(times, now_ms=now_ms)

    async def look(
        self, message: EmailMessage, received: Received, domains: list[str]
    ) -> Times | Answer | Retry | Done:
        """The times of a mail that may go now, kept until then if that was near; else why it does
        not. What does not concern us (mail in doubt comes, too) costs nothing, nor does a look what
        is due; what is over by its message is looked at: it may have been given another time.
        """
        times, has_waited = times_of(message), SCHEDULED in received.attributes
        if not self.concerns(message, received, times, now_ms=self._wall_ms()):
            return times
        over = self._over(times, now_ms=self._wall_ms())
        if times.due_ms - self._wall_ms() <= self._kept_ms and not over:
            message.recorded = message.recorded or has_waited
            return await self._comes(times.due_ms) or times
        answer = await self._store.look(message)
        if answer is None:
            if has_waited and over:
                return _left_over(message)
            if times.due_ms <= self._wall_ms() or _ends_at_once(message, domains):
                return times  # the claim makes the record, even to end it
            answer = await self._store.make(message)
        if isinstance(answer, Scheduled) and answer.send_at_ms - self._wall_ms() <= self._kept_ms:
            if (late := await self._comes(answer.send_at_ms)) is not None:
                return late
        elif not isinstance(answer, Open | Doubtful):
            return answer
        record = answer.record
        message.recorded, message.version = True, record.version
        return Times(record.created_at, record.send_at, record.expires_at)

    def _over(self, times: Times, *, now_ms: int) -> bool:
        return expired(times, now_ms=now_ms, expire_after_s=self._expire_after_s) is not None

    async def _comes(self, send_at_ms: int) -> Retry | None:
        """Its time, for a mail that stays in hand; else when it is to come again."""
        if send_at_ms <= self._wall_ms():
            return None
        if not self._slots.keep():
            return Retry(max(1, math.ceil((send_at_ms - self._wall_ms()) / 1000)), "scheduled")
        await asyncio.sleep((send_at_ms - self._wall_ms() + 1) / 1000)
        return None


def _left_over(message: EmailMessage) -> Done:
    """It had a record when it was parked, so its mail has ended so long ago that nobody remembers:
    a copy for a time to which the mail was never moved. Its owner has heard of the end.
    """
    metrics.LEFT_OVER.inc()
    log.warning("copy_without_record", email_id=message.email_id)
    return Done()


def _ends_at_once(message: EmailMessage, domains: list[str]) -> bool:
    """Whether it breaks a rule, as far as that is seen without its body: its owner must not hear of
    it in a year.
    """
    if message.body is not None or is_large(message.email):
        return False
    return broken(message, domains) is not None


class TimedParking:
    """Parking of mail that has times: what is given another time while it is parked waits for that,
    too.
    """

    def __init__(self, parking: Parking, tables: Tables, bodies: Bodies) -> None:
        self._parking = parking
        self._tables = tables
        self._bodies = bodies
        self.instead_of = parking.instead_of

    async def park(self, message: Received, queue: str, park: Park) -> None:
        """See mailpipe.settling.Parking.park."""
        if park.name is not None:
            message = await self._with_lasting_body(message)
        await self._parking.park(message, queue, park)
        if park.name is not None:
            await self._follow(message, queue, park, park.name)

    async def _with_lasting_body(self, message: Received) -> Received:
        """Mail that was given its time later, or was put onto the queue by hand, may have a body
        that is not kept for so long.
        """
        if '"s3Key"' not in message.body:
            return message
        mail = read(message.body)
        moved = await self._bodies.kept_longer(mail) if isinstance(mail, EmailMessage) else None
        return message if moved is None else replace(message, body=encode(moved))

    async def _follow(self, message: Received, queue: str, park: Park, name: str) -> None:
        """Whoever has given the mail another time meanwhile found no item to move."""
        for _ in range(TRIES):
            key: records.Attributes = {"emailId": scheduled.email_id_of(name)}
            item = await self._tables.get(EMAIL_TRACKING, key)
            record = None if item is None else records.read(item)
            if record is None or record.rank >= FIRST_ENDED_RANK:
                return
            if record.send_at in (park.due_ms, None):
                return
            park = replace(park, due_ms=record.send_at)
            await self._parking.park(message, queue, park)
