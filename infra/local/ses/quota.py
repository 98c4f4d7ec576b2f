"""SES's sending quotas. Pure: the time is passed in, in seconds of one clock.

Both quotas count recipients, not calls (SES Developer Guide, "Managing your Amazon SES sending
limits"). A call passes while there is any allowance; one with many recipients goes whole and the
debt refuses what follows.
"""

from collections import deque

RATE_WINDOW_S = 1.0
DAY_S = 86_400.0


class Window:
    """Recipients accepted in the trailing `length_s` seconds (the start excluded)."""

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s
        self._accepted = deque[tuple[float, int]]()
        self._total = 0

    def count(self, now: float) -> int:
        """Recipients in the window that ends now."""
        while self._accepted and self._accepted[0][0] <= now - self._length_s:
            self._total -= self._accepted.popleft()[1]
        return self._total

    def add(self, now: float, recipients: int) -> None:
        """Some were accepted."""
        self._accepted.append((now, recipients))
        self._total += recipients


class Quota:
    """What was accepted in the last second and the last day."""

    def __init__(self) -> None:
        self._second = Window(RATE_WINDOW_S)
        self._day = Window(DAY_S)

    def sent_last_24_hours(self, now: float) -> int:
        """What GetAccount shows."""
        return self._day.count(now)

    def over(
        self, now: float, *, real: int, max_send_rate: float, max_24_hour_send: float
    ) -> str | None:
        """Why the next call is refused: `throttled`, `daily_quota` or not at all.

        `real` of its recipients are not the mailbox simulator's, which count for the rate but not
        for the day (SES Developer Guide, "Using the mailbox simulator"). -1 a day is no limit.
        """
        if self._second.count(now) >= max_send_rate:
            return "throttled"
        unlimited = max_24_hour_send < 0
        if real and not unlimited and self._day.count(now) >= max_24_hour_send:
            return "daily_quota"
        return None

    def add(self, now: float, *, recipients: int, real: int) -> None:
        """A call was accepted."""
        self._second.add(now, recipients)
        if real:
            self._day.add(now, real)
