"""How e-mails become durable: first the queue, then the record, then the yes.

A record is never written before the queue's yes. After it the answer is yes whatever the record
says, and however long it takes (the sender makes a missing one), but for mail under an idempotency
key: whether the key stands for this mail is known from the record only, so without one the answer
is "again", which does no harm. A queue that does not answer in time may still take the mail.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from mailpipe import failpoints, logs, metrics, records, resources
from mailpipe.aws.queue import TimedQueue
from mailpipe.aws.table import Applied, Fate, Refused, Tables
from mailpipe.bodies import Letter
from mailpipe.messages import EmailMessage
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.records import Record
from mailpipe.statements import EmailStatements
from mailpipe.timing import now_ms, parse_iso

LEAST_RECORD_S = 1.0
"""What records may take after the queue's yes, even when that came at the last moment."""

log = logs.get()


@dataclass(frozen=True, slots=True)
class Taken:
    """The e-mail is durable."""


TAKEN = Taken()


@dataclass(frozen=True, slots=True)
class Replayed:
    """The same e-mail was taken before under its key; this is its record."""

    record: Record


@dataclass(frozen=True, slots=True)
class Conflict:
    """The key stands for another e-mail. `foreign`: its id is another tenant's, who has chosen it
    (ids of keys can be computed), so that the key can never be used.
    """

    foreign: bool = False


Acceptance = Taken | Replayed | Conflict | CallFailed
"""CallFailed: nothing was promised."""


