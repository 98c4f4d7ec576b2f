"""How many a second: the generic cell rate algorithm, with time passed in. Pure.

It is a token bucket that needs one number: the instant at which all of it is free again (ITU-T
I.371, annex A).
"""

from typing import NamedTuple

BURST_S = 1.0
"""How much may come at once: what the rate gives in so many seconds."""


class Spent(NamedTuple):
    """`free_at_s`: when the whole burst is free again; `retry_after_s`: 0 = it may happen now."""

    free_at_s: float
    retry_after_s: float


def spend(free_at_s: float, *, now_s: float, count: int, per_second: float) -> Spent:
    """Take `count` of a rate, or say how long to wait; who is refused has spent nothing.

    More than a burst at once needs a whole burst free and is paid off afterwards: a batch larger
    than the rate would else never pass.
    """
    from_s = max(free_at_s, now_s)
    needed_s = min(count / per_second, BURST_S)
    wait_s = from_s + needed_s - (now_s + BURST_S)
    if wait_s > _ROUNDING_S:
        return Spent(free_at_s, wait_s)
    return Spent(from_s + count / per_second, 0.0)


_ROUNDING_S = 1e-6
"""Sums of many small parts miss by a little."""
