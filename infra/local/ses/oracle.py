"""The log of what really happened: JSON lines, written before the answer is given.

`os.write` on an append-only descriptor hands each line whole to the operating system, so that a
`kill -9` of the simulator loses no line that somebody got an answer for.
"""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import msgspec

TICK_S = 0.01

_encoder = msgspec.json.Encoder()


class Oracle:
    """Appends lines, each with monotonic and wall time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.lag_ms = 0.0

    def write(self, kind: str, **facts: Any) -> None:
        """Append one line."""
        line = {"kind": kind, "t_ns": time.monotonic_ns(), "t": time.time(), **facts}
        os.write(self._descriptor, _encoder.encode(line) + b"\n")

    async def measure_lag(self) -> None:
        """Keep `lag_ms`: how late this process's own event loop is. A stalled simulator must never
        be taken for a burst of the sender.
        """
        while True:
            begun = time.monotonic()
            await asyncio.sleep(TICK_S)
            self.lag_ms = round(max(0.0, time.monotonic() - begun - TICK_S) * 1000, 3)
