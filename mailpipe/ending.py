"""Ends that are set without a claim: a mail that its owner has cancelled.

First the end is written, into a record that stays in the index of open mail; then our own event is
put; then the record is closed. Killed in between, it is an ended mail among the open ones: whoever
comes by does the rest.
"""

from mailpipe import failpoints
from mailpipe.announcing import announce
from mailpipe.aws.queue import Queue
from mailpipe.aws.table import Tables
from mailpipe.records import Record
from mailpipe.statements import EmailStatements
from mailpipe.status import Standing
from mailpipe.tenants import Retention


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
        failpoints.hit("end.written")
        await announce(self._events, record)
        failpoints.hit("end.announced")
        # From its end on, so that a repeat changes nothing.
        ttl = await self._retention.expiry(record.tenant, record.over_at(record.updated_at))
        standing = Standing(record.status, record.rank, terminal=True)
        await self._tables.write(
            self._statements.close(record.email_id, standing, at_ms=record.updated_at, ttl=ttl)
        )
