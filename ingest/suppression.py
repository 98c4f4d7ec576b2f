"""A tenant's suppression list: `POST /suppression/add`, `DELETE /suppression/{email}`, `GET
/suppression`.
"""

from functools import partial

import msgspec
from aiohttp import web

from ingest import queries, strict_json, views
from ingest.answers import answer
from ingest.cursors import Cursors
from ingest.errors import invalid, not_found
from ingest.guard import Guard
from ingest.limits import FORM_BYTES
from ingest.schemas import AddSuppression, Removed, SuppressedAnswer, SuppressionPage
from mailpipe import resources, suppression
from mailpipe.addresses import BadAddress, parse
from mailpipe.aws.table import Applied, Tables
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.records import Attributes
from mailpipe.rules import Violation
from mailpipe.suppression import SuppressionStatements
from mailpipe.timing import now_ms

QUESTION = "suppression"

_decode = partial(strict_json.read, msgspec.json.Decoder(AddSuppression))


class Position(msgspec.Struct):
    """The last key of a page."""

    address_hash: str


class SuppressionList:
    """Adds, removes and lists."""

    def __init__(
        self, guard: Guard, tables: Tables, cursors: Cursors, *, prefix: str, hash_key: bytes
    ) -> None:
        self._guard = guard
        self._tables = tables
        self._cursors = cursors
        self._hash_key = hash_key
        self._statements = SuppressionStatements(prefix)

    async def add(self, request: web.Request) -> web.Response:
        """Put an address on the list. What stops it already, for as much and for ever, stays."""
        grant = await self._guard.admit(request, "admin")
        decoded = await self._guard.decoded(request, _decode, max_bytes=FORM_BYTES)
        try:
            item = suppression.item_for(
                self._hash_key,
                grant.tenant,
                decoded.email,
                reason=suppression.MANUAL,
                scope=decoded.scope,
                added_at_ms=now_ms(),
            )
        except BadAddress as error:
            raise invalid(Violation("email", error.constraint, f"email: {error}")) from None
        for _ in range(3):
            if isinstance(await self._tables.write(self._statements.add(item)), Applied):
                return answer(SuppressedAnswer(suppressed=views.suppressed(item)))
            found = await self._widened(item)
            if found is not None:
                return answer(SuppressedAnswer(suppressed=views.suppressed(found)))
        raise CallFailed(Kind.IN_DOUBT, "SuppressionContended", operation="suppress")

    async def _widened(self, wanted: Attributes) -> Attributes | None:
        """The entry that is there, made to stop what is wanted; None when it changed meanwhile."""
        key: Attributes = {name: wanted[name] for name in ("tenant", "addressHash")}
        found = await self._tables.get(resources.SUPPRESSION_LIST, key)
        if found is None or suppression.covers(found, str(wanted["scope"])):
            return found
        scope = suppression.joined_scope(found, str(wanted["scope"]))
        write = self._statements.make_manual(key, scope=scope, seen=found["scope"], at_ms=now_ms())
        if not isinstance(await self._tables.write(write), Applied):
            return None
        return await self._tables.get(resources.SUPPRESSION_LIST, key)

    async def remove(self, request: web.Request) -> web.Response:
        """Take an address off the list: 404 when it is not there."""
        grant = await self._guard.admit(request, "admin")
        text = request.match_info["email"]
        try:
            parse(text)
        except BadAddress as error:
            raise invalid(Violation("email", error.constraint, f"email: {error}")) from None
        key = suppression.key_of(self._hash_key, grant.tenant, text)
        if await self._tables.get(resources.SUPPRESSION_LIST, key) is None:
            raise not_found("This address is not on the suppression list.")
        await self._tables.write(self._statements.remove(key))
        return answer(Removed())

    async def page(self, request: web.Request) -> web.Response:
        """A page of the list. Whatever has expired is left out, so a page may be short."""
        grant = await self._guard.admit(request, "read")
        query = queries.page(request.query.items())
        if isinstance(query, Violation):
            raise invalid(query)
        after: Attributes | None = None
        if query.cursor is not None:
            position = self._cursors.read(
                query.cursor, Position, tenant=grant.tenant, question=QUESTION
            )
            if isinstance(position, Violation):
                raise invalid(position)
            after = {"tenant": grant.tenant, "addressHash": position.address_hash}
        page = await self._tables.page(
            resources.SUPPRESSION_LIST,
            grant.tenant,
            between=suppression.HASHES,
            after=after,
            limit=query.limit,
        )
        now_s = now_ms() // 1000
        shown = [
            views.suppressed(item) for item in page.items if suppression.lives(item, now_s=now_s)
        ]
        cursor = None
        if page.last is not None:
            position = Position(str(page.last["addressHash"]))
            cursor = self._cursors.make(position, tenant=grant.tenant, question=QUESTION)
        return answer(SuppressionPage(suppressed=shown, next_cursor=cursor))
