"""How a sender keeps up with what SES allows: the board, the pauses, and the side tasks that serve
them. Put together here, so that `__main__` need not know their parts.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from mailpipe.aws.client import Client
from mailpipe.aws.table import Tables
from mailpipe.leases import Lease, Task, Work, lasts_s, run_leased
from sender.board import Board
from sender.pauses import Pauses, ProbeWith
from sender.quota import BoardRates, Presence, QuotaPoller
from sender.settings import SenderSettings
from sender.slots import Slots


class Adapting:
    """`name` is this process's among all senders, `wall_ms` the time that they share."""

    def __init__(
        self,
        settings: SenderSettings,
        tables: Tables,
        ses: Client,
        *,
        name: str,
        probe_with: ProbeWith,
        wall_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._tables = tables
        self._name = name
        self._wall_ms = wall_ms
        self.board = Board(tables, settings.prefix, wall_ms=wall_ms)
        self.rates = BoardRates(self.board, settings.day, wall_ms=wall_ms)
        self.pauses = Pauses(
            self.board, probe_with=probe_with, probe_s=settings.probe_s, wall_ms=wall_ms
        )
        self._presence = Presence(
            *(tables, settings.prefix, name),
            every_s=settings.presence_s,
            terms=settings.terms,
            wall_ms=wall_ms,
        )
        self._poller = QuotaPoller(
            *(ses, self.board, self._presence), every_s=settings.quota_refresh_s, wall_ms=wall_ms
        )

    def side_tasks(self, slots: Mapping[str, Slots]) -> dict[str, Coroutine[Any, Any, None]]:
        """By name; those under a lease run in one sender of all. What binds the lanes is told."""

        def binds() -> dict[str, str]:
            now_s = asyncio.get_running_loop().time()
            return {lane: one.binding.binds(now_s) for lane, one in slots.items()}

        return {
            "board": self.board.run(self._settings.board_refresh_s),
            "presence": self._presence.run(binds),
            "quota_poller": self._leased("quota_poller", self._poll),
            "probes": self._leased("probes", self.pauses.probe),
        }

    def _leased(self, task: str, work: Work) -> Coroutine[Any, Any, None]:
        settings, every_s = self._settings, self._settings.board_refresh_s
        lease_s = lasts_s(every_s, least_s=settings.side_lease_s)
        lease = Lease(
            *(self._tables, settings.prefix, task, self._name),
            lease_s=lease_s,
            wall_ms=self._wall_ms,
        )
        return run_leased(Task(lease, work, every_s))

    async def _poll(self) -> None:
        if (quota := await self._poller.poll()) is not None:
            await self.pauses.judge(quota)
