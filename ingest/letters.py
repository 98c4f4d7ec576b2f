"""From what a request asks to be sent to what goes onto the queue for it, or why nothing does."""

import asyncio
from collections.abc import Sequence

import msgspec

from ingest import batches
from ingest.decoding import SendEmailRequest
from mailpipe.accepting import Arrival
from mailpipe.access import Grant
from mailpipe.attachments import is_large
from mailpipe.bodies import Bodies, Letter, small, small_all
from mailpipe.outcomes import CallFailed
from mailpipe.rules import ValidationError, Violation, check_from

TOGETHER = 50
"""Entries of a batch that are written together, each step for all of them before the next one, so
that its code stays in the processor's caches; then other requests have their turn. One takes some
20 µs.
"""

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
        email = decoded.email()
        try:
            letter = check_from(email, grant.settings.domains) or small(
                email,
                decoded.stream,
                Arrival(grant.tenant, recorded=True),
                idempotency_key=key,
            )
        except ValidationError as broken:
            return broken.violation
        return letter or await self._of_any_size(decoded, grant, key)

    async def of_small(self, entries: Sequence[batches.Entry], grant: Grant) -> list[Made | None]:
        """Of each entry of a batch; None for those that are large."""
        arrival = Arrival(grant.tenant, recorded=True, most=len(entries))
        made: list[Made | None] = []
        for begin in range(0, len(entries), TOGETHER):
            if begin:
                await asyncio.sleep(0)
            read = [_small_entry(given) for given in entries[begin : begin + TOGETHER]]
            good = [one for one in read if isinstance(one, batches.BatchEntry)]
            drafts = [(one.email(), one.stream, one.idempotency_key) for one in good]
            letters = small_all(drafts, arrival, domains=grant.settings.domains)
            made += letters if len(good) == len(read) else _in_their_places(letters, read)
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


def _in_their_places(
    letters: Sequence[Made | None], read: Sequence[batches.BatchEntry | Violation | None]
) -> list[Made | None]:
    """What was made of the entries that could be read, among what the others are."""
    coming = iter(letters)
    return [next(coming) if isinstance(one, batches.BatchEntry) else one for one in read]


def _small_entry(given: batches.Entry) -> batches.BatchEntry | Violation | None:
    """An entry, read; None: it is large."""
    if isinstance(given, msgspec.Raw):
        return None if batches.is_large(given) else batches.entry(given)
    return None if is_large(given) else given
