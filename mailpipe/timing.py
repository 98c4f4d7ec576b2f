"""Wall-clock stamps and back-off. Pure: the time and the randomness are passed in."""

import time
from datetime import UTC, datetime
from functools import lru_cache

USUAL_TIME_CHARS = 40


def now_ms() -> int:
    """Milliseconds since the epoch, the unit of every time in our tables."""
    return time.time_ns() // 1_000_000


def iso(at_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds, the form of every time in our JSON."""
    return f"{_second(at_ms // 1000)}.{at_ms % 1000:03d}Z"


@lru_cache(maxsize=1024)  # most times are of the last few seconds
def _second(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def parse_iso(text: str) -> int:
    """Milliseconds since the epoch of an RFC 3339 time with a zone.

    Raises ValueError when the text is no such time.
    """
    # A mail's own is asked for several times on its way. What is long is none of ours to keep.
    return _known_time(text) if len(text) <= USUAL_TIME_CHARS else _parsed(text)


def _parsed(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no time zone in {text!r}")
    return round(moment.timestamp() * 1000)


_known_time = lru_cache(maxsize=4096)(_parsed)


def backoff_s(attempt: int, *, first_s: float, cap_s: float, jitter: float) -> float:
    """Seconds to wait after failed attempt number `attempt` (1, 2, …): doubling up to `cap_s`.

    `jitter` in [0, 1) is the caller's random number; the wait is spread over ±20 %, so that what
    failed together does not come back together.
    """
    doubled = min(cap_s, first_s * 2.0 ** min(attempt - 1, 32))
    return doubled * (0.8 + 0.4 * jitter)
