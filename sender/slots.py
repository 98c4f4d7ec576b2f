"""Matches the mails in hand of one lane with send slots: one reservation serves many mails."""

import asyncio
from collections import deque
from typing import NamedTuple

from mailpipe.lifecycle import Stop
from sender.limiter import Limiter


class _Waiting(NamedTuple):
    recipients: int
    instant: asyncio.Future[float | None]


class Slots:
    """The queue of one lane's mails for their instants, first come, first served."""

    def __init__(self, limiter: Limiter, lane: str) -> None:
        self._limiter = limiter
        self._lane = lane
        self._waiting = deque[_Waiting]()
        self._arrived = asyncio.Event()
        self.closed = False

    async def next(self, recipients: int) -> float | None:
        """The instant (event loop's clock) at which this mail may go.

        None when the process is stopping: hand the mail back. A mail with n recipients takes n
        consecutive slots and goes at the first.
        """
        if self.closed:
            return None
        waiting = _Waiting(recipients, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._arrived.set()
        return await waiting.instant

    async def run(self, stop: Stop) -> None:
        """Reserve for who waits until `stop`, then refuse everybody."""
        stop.wakes(self._arrived)
        while not stop.is_set():
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            wanted = sum(one.recipients for one in self._waiting)
            reservation = await self._limiter.reserve(
                self._lane, self._waiting[0].recipients, wanted
            )
            if reservation.instants:
                self._hand_out(reservation.instants)
            else:
                await stop.sleep(reservation.again_in_s)
        self.closed = True
        while self._waiting:
            _answer(self._waiting.popleft(), None)

    def _hand_out(self, instants: list[float]) -> None:
        used = 0
        while self._waiting and used + self._waiting[0].recipients <= len(instants):
            waiting = self._waiting.popleft()
            _answer(waiting, instants[used])
            used += waiting.recipients


def _answer(waiting: _Waiting, instant: float | None) -> None:
    if not waiting.instant.done():  # cancelled at the drain deadline
        waiting.instant.set_result(instant)
