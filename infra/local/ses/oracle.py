"""The log of what really happened, and how late the simulator itself is."""

import asyncio
import time
from pathlib import Path

from infra.local.chaos.journal import Journal

TICK_S = 0.005
STALL_MS = 20.0


class Oracle(Journal):
    """A journal that also keeps `lag_ms`, the lag of this process's event loop."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.lag_ms = 0.0

    async def measure_lag(self) -> None:
        """A stalled simulator must never be taken for a burst of the sender: a stall has a line of
        its own, and every attempt says the lag.
        """
        while True:
            begun = time.monotonic()
            await asyncio.sleep(TICK_S)
            self.lag_ms = round(max(0.0, time.monotonic() - begun - TICK_S) * 1000, 3)
            if self.lag_ms > STALL_MS:
                self.write("stall", {"lag_ms": self.lag_ms})
