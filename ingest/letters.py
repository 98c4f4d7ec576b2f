"""From what a request asks to be sent to what goes onto the queue for it, or why nothing does."""

import asyncio
from collections.abc import Sequence

import msgspec

from ingest import batches
from ingest.acceptance import Letter
from ingest.decoding import SendEmailRequest
from mailpipe.accepting import Arrival
from mailpipe.access import Grant
from mailpipe.bodies import Bodies, small
from mailpipe.outcomes import CallFailed
from mailpipe.rules import ValidationError, Violation, check_from

OTHERS_TURN = 50
"""Entries of a batch after which other requests have their turn: one takes some 20 µs."""

Made = Letter | Violation | CallFailed
"""What goes onto the queue for an entry of a batch, or why nothing does."""


class Letters:
    """Writes them: the rules, ids, and the bodies of large mail put into S3."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies

    async def of_one(
        self, decoded: SendEmailRequest, grant: Grant, key: str | None
    ) -> Letter | Violation:
        """Of an e-mail alone. Raises CallFailed."""
        arrival = Arrival(grant.tenant, recorded=True)
        letter = self._small(decoded, grant, arrival, key)
        return letter or await self._of_any_size(decoded, grant, key)

    async def of_small(self, entries: Sequence[batches.Entry], grant: Grant) -> list[Made | None]:
        """Of each entry of a batch; None for those that are large."""
        arrival = Arrival(grant.tenant, recorded=True, most=len(entries))
        made: list[Made | None] = []
        for index, given in enumerate(entries):
            if index % OTHERS_TURN == OTHERS_TURN - 1:
                await asyncio.sleep(0)
            if isinstance(given, batches.BatchEntry):
                made.append(self._small(given, grant, arrival, given.idempotency_key))
            else:
                made.append(self._small_raw(given, grant, arrival))
        return made

    async def with_large(
        self, entries: Sequence[batches.Entry], made: Sequence[Made | None], grant: Grant
    ) -> list[Made]:
        """The same, and those of the large ones, whose bodies are put into S3."""
        async with asyncio.TaskGroup() as group:
            tasks = {
                index: group.create_task(self._large_letter(entries[index], grant))
                for index, one in enumerate(made)
                if one is None
            }
        return [tasks[index].result() if one is None else one for index, one in enumerate(made)]

    def _small(
        self, decoded: SendEmailRequest, grant: Grant, arrival: Arrival, key: str | None
    ) -> Letter | Violation | None:
        """What goes onto the queue, or why nothing does; None: the mail is too large for that."""
        email = decoded.email()
        try:
            return check_from(email, grant.settings.domains) or small(
                email, decoded.stream, arrival, idempotency_key=key
            )
        except ValidationError as broken:
            return broken.violation

    def _small_raw(
        self, given: msgspec.Raw, grant: Grant, arrival: Arrival
    ) -> Letter | Violation | None:
        if batches.is_large(given):
            return None
        entry = batches.entry(given)
        if isinstance(entry, Violation):
            return entry
        return self._small(entry, grant, arrival, entry.idempotency_key)

    async def _of_any_size(
        self, decoded: SendEmailRequest, grant: Grant, key: str | None
    ) -> Letter | Violation:
        """The same for a mail whose body may have to go into S3. Raises CallFailed."""
        email = decoded.email()
        try:
            return check_from(email, grant.settings.domains) or await self._bodies.accept(
                email,
                tenant=grant.tenant,
                stream=decoded.stream,
                idempotency_key=key,
                recorded=True,
            )
        except ValidationError as broken:
            return broken.violation

    async def _large_letter(
        self, given: batches.Entry, grant: Grant
    ) -> Letter | Violation | CallFailed:
        # In a thread each: many that are just large take as long as a huge one.
        entry = await asyncio.to_thread(batches.entry, given)
        if isinstance(entry, Violation):
            return entry
        try:
            return await self._of_any_size(entry, grant, entry.idempotency_key)
        except CallFailed as failed:
            return failed
