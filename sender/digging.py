"""How often a full lane looks behind its backlog for other tenants' mail. Pure.

Often while the looks bring some, for what was given back comes again; ever more seldom while they
bring none: a backlog of one tenant.
"""

import math

FASTER, FRUITFUL_S = 10, 1.0
"""So much faster than usual, so long after a look that brought another tenant's mail."""
SLOWER = 20
"""So much slower than usual at last."""


class Digging:
    """The looks of one lane; `every_s` is what is usual, and the first wait without a find."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._counts_from_s: float | None = None
        self._found_s = -math.inf
        self._vain = 0

    def found(self, now_s: float) -> None:
        """A mail of a tenant below its share has come."""
        self._found_s = now_s
        self._vain = 0

    def due(self, now_s: float) -> None:
        """It was time for a look, whether there was use for one or not."""
        self._counts_from_s = now_s

    def looked(self) -> None:
        """There was one; until something is found it was in vain."""
        self._vain += 1

    def wait_s(self, now_s: float) -> float:
        """How long to wait before the next look.

        It counts from when the last one was due, whatever was fetched since: where there is room
        for some mail again and again, no wait would come to its end.
        """
        if self._counts_from_s is None:
            self._counts_from_s = now_s
        apart_s = self._every_s * min(SLOWER, 2.0 ** min(self._vain, 10))
        if now_s - self._found_s < FRUITFUL_S:
            apart_s = self._every_s / FASTER
        return max(0.0, self._counts_from_s + apart_s - now_s)
