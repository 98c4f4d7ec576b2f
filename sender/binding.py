"""What keeps mail waiting now: the rate, or something else. Pure.

Every wait is noted where it happens, with its length; what made mail wait longest in the last
seconds is what binds.
"""

from collections import defaultdict, deque

RATE, DAY, TENANT_CAP, DOMAIN_CAP = "rate", "day", "tenant_cap", "domain_cap"
PAUSE, CONCURRENCY, CLOCK, STORE = "pause", "concurrency", "clock", "store"
NOTHING = "nothing"
BINDS = (RATE, DAY, TENANT_CAP, DOMAIN_CAP, PAUSE, CONCURRENCY, CLOCK, STORE, NOTHING)

WINDOW_S = 5.0
LEAST_S = 0.25
"""Waits that sum up to less are no sign of anything: every mail waits a little for its slot."""


class Binding:
    """The waits of one lane's mails in the last `WINDOW_S`."""

    def __init__(self) -> None:
        self._waits = deque[tuple[float, str, float]]()
        self._sums = defaultdict[str, float](float)

    def note(self, what: str, now_s: float, waited_s: float) -> None:
        """Mail waits, or has waited, so long for this (one of `BINDS`)."""
        self._forget(now_s)
        waited_s = min(waited_s, WINDOW_S)
        self._waits.append((now_s, what, waited_s))
        self._sums[what] += waited_s

    def binds(self, now_s: float) -> str:
        """What binds."""
        self._forget(now_s)
        what, waited_s = max(self._sums.items(), key=lambda one: one[1], default=(NOTHING, 0.0))
        return what if waited_s >= LEAST_S else NOTHING

    def _forget(self, now_s: float) -> None:
        while self._waits and self._waits[0][0] < now_s - WINDOW_S:
            _, what, waited_s = self._waits.popleft()
            self._sums[what] -= waited_s
        if not self._waits:
            self._sums.clear()  # sums of floats drift