class Desk:
    """Takes e-mails in."""

    def __init__(
        self,
        queues: dict[str, TimedQueue],
        tables: Tables,
        *,
        prefix: str,
        least_record_s: float = LEAST_RECORD_S,
    ) -> None:
        self._least_record_s = least_record_s
        self._queues = queues
        self._tables = tables
        self._statements = EmailStatements(prefix)

    async def take(
        self,
        letters: Sequence[Letter],
        *,
        retention_days: int,
        due_s: float,
        leave: Callable[[], Awaitable[object]],
    ) -> list[Acceptance]:
        """The fate of each, in order; records are kept for so long after their end. `leave` is
        called before anything but the queue is waited for.

        Ends at `due_s` (of the loop's clock), or LEAST_RECORD_S later if the queue has taken some.
        """
        now_s = asyncio.get_running_loop().time()
        # Looked up first so that repeats put no copies onto the queue; right without it, too. It
        # leaves half of the time to neighbours without a key.
        messages = [message for message, _ in letters]
        if any(one.fingerprint is not None for one in messages):
            await leave()
        fates = await self._known(messages, due_s=(now_s + due_s) / 2)
        await self._enqueue(letters, fates, due_s=due_s)
        await leave()
        promised = [index for index, fate in enumerate(fates) if fate is None]
        for _ in promised:
            failpoints.hit("ingest.queued")
        recorded = await self._promised(
            [messages[index] for index in promised], retention_days, due_s
        )
        for index, fate in zip(promised, recorded, strict=True):
            fates[index] = fate
        return [fate for fate in fates if fate is not None]

    async def take_one(
        self, letter: Letter, *, retention_days: int, deadline: asyncio.Timeout
    ) -> Acceptance:
        """The same for an e-mail alone. The request's own `deadline` cuts it as long as the queue
        has not said yes: nothing was promised.
        """
        message, outgoing = letter
        loop = asyncio.get_running_loop()
        due_s = deadline.when() or loop.time()
        if message.fingerprint is not None:
            (known,) = await self._known([message], due_s=(loop.time() + due_s) / 2)
            if known is not None:
                return known
        (fault,) = await self._queues[message.stream].send([outgoing])
        if fault is not None:
            return fault
        deadline.reschedule(None)
        failpoints.hit("ingest.queued")
        (fate,) = await self._promised([message], retention_days, due_s)
        return fate

    async def _known(
        self, messages: Sequence[EmailMessage], *, due_s: float | None = None
    ) -> list[Acceptance | None]:
        """What the records say of mail under a key; None where there is none. That they cannot be
        read is the fate of such mail only.
        """
        keyed = {one.email_id for one in messages if one.fingerprint is not None}
        if not keyed:
            return [None] * len(messages)
        keys: list[records.Attributes] = [{"emailId": one} for one in keyed]
        try:
            async with asyncio.timeout_at(due_s):
                found = await self._tables.get_all(resources.EMAIL_TRACKING, keys)
        except (CallFailed, TimeoutError) as failed:
            fault = _failed(failed)
            return [fault if one.fingerprint is not None else None for one in messages]
        by_id = {str(item["emailId"]): records.read(item) for item in found}
        return [
            _compared(one, by_id.get(one.email_id)) if one.fingerprint is not None else None
            for one in messages
        ]

    async def _enqueue(
        self, letters: Sequence[Letter], fates: list[Acceptance | None], *, due_s: float
    ) -> None:
        """Put on the queue what has no fate yet; what it has not taken has one afterwards. In doubt
        when the queue did not say so in time.
        """
        by_stream: dict[str, list[int]] = {}
        for place, (message, _) in enumerate(letters):
            if fates[place] is None:
                by_stream.setdefault(message.stream, []).append(place)

        async def send(stream: str, places: list[int]) -> None:
            messages = [letters[place][1] for place in places]
            found = await self._queues[stream].send_until(messages, due_s)
            for place, fault in zip(places, found, strict=True):
                fates[place] = fault

        calls = [send(*part) for part in by_stream.items()]
        await (calls[0] if len(calls) == 1 else asyncio.gather(*calls))

    async def _promised(
        self, messages: Sequence[EmailMessage], retention_days: int, due_s: float
    ) -> list[Acceptance]:
        """The fate of what is on the queue."""
        until_s = max(due_s, asyncio.get_running_loop().time() + self._least_record_s)
        try:
            async with asyncio.timeout_at(until_s):
                return await self._record(messages, retention_days)
        except TimeoutError as late:
            return [_fate(one, _failed(late)) for one in messages]

    async def _record(
        self, messages: Sequence[EmailMessage], retention_days: int
    ) -> list[Acceptance]:
        """Insert the records of what is on the queue."""
        now = now_ms()
        # Each step for all before the next one: see `check_all` in mailpipe/rules.py.
        kept = [records.fields_of(one) for one in messages]
        born, stubs = list[records.Attributes](), list[records.Attributes]()
        for one, fields in zip(messages, kept, strict=True):
            email_id, tenant = one.email_id, one.tenant
            born.append(records.born(email_id, tenant, fields, fingerprint=one.fingerprint))
            stubs += records.stubs(
                email_id, tenant, fields, now_ms=now, retention_days=retention_days
            )
        inserts = [self._statements.insert(one) for one in born]
        if stubs:
            await self._insert_stubs(stubs)
        accepted, twice = list[Acceptance](), list[int]()
        for one, fate in zip(messages, await self._tables.write_all(inserts), strict=True):
            if isinstance(fate, Applied):
                failpoints.hit("ingest.recorded")
                accepted.append(TAKEN)
                continue
            if isinstance(fate, Refused) and one.fingerprint is not None:
                twice.append(len(accepted))
            accepted.append(_fate(one, fate))
        if twice:
            found = await self._known([messages[index] for index in twice])
            for index, known in zip(twice, found, strict=True):
                accepted[index] = known or _gone()
        return accepted

    async def _insert_stubs(self, stubs: Sequence[records.Attributes]) -> None:
        """Before the records: who finds a record finds its stubs. A missing one loses no mail."""
        fates = await self._tables.write_all([self._statements.insert_stub(stub) for stub in stubs])
        failed = [fate for fate in fates if isinstance(fate, CallFailed)]
        if failed:
            log.warning("stubs_not_inserted", count=len(failed), code=failed[0].code)


def _fate(message: EmailMessage, fate: Fate | CallFailed) -> Acceptance:
    if not isinstance(fate, CallFailed):
        return TAKEN
    log.warning("record_not_inserted", email_id=message.email_id, code=fate.code)
    return TAKEN if message.fingerprint is None else fate


def _compared(message: EmailMessage, record: Record | None) -> Acceptance | None:
    if record is None:
        return None
    if record.tenant != message.tenant:
        metrics.FOREIGN_KEYS.inc()
        log.error("key_id_taken", email_id=message.email_id, tenant=message.tenant)
        return Conflict(foreign=True)
    if record.fingerprint != message.fingerprint:
        return Conflict()
    # A sender may be faster than we are: a record of this very moment is no earlier request's.
    return TAKEN if record.created_at == parse_iso(message.queued_at) else Replayed(record)


def _failed(error: CallFailed | TimeoutError) -> CallFailed:
    if isinstance(error, CallFailed):
        return error
    return CallFailed(Kind.IN_DOUBT, "AnswerTimeout", operation="accept")


def _gone() -> CallFailed:
    return CallFailed(Kind.IN_DOUBT, "RecordGone", operation="accept")
