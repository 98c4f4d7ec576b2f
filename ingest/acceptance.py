"""How e-mails become durable: first the queue, then the record, then the yes.

A record is never written before the queue's yes. After it the answer is yes whatever the record
says (the sender makes a missing one), but for mail under an idempotency key: whether the key stands
for this mail is known from the record only, so without one the answer is "again", which does no
harm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mailpipe import logs, records, resources
from mailpipe.aws.queue import Outgoing, Queue
from mailpipe.aws.table import Fate, Refused, Tables
from mailpipe.messages import EmailMessage, RecordFields
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.records import Record
from mailpipe.statements import EmailStatements
from mailpipe.timing import now_ms, parse_iso

log = logs.get()


@dataclass(frozen=True, slots=True)
class Taken:
    """The e-mail is durable."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """The same e-mail was taken before under its key; this is its record."""

    record: Record


@dataclass(frozen=True, slots=True)
class Conflict:
    """The key stands for another e-mail."""


Acceptance = Taken | Replayed | Conflict | CallFailed
"""CallFailed: nothing was promised."""

Letter = tuple[EmailMessage, Outgoing]
"""An e-mail that keeps the rules, and what goes onto the queue for it."""


class Desk:
    """Takes e-mails in."""

    def __init__(self, queues: dict[str, Queue], tables: Tables, *, prefix: str) -> None:
        self._queues = queues
        self._tables = tables
        self._statements = EmailStatements(prefix)

    async def take(self, letters: Sequence[Letter], *, retention_days: int) -> list[Acceptance]:
        """The fate of each, in order; records are kept for so long after their end.

        Raises CallFailed when the records of keys cannot be read.
        """
        # Looked up first so that repeats put no copies onto the queue; right without it, too.
        fates = await self._known([message for message, _ in letters])
        new = [index for index, fate in enumerate(fates) if fate is None]
        faults = await self._enqueue([letters[index] for index in new])
        queued = list[int]()
        for index, fault in zip(new, faults, strict=True):
            if fault is None:
                queued.append(index)
            else:
                fates[index] = fault
        messages = [letters[index][0] for index in queued]
        recorded = await self._record(messages, retention_days)
        for index, fate in zip(queued, recorded, strict=True):
            fates[index] = fate
        return [fate for fate in fates if fate is not None]

    async def _known(self, messages: Sequence[EmailMessage]) -> list[Acceptance | None]:
        """What the records say of mail under a key; None where there is none."""
        keyed = {one.email_id for one in messages if one.fingerprint is not None}
        if not keyed:
            return [None] * len(messages)
        keys: list[records.Attributes] = [{"emailId": one} for one in keyed]
        found = await self._tables.get_all(resources.EMAIL_TRACKING, keys)
        by_id = {str(item["emailId"]): records.read(item) for item in found}
        return [
            _compared(one, by_id.get(one.email_id)) if one.fingerprint is not None else None
            for one in messages
        ]

    async def _enqueue(self, letters: Sequence[Letter]) -> list[CallFailed | None]:
        faults: list[CallFailed | None] = [None] * len(letters)
        for stream in dict.fromkeys(message.stream for message, _ in letters):
            places = [n for n, (message, _) in enumerate(letters) if message.stream == stream]
            sent = await self._queues[stream].send([letters[place][1] for place in places])
            for place, fault in zip(places, sent, strict=True):
                faults[place] = fault
        return faults

    async def _record(
        self, messages: Sequence[EmailMessage], retention_days: int
    ) -> list[Acceptance]:
        """Insert the records of what is on the queue."""
        fields = [records.fields_of(message) for message in messages]
        await self._make_stubs(messages, fields, retention_days)
        inserts = [
            self._statements.insert(
                records.born(one.email_id, one.tenant, kept, fingerprint=one.fingerprint)
            )
            for one, kept in zip(messages, fields, strict=True)
        ]
        fates = await self._tables.write_all(inserts)
        accepted = [_fate(one, fate) for one, fate in zip(messages, fates, strict=True)]
        twice = [
            index
            for index, (one, fate) in enumerate(zip(messages, fates, strict=True))
            if one.fingerprint is not None and isinstance(fate, Refused)
        ]
        found = await self._known([messages[index] for index in twice])
        for index, known in zip(twice, found, strict=True):
            accepted[index] = known or _gone()
        return accepted

    async def _make_stubs(
        self,
        messages: Sequence[EmailMessage],
        fields: Sequence[RecordFields],
        retention_days: int,
    ) -> None:
        """Before the records: who finds a record finds its stubs. A missing one loses no mail."""
        now = now_ms()
        stubs = [
            stub
            for one, kept in zip(messages, fields, strict=True)
            for stub in records.stubs(
                one.email_id, one.tenant, kept, now_ms=now, retention_days=retention_days
            )
        ]
        if not stubs:
            return
        fates = await self._tables.write_all([self._statements.insert(stub) for stub in stubs])
        failed = [fate for fate in fates if isinstance(fate, CallFailed)]
        if failed:
            log.warning("stubs_not_inserted", count=len(failed), code=failed[0].code)


def _fate(message: EmailMessage, fate: Fate | CallFailed) -> Acceptance:
    if not isinstance(fate, CallFailed):
        return Taken()
    log.warning("record_not_inserted", email_id=message.email_id, code=fate.code)
    return Taken() if message.fingerprint is None else fate


def _compared(message: EmailMessage, record: Record | None) -> Acceptance | None:
    if record is None:
        return None
    if record.tenant != message.tenant or record.fingerprint != message.fingerprint:
        return Conflict()
    # A sender may be faster than we are: a record of this very moment is no earlier request's.
    return Taken() if record.created_at == parse_iso(message.queued_at) else Replayed(record)


def _gone() -> CallFailed:
    return CallFailed(Kind.IN_DOUBT, "RecordGone", operation="accept")
