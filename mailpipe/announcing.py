"""Ends that SES does not cause and that are set without a claim: cancelled by its owner, or given
up. First the end is written, into a record that stays in the index of open mail; then our event is
put; then the record is closed. Killed in between, it is an ended mail among the open ones: whoever
comes by does the rest, and the same event again has the same id.
"""

from mailpipe.aws.queue import Outgoing, Queue
from mailpipe.aws.table import Tables
from mailpipe.messages import OwnEvent, encode, own_event
from mailpipe.records import Record, fields_of_record
from mailpipe.statements import EmailStatements
from mailpipe.status import Standing
from mailpipe.tenants import Retention
from mailpipe.timing import iso


def event_of(record: Record) -> OwnEvent:
    """Our own event for the end that the record has."""
    return own_event(
        record.email_id,
        record.tenant,
        status=record.status,
        attempt=record.attempt,
        at=iso(record.updated_at),
        reason=record.reason or "",
        record=fields_of_record(record),
    )


class Ends:
    """Does what follows an end. `events` is the queue of the processors."""

    def __init__(self, tables: Tables, prefix: str, *, events: Queue, retention: Retention) -> None:
        self._tables = tables
        self._statements = EmailStatements(prefix)
        self._events = events
        self._retention = retention

    async def finish(self, record: Record) -> None:
        """Announce and close it, unless that is done. Raises CallFailed."""
        if not record.is_open:
            return
        (fault,) = await self._events.send([Outgoing(encode(event_of(record)), record.tenant)])
        if fault is not None:
            raise fault
        # From its end on, so that a repeat changes nothing.
        ttl = await self._retention.expiry(record.tenant, record.over_at(record.updated_at))
        standing = Standing(record.status, record.rank, terminal=True)
        await self._tables.write(
            self._statements.close(record.email_id, standing, at_ms=record.updated_at, ttl=ttl)
        )
