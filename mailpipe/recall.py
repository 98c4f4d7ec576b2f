"""Cancels mail and gives it another time, while no sender has claimed it.

A claim and a recall are conditional writes to the same record, so exactly one of them wins. Killed
or refused at any point, a repeat does what is left.
"""

from collections.abc import Mapping

from msgspec import structs

from mailpipe import failpoints, metrics, records, resources
from mailpipe.aws.queue import Queue
from mailpipe.aws.s3 import Bucket
from mailpipe.aws.table import Applied, Tables
from mailpipe.due import DueItems
from mailpipe.ending import Ends
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.parking import Parked, Waits
from mailpipe.records import Record
from mailpipe.rules import Violation, is_id
from mailpipe.scheduled import scheduled_name
from mailpipe.scheduled_items import ScheduledItems
from mailpipe.statements import EmailStatements
from mailpipe.status import CANCELLED, SCHEDULED
from mailpipe.tenants import Retention, Tenants
from mailpipe.timing import now_ms
from mailpipe.unsent import TooLate, is_cancelled, misplaced, too_late

TRIES = 5
"""So often a record may have changed between reading and writing it."""


class Recall:
    """Every method raises CallFailed; then the same again is harmless."""

    def __init__(
        self, tables: Tables, prefix: str, *, ends: Ends, due: DueItems, retention: Retention
    ) -> None:
        self._tables = tables
        self._statements = EmailStatements(prefix)
        self._ends = ends
        self._retention = retention
        self._items = ScheduledItems(due, tables, prefix)

    async def record(self, email_id: str, tenant: str | None) -> Record | None:
        """The mail as it stands; None: this tenant (None: nobody) has none of this id."""
        if not is_id(email_id):
            return None
        item = await self._tables.get(resources.EMAIL_TRACKING, {"emailId": email_id})
        record = None if item is None else records.read(item)
        return None if record is None or tenant not in (None, record.tenant) else record

    async def cancel(
        self, email_id: str, tenant: str | None, *, reason: str
    ) -> Record | TooLate | None:
        """End it as cancelled; a mail that is so already is as good. None: see `record`."""
        for _ in range(TRIES):
            record = await self.record(email_id, tenant)
            if record is None:
                return None
            if is_cancelled(record):
                await self._ends.finish(record)
                await self._items.forget(_name(record), record.times())
                return record
            at_ms = now_ms()
            if late := too_late(record, now_ms=at_ms):
                return late
            write = self._statements.give_up(record, CANCELLED, reason=reason, at_ms=at_ms)
            if isinstance(await self._tables.write(write), Applied):
                metrics.bound(metrics.ENDED_UNSENT, CANCELLED.status).inc()
        raise _contended("cancel")

    async def reschedule(
        self, email_id: str, tenant: str | None, send_at_ms: int
    ) -> Record | TooLate | Violation | None:
        """Let it go at this time, at once if that is past. None: see `record`.

        What waits is copied to the new time before the record says so, or else an earlier time
        might pass; and once more after it, since a sender may have parked the mail meanwhile, or
        the copy have been released. Only then the old one goes.
        """
        for _ in range(TRIES):
            record = await self.record(email_id, tenant)
            if record is None:
                return None
            at_ms, send_at_ms = now_ms(), max(0, record.created_at, send_at_ms)
            if late := too_late(record, now_ms=at_ms):
                return late
            if violation := misplaced(record, send_at_ms):
                return violation
            if record.send_at == send_at_ms:
                await self._bring(record, record.times())
                return record
            waiting = await self._items.find(_name(record), record.times())
            copies = await self._items.put(waiting, send_at_ms)
            failpoints.hit("reschedule.copied")
            write = self._statements.reschedule(record, send_at_ms, at_ms=at_ms)
            if isinstance(await self._tables.write(write), Applied):
                failpoints.hit("reschedule.recorded")
                moved = structs.replace(record, status=SCHEDULED.status, send_at=send_at_ms)
                await self._bring(moved, [send_at_ms, *record.times()])
                return moved
            await self._take_back(copies, record)
        raise _contended("reschedule")

    async def _take_back(self, copies: list[Parked], record: Record) -> None:
        """Somebody else came first: at this time the mail may find no record any more, unless it is
        one that the record knows.
        """
        now = await self.record(record.email_id, record.tenant)
        known = [] if now is None else now.times()
        await self._items.delete([one for one in copies if one.at_ms not in known])

    async def _bring(self, record: Record, times: list[int]) -> None:
        """Have it wait for the time that it has now, and for no other of these. What others who
        move it put there in between stays: it is not what was read here.
        """
        waiting = await self._items.find(_name(record), times)
        now = await self.record(record.email_id, record.tenant)
        if now is None or now.send_at is None:
            return
        copies = await self._items.put(waiting, now.send_at)
        await self._items.delete([one for one in waiting if one.at_ms != now.send_at])
        await self._items.send_soon(copies)
        await self._keep_stubs(now, now.send_at)

    async def _keep_stubs(self, record: Record, send_at_ms: int) -> None:
        """It is found by its further recipients for as long as by the first."""
        if not (stubs := records.stub_ids(record)):
            return
        ttl = records.stub_expiry(send_at_ms, await self._retention.days(record.tenant))
        writes = [self._statements.keep_stub(one, ttl=ttl) for one in stubs]
        for fate in await self._tables.write_all(writes):
            if isinstance(fate, CallFailed):
                raise fate


def _name(record: Record) -> str:
    return scheduled_name(record.tenant, record.email_id)


def _contended(operation: str) -> CallFailed:
    return CallFailed(Kind.IN_DOUBT, "RecordContended", operation=operation)


def recall_of(
    tables: Tables,
    prefix: str,
    *,
    events: Queue,
    lanes: Mapping[str, Queue],
    bucket: Bucket | None,
    retention_days: int,
) -> Recall:
    """With the processors' queue, the senders' by stream, and the bucket of bodies: without it, a
    large mail that is to go soon is as late as the next look for what is due. What is soon is fixed
    here, whatever the senders take it to be: their next look finds the rest.
    """
    retention = Retention(Tenants(tables), usual_days=retention_days)
    queues = {resources.LANES[stream]: queue for stream, queue in lanes.items()}
    return Recall(
        *(tables, prefix),
        ends=Ends(tables, prefix, events=events, retention=retention),
        due=DueItems(tables, prefix, queues, bucket=bucket, waits=Waits()),
        retention=retention,
    )
