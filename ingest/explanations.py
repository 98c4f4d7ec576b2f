"""`GET /emails/{emailId}/explain`."""

from collections.abc import Mapping

from aiohttp import web

from ingest.answers import answer
from ingest.errors import not_found
from ingest.guard import Guard
from mailpipe import records, resources
from mailpipe.aws.queue import Queue
from mailpipe.aws.table import Tables
from mailpipe.explaining import Explainer
from mailpipe.rules import is_id

NO_RECORD = (
    "There is no record of an e-mail with this id. A mail that was put on the queue without the "
    "REST door has none before a sender has it in hand."
)


class Explanations:
    """Why an e-mail stands as it does."""

    def __init__(self, guard: Guard, tables: Tables, queues: Mapping[str, Queue]) -> None:
        self._guard = guard
        self._tables = tables
        self._explainer = Explainer(tables, queues)

    async def explain(self, request: web.Request) -> web.Response:
        """What it waits for, since when, what binds, when it should go on."""
        grant = await self._guard.admit(request, "read")
        email_id, item = request.match_info["emailId"], None
        if is_id(email_id):
            item = await self._tables.get(resources.EMAIL_TRACKING, {"emailId": email_id})
        if item is None or item["tenant"] != grant.tenant:
            raise not_found(NO_RECORD)
        return answer(await self._explainer.explain(records.read(item)))
