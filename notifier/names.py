"""Looks up the names of endpoints' hosts: each at most once at a time, apart from everything else.

A name server that does not answer keeps a thread busy for as long as the system waits for it, so
these threads are nobody else's, and who asks for the same name shares one.
"""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from mailpipe.reads import SharedReads

FRESH_S = 10.0
MOST = 10_000
AT_ONCE = 64

Addresses = list[tuple[Any, ...]]
"""As `socket.getaddrinfo` gives them."""


class Names:
    """Remembers what was found for FRESH_S. `look_up` is asked in threads."""

    def __init__(self, look_up: Callable[..., Addresses] = socket.getaddrinfo) -> None:
        self._look_up = look_up
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="names")
        self._reads = SharedReads[tuple[str, int], Addresses](
            self._looked_up, most=MOST, fresh_s=FRESH_S
        )

    async def addresses(self, host: str, port: int) -> Addresses:
        """Where to connect to. Raises OSError."""
        return await self._reads.get((host, port))

    def close(self) -> None:
        """No more look-ups; what is under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _looked_up(self, key: tuple[str, int]) -> Addresses:
        ask = partial(self._look_up, *key, type=socket.SOCK_STREAM)
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)
