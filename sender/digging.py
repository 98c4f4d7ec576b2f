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
        self._found_s = -math.inf
        self._vain = 0

    def found(self, now_s: float) -> None:
        """A mail of a tenant below its share has come."""
        self._found_s = now_s
        self._vain = 0

    def looked(self) -> None:
        """Once more."""
        self._vain += 1

    def wait_s(self, now_s: float) -> float:
        """How long to wait before the next look."""
        if now_s - self._found_s < FRUITFUL_S:
            return self._every_s / FASTER
        return self._every_s * min(SLOWER, 2.0 ** min(self._vain, 10))
