"""SES's quota: read by one elected sender, told to all by the board; and the senders that live."""

import asyncio
from collections.abc import Callable, Mapping

import msgspec

from mailpipe import logs, presence, resources
from mailpipe.aws.client import Client
from mailpipe.aws.ses_operations import GET_ACCOUNT, AccountAnswer, GetAccount
from mailpipe.aws.table import Refused, Tables
from mailpipe.board import MILLI, Quota
from mailpipe.open_states import Terms
from mailpipe.outcomes import CallFailed
from mailpipe.partiql import insert_into, update_in
from mailpipe.records import Attributes
from mailpipe.timing import now_ms
from sender.board import Board
from sender.day import DaySettings, day_rate

LIVES = 3
"""A sender that has not said for so many times `presence_s` that it lives does not count."""
FORGOTTEN_S = 86_400
SHUTDOWN = "SHUTDOWN"
"""GetAccount's word for an account that may not send any more."""

log = logs.get()


class BoardRates:
    """What the limiter asks."""

    def __init__(
        self, board: Board, day: DaySettings, *, wall_ms: Callable[[], int] = now_ms
    ) -> None:
        self._board = board
        self._day = day
        self._wall_ms = wall_ms

    def account(self) -> float:
        """Recipients a second that SES allows the account; 0 until somebody has read it, and until
        this process knows what is paused.
        """
        quota = self._board.quota
        return quota.rate if quota is not None and self._board.known else 0.0

    def day(self, lane: str) -> float | None:
        """Recipients a second that the day's quota leaves this lane; None: it does not bind."""
        quota = self._board.quota
        return None if quota is None else day_rate(quota, lane, self._wall_ms(), self._day)

    def any_cap(self) -> bool:
        """Whether there is any cap."""
        return self._board.any_cap

    def cap(self, scope: str) -> float | None:
        """Recipients a second of `tenant#t` or `domain#d`; None: no cap."""
        return self._board.cap(scope)

    def senders(self) -> int:
        """How many lived when the quota was last read, at least 1."""
        quota = self._board.quota
        return 1 if quota is None else max(1, quota.senders)


class Presence:
    """Says that this sender lives and by what `terms` it goes (`mailpipe/presence.py`), and counts
    those that live.
    """

    def __init__(
        self,
        tables: Tables,
        prefix: str,
        name: str,
        *,
        every_s: float,
        terms: Terms | None = None,
        wall_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._tables = tables
        self._prefix = prefix
        self._terms: Attributes = msgspec.to_builtins(terms or Terms())
        self._key: Attributes = {"kind": presence.KIND, "id": name}
        self._every_s = every_s
        self._wall_ms = wall_ms

    async def run(self, binds: Callable[[], dict[str, str]]) -> None:
        """Say it for ever, and what `binds` the lanes."""
        while True:
            try:
                await self.say(binds())
            except CallFailed as error:
                log.warning("presence_not_written", code=error.code, text=error.text)
            await asyncio.sleep(self._every_s)

    async def say(self, binds: Mapping[str, str] = {}) -> None:
        """Once. Raises CallFailed."""
        at_ms = self._wall_ms()
        changes: Attributes = {
            "seenAt": at_ms,
            "until": at_ms + round(LIVES * self._every_s * 1000),
            "binds": dict(binds),
            "terms": self._terms,
            "ttl": at_ms // 1000 + FORGOTTEN_S,
        }
        table = resources.COORDINATION
        fate = await self._tables.write(update_in(self._prefix, table, changes, self._key))
        if isinstance(fate, Refused):
            await self._tables.write(insert_into(self._prefix, table, self._key | changes))

    async def living(self) -> int:
        """How many senders live. Raises CallFailed."""
        since_ms = self._wall_ms() - LIVES * self._every_s * 1000
        found = await self._tables.partition(resources.COORDINATION, presence.KIND)
        seen = [one.get("seenAt") for one in found]
        return sum(isinstance(at_ms, int) and at_ms >= since_ms for at_ms in seen)


def quota_of(answer: AccountAnswer, *, senders: int, read_at: int) -> Quota:
    """GetAccount's answer as the board holds it. Fractions of a recipient are left out."""
    quota = answer.send_quota
    return Quota(
        max_send_rate_milli=int(quota.max_send_rate * MILLI),
        max_24_hour=int(quota.max24_hour_send),
        sent_24_hours=int(quota.sent_last24_hours),
        sending_enabled=answer.sending_enabled,
        enforcement=answer.enforcement_status,
        senders=senders,
        read_at=read_at,
    )


class QuotaPoller:
    """Keeps the board's quota fresh: the work of one elected sender."""

    def __init__(
        self,
        client: Client,
        board: Board,
        presence: Presence,
        *,
        every_s: float,
        wall_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._client = client
        self._board = board
        self._presence = presence
        self._every_ms = every_s * 1000
        self._wall_ms = wall_ms

    async def poll(self) -> Quota | None:
        """Ask SES if the board's quota is old, whoever has read that, and tell all. The answer is
        as old as the question. Raises CallFailed.
        """
        known, read_at = self._board.quota, self._wall_ms()
        if known is not None and 0 <= read_at - known.read_at < self._every_ms:
            return None
        answer = await self._client.call(GET_ACCOUNT, GetAccount())
        quota = quota_of(answer, senders=await self._presence.living(), read_at=read_at)
        await self._board.tell(quota)
        return quota


def is_on(quota: Quota) -> bool:
    """Whether the account may send at all, by SES's own word."""
    return quota.sending_enabled and quota.enforcement != SHUTDOWN
