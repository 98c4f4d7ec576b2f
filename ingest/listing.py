"""`GET /emails`: e-mails by recipient or by day, the newest first."""

from aiohttp import web

from ingest import queries, views
from ingest.answers import answer
from ingest.cursors import Cursors
from ingest.errors import invalid
from ingest.guard import Guard
from ingest.schemas import EmailsPage
from mailpipe.aws.table import Tables
from mailpipe.listing import DAY_MS, Position, Walk
from mailpipe.rules import Violation
from mailpipe.timing import now_ms

LONGEST_OPEN_DAYS = 30
"""A record is kept from its end on: a list goes back so much further than records are kept."""


class EmailList:
    """Lists e-mails."""

    def __init__(
        self, guard: Guard, tables: Tables, cursors: Cursors, *, retention_days: int
    ) -> None:
        self._guard = guard
        self._tables = tables
        self._cursors = cursors
        self._retention_days = retention_days

    async def page(self, request: web.Request) -> web.Response:
        """One page."""
        grant = await self._guard.admit(request, "read")
        query = queries.emails(request.query.items())
        if isinstance(query, Violation):
            raise invalid(query)
        position = None
        if query.cursor is not None:
            read = self._cursors.read(
                query.cursor, Position, tenant=grant.tenant, question=query.question
            )
            if isinstance(read, Violation):
                raise invalid(read)
            position = read
        now = now_ms()
        kept_days = grant.settings.retained_days(self._retention_days) + LONGEST_OPEN_DAYS
        walk = Walk(self._tables, grant.tenant, query, now_ms=now, kept_ms=kept_days * DAY_MS)
        found, ended_at = await walk.run(position)
        cursor = None
        if ended_at is not None:
            cursor = self._cursors.make(ended_at, tenant=grant.tenant, question=query.question)
        emails = [views.summary(record, now_ms=now) for record in found]
        return answer(EmailsPage(emails=emails, next_cursor=cursor))
