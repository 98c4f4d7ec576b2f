"""What a request goes through before its handler does anything: its key, its rate, its body."""

import asyncio
import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import TypeVar

from aiohttp import web

from ingest import limits
from ingest.deadline import paused
from ingest.errors import Refusal, invalid
from ingest.limits import Intake
from mailpipe.access import Access, Grant
from mailpipe.rules import Violation

T = TypeVar("T")


class Guard:
    """Lets a request in, or refuses it."""

    def __init__(self, access: Access, intake: Intake) -> None:
        self._access = access
        self._intake = intake
        self._alone = asyncio.Lock()
        self.bounded = intake.bounded

    async def admit(self, request: web.Request, scope: str) -> Grant:
        """What the request's key allows; it counts as one against the key's rate.

        Raises Refusal, and CallFailed when the key cannot be read.
        """
        grant = await self._access.grant(request.headers.get("X-API-Key", ""))
        if grant is None:
            raise Refusal("UNAUTHORIZED", "Send a valid API key in the header X-API-Key.")
        if not grant.settings.enabled:
            raise Refusal("FORBIDDEN", "The tenant of this API key is disabled.")
        if scope not in grant.scopes:
            raise Refusal("FORBIDDEN", f"This API key lacks the scope '{scope}'.")
        self._spend(grant, 1)
        return grant

    def spend_batch(self, grant: Grant, count: int) -> None:
        """The request that was admitted holds so many mails. Raises Refusal; then it stays the one
        that it was counted as, so that refused batches are not read for nothing without end.
        """
        self._access.allow(grant, -1)
        try:
            self._spend(grant, count)
        except Refusal:
            self._access.allow(grant, 1)
            raise

    def _spend(self, grant: Grant, count: int) -> None:
        wait_s = self._access.allow(grant, count)
        if wait_s > 0:
            seconds = math.ceil(wait_s)
            text = f"Rate limit exceeded. Please retry after {seconds} seconds."
            raise Refusal("RATE_LIMIT_EXCEEDED", text, retry_after_s=seconds)

    async def decoded(
        self,
        request: web.Request,
        decode: Callable[[bytes], T | Violation],
        *,
        quick: Callable[[bytes], T | None] | None = None,
        max_bytes: int | None = None,
    ) -> T:
        """The request's body, of at most `max_bytes`, read and decoded (`read`). Raises Refusal."""
        return await self.read(await self.body(request, max_bytes), decode, quick)

    async def body(self, request: web.Request, max_bytes: int | None = None) -> bytes:
        """The request's body, of at most `max_bytes`. Raises Refused."""
        body = self._intake.at_hand(request, max_bytes)
        if body is not None:
            return body
        with paused(request):  # a slow client has a deadline of its own
            return await self._intake.coming(request, max_bytes)

    async def read(
        self,
        body: bytes,
        decode: Callable[[bytes], T | Violation],
        quick: Callable[[bytes], T | None] | None = None,
    ) -> T:
        """What `quick` makes of it, or `decode` when that has doubts (None). Raises Refusal."""
        if quick and len(body) < limits.QUICK_BYTES and (at_once := quick(body)) is not None:
            return at_once
        if len(body) < limits.OFF_LOOP_BYTES:
            found = decode(body)
        else:
            async with self._alone if len(body) > limits.ALONE_BYTES else nullcontext():
                found = await asyncio.to_thread(decode, body)
        if isinstance(found, Violation):
            raise invalid(found)
        return found
