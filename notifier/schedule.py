"""When a webhook is tried again. Pure."""

RETRIES = 5
"""After the first attempt: 1, 2, 4, 8, 16 times the base."""


def next_wait_s(attempt: int, *, base_s: float) -> float | None:
    """Seconds from failed attempt number `attempt` (1, 2, …) to the next; None: it was the last."""
    return base_s * 2.0 ** (attempt - 1) if attempt <= RETRIES else None
