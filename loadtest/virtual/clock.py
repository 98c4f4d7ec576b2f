"""Virtual time. `install` it before anything of ours is imported: functions that take a clock have
the real one as a default, which is bound by the import.
"""

import asyncio
import math
import selectors
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

EPOCH_S = 1_800_000_000.0
"""When virtual time begins (epoch seconds): a whole minute."""

P = ParamSpec("P")
T = TypeVar("T")


class _Now:
    """Seconds since virtual time began."""

    seconds = 0.0


def install() -> None:
    """From now on this process lives in virtual time, for good."""
    time.time = lambda: EPOCH_S + _Now.seconds
    time.time_ns = lambda: round((EPOCH_S + _Now.seconds) * 1e9)
    time.monotonic = time.perf_counter = lambda: _Now.seconds
    time.monotonic_ns = time.perf_counter_ns = lambda: round(_Now.seconds * 1e9)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run it to its end, beginning at the epoch."""
    _Now.seconds = 0.0
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)


class _Jumps(selectors.SelectSelector):
    """There is nothing outside to wait for: the time that would be waited is over at once."""

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everybody waits, and nothing will ever happen")
        if timeout > 0:  # at the least by what a float can tell
            _Now.seconds = max(_Now.seconds + timeout, math.nextafter(_Now.seconds, math.inf))
        return []


class _AtOnce(ThreadPoolExecutor):
    """Work for a thread is done at once: it takes no virtual time."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        done = Future[T]()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__(_Jumps())
        self.set_default_executor(_AtOnce(max_workers=1))

    def time(self) -> float:
        return _Now.seconds
