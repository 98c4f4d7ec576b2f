"""When SES refuses this very process: its role, its credentials or its endpoint is wrong. Pure.

Other senders may be right, so nothing is paused: this one rests, longer each time, and tries again.
Times are passed in, in seconds of one clock.
"""

from mailpipe.timing import backoff_s

FIRST_S, MOST_S = 1.0, 60.0


class Denied:
    """Whether SES lets this process send."""

    def __init__(self) -> None:
        self._times = 0
        self._until_s = 0.0
        self.reason: str | None = None
        """Why this process is not ready; None while SES answers it."""

    def refused(self, code: str, now_s: float, *, jitter: float) -> bool:
        """SES has refused this process; True when it had not before. Several sends may have been
        under way: they count once.
        """
        begins = self.reason is None
        self.reason = f"SES refuses this process: {code}"
        if self.rest_s(now_s) <= 0:
            self._times += 1
            rest_s = backoff_s(self._times, first_s=FIRST_S, cap_s=MOST_S, jitter=jitter)
            self._until_s = now_s + rest_s
        return begins

    def answered(self) -> bool:
        """SES has answered as it answers those who may send; True when that is new."""
        ended = self.reason is not None
        self._times, self._until_s, self.reason = 0, 0.0, None
        return ended

    def rest_s(self, now_s: float) -> float:
        """How long this process rests from now."""
        return max(0.0, self._until_s - now_s)
