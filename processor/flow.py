"""How far this processor has come with SES's events, for `mailpipe/evidence.py`. Pure: the time is
passed in. All times are epoch ms.
"""

from collections import deque
from typing import NamedTuple

from mailpipe.evidence import CLOCKS_MS, Figures


class _Stood(NamedTuple):
    """What was reached, as of `at`."""

    at: int
    handled: int
    empty_at: int


class Flow:
    """What is in hand and what is done. Neither our own events count, which prove nothing of SES's,
    nor those of no record: a mail in doubt has one.

    `every_ms`: how often `figures` is asked for; `visibility_ms`: how long messages are hidden,
    from the beginning of the poll that brings them on; `clocks_ms`: so far clocks may differ.
    """

    def __init__(self, *, every_ms: int, visibility_ms: int, clocks_ms: int = CLOCKS_MS) -> None:
        self._every_ms = every_ms
        self._visibility_ms = visibility_ms
        self._clocks_ms = clocks_ms
        self._in_hand = dict[str, int]()
        self._failed = dict[str, tuple[int, int]]()
        self._handled = 0
        self._oldest: int | None = None
        self._oldest_before: int | None = None
        self._stood = deque[_Stood]()

    @property
    def idle(self) -> bool:
        """Whether nothing is in hand, or failed and to come again."""
        return not self._in_hand and not self._failed

    def received(self, message_id: str, event_ms: int) -> None:
        """An event of this time is in hand."""
        self._failed.pop(message_id, None)
        self._in_hand[message_id] = event_ms

    def left_out(self, message_id: str) -> None:
        """It is of no record: as if it had not been received."""
        self._in_hand.pop(message_id, None)

    def handled(self, message_id: str, *, now_ms: int) -> None:
        """It is done. A time that is still to come is nobody's word on what has come."""
        event_ms = self._in_hand.pop(message_id, None)
        if event_ms is None:
            return
        if self._oldest is None or event_ms < self._oldest:
            self._oldest = event_ms
        if self._handled < event_ms <= now_ms + self._clocks_ms:
            self._handled = event_ms

    def failed(self, message_id: str, *, now_ms: int, hidden_ms: int) -> None:
        """It comes again in `hidden_ms`, perhaps to another processor, soon after that."""
        event_ms = self._in_hand.pop(message_id, None)
        if event_ms is not None:
            self._failed[message_id] = event_ms, now_ms + hidden_ms + self._visibility_ms

    def figures(self, *, now_ms: int, empty_at: int) -> Figures:
        """To be published. What was done since the figures before the last counts as in hand: where
        an old event was just now, another may be on its way.
        """
        self._failed = {key: one for key, one in self._failed.items() if one[1] > now_ms}
        times = [*self._in_hand.values(), *(event_ms for event_ms, _ in self._failed.values())]
        times += [one for one in (self._oldest, self._oldest_before) if one is not None]
        self._oldest, self._oldest_before = None, self._oldest
        latest = max((until_ms for _, until_ms in self._failed.values()), default=0)
        stood = self._before(_Stood(now_ms, self._handled, empty_at))
        return Figures(
            at=now_ms,
            every_ms=self._every_ms,
            visibility_ms=max(self._visibility_ms, latest - now_ms),
            handled=stood.handled,
            empty_at=stood.empty_at,
            oldest_in_hand=min(times, default=None),
            stood_at=stood.at,
            clocks_ms=self._clocks_ms,
        )

    def _before(self, stands: _Stood) -> _Stood:
        """How it stood so long ago that whoever publishes as often has published since, whatever
        his clock. What is reached now they could not know of yet, and as it is reached anew all the
        time they never would.
        """
        self._stood.append(stands)
        long_ago = stands.at - 2 * self._every_ms - self._clocks_ms
        while len(self._stood) > 1 and self._stood[1].at <= long_ago:
            self._stood.popleft()
        return self._stood[0]
