"""`Prefer: wait=N` (RFC 7240, section 4.3): hold the answer until the e-mail is sent."""

import asyncio
import re
from collections.abc import Iterable

from mailpipe import records, resources
from mailpipe.aws.table import Tables
from mailpipe.outcomes import CallFailed
from mailpipe.records import Record
from mailpipe.status import FIRST_ENDED_RANK

MAX_WAIT_S = 30
MAX_WAITERS = 200
"""In one process: each holds a connection and reads its record again and again."""
FIRST_LOOK_S, LAST_LOOK_S, GROWTH = 0.05, 0.5, 1.5

_WAIT = re.compile(r'\A\s*wait\s*=\s*"?(?P<seconds>[0-9]{1,9})"?\s*\Z', re.IGNORECASE)


def preferred_wait_s(headers: Iterable[str]) -> int:
    """How long the client would wait (0: not at all), at most MAX_WAIT_S. What is not understood
    is passed over, as a preference may be.
    """
    for header in headers:
        for preference in header.split(","):
            if found := _WAIT.match(preference.partition(";")[0]):
                return min(int(found["seconds"]), MAX_WAIT_S)
    return 0


class Waiters:
    """Requests that wait for their e-mail."""

    def __init__(self, tables: Tables, *, most: int = MAX_WAITERS) -> None:
        self._tables = tables
        self._most = most
        self._count = 0

    @property
    def full(self) -> bool:
        """Whether no more may wait."""
        return self._count >= self._most

    async def ended(self, email_id: str, *, wait_s: float) -> Record | None:
        """The record once the e-mail is sent, or will never be; None when the time is over first.

        A store that does not answer ends the waiting, too: the e-mail is durable all the same.
        """
        self._count += 1
        try:
            async with asyncio.timeout(wait_s):
                return await self._look(email_id)
        except (TimeoutError, CallFailed):
            return None
        finally:
            self._count -= 1

    async def _look(self, email_id: str) -> Record:
        pause_s = FIRST_LOOK_S
        while True:
            await asyncio.sleep(pause_s)
            item = await self._tables.get(resources.EMAIL_TRACKING, {"emailId": email_id})
            if item is not None and (record := records.read(item)).rank >= FIRST_ENDED_RANK:
                return record
            pause_s = min(LAST_LOOK_S, pause_s * GROWTH)
