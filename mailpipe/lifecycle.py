"""Start, stop and exit codes of a process.

First SIGTERM or SIGINT: stop taking work, drain, exit 0. A second one kills. A side task that ends
by itself stops the process with exit code 70: half a process is worse than none.
"""

import asyncio
import contextlib
import gc
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import uvloop

from mailpipe import failpoints, logs, metrics
from mailpipe.outcomes import CallFailed
from mailpipe.settings import EXIT_CONFIGURATION, Common, load_or_exit, refuse, variable

EXIT_SIDE_TASK = 70
EXIT_PORT_IN_USE = 3

LOOP_WATCH_S = 0.25
LOOP_STALL_S = 0.5

S = TypeVar("S", bound=Common)
log = logs.get()


class Stop:
    """Set once, when the process is to end; `failure` names the side task that caused it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._set_s = 0.0
        self._woken = list[asyncio.Event]()
        self.failure: str | None = None

    def set(self) -> None:
        """Ask everything to stop taking work."""
        if not self._event.is_set():
            self._set_s = time.monotonic()
        self._event.set()
        for event in self._woken:
            event.set()

    def since_s(self) -> float:
        """Seconds since the process was asked to end (0 before)."""
        return time.monotonic() - self._set_s if self._event.is_set() else 0.0

    def is_set(self) -> bool:
        """Whether the process is ending."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Until the process is asked to end."""
        await self._event.wait()

    async def sleep(self, seconds: float) -> None:
        """So long, or until the process is asked to end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()

    def wakes(self, event: asyncio.Event) -> None:
        """Set this event too: who waits for it then looks at `is_set`."""
        self._woken.append(event)


def run(service: str, kind: type[S], main: Callable[[S, Stop], Awaitable[None]]) -> None:
    """Read the settings, run `main` until it returns, and exit with a code that means something.

    0 drained; 2 configuration; 3 port in use; 70 a side task died.
    """
    settings = load_or_exit(kind, service, os.environ)
    logs.configure(service)
    if settings.failpoint:
        _arm(service, settings.failpoint)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(_main(service, settings, main))
    raise SystemExit(code)


def _arm(service: str, text: str) -> None:
    try:
        failpoints.arm(failpoints.parse(text))
    except ValueError as error:
        refuse(service, [f"{variable('', 'failpoint')}={text!r}: {error}"])


async def _main(service: str, settings: S, main: Callable[[S, Stop], Awaitable[None]]) -> int:
    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, stop, number)
    try:
        async with side_tasks(stop, loop_watch=watch_loop()):
            await main(settings, stop)
    except OSError as error:
        if error.errno is None or "address already in use" not in str(error):
            raise
        log.error("port_in_use", text=str(error), fix=f"free it, or choose another for {service}")
        return EXIT_PORT_IN_USE
    except CallFailed as error:
        log.error("cannot_start", code=error.code, text=str(error))
        return EXIT_CONFIGURATION
    log.info("stopped", failure=stop.failure)
    return EXIT_SIDE_TASK if stop.failure else 0


async def watch_loop() -> None:
    """Notice, for ever, when the event loop stands still: a metric always, a log when it is long.

    Messages in hand stay hidden meanwhile (`heartbeat.py` has a thread of its own).
    """
    loop = asyncio.get_running_loop()
    while True:
        due_s = loop.time() + LOOP_WATCH_S
        await asyncio.sleep(LOOP_WATCH_S)
        lag_s = max(0.0, loop.time() - due_s)
        metrics.LOOP_LAG.observe(lag_s)
        if lag_s > LOOP_STALL_S:
            log.warning("loop_stalled", stalled_s=round(lag_s, 3))


def _on_signal(stop: Stop, number: signal.Signals) -> None:
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(each)
        signal.signal(each, signal.SIG_DFL)
    # Said only now: who reads it and signals again means it.
    log.info("stopping", signal=number.name)
    stop.set()


def ready(**ports: int) -> None:
    """Everything is made: say so.

    What is here now stays. Without the freeze each full collection looks through all of it, 90,000
    objects in a sender, and the event loop stands still for 55 ms (*measured*). What comes later is
    looked through when it is more than what is in hand at full load, of which nothing is garbage.
    """
    armed = {"failpoint": failpoints.armed} if failpoints.armed else {}
    log.info("ready", **ports, **armed)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@asynccontextmanager
async def side_tasks(stop: Stop, **coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run named tasks beside the body; one that ends before `stop` stops the process."""

    def watch(task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None or not stop.is_set():
            log.error("side_task_died", task=task.get_name(), exc_info=error)
            stop.failure = task.get_name()
            stop.set()

    tasks = [asyncio.create_task(one, name=name) for name, one in coroutines.items()]
    for task in tasks:
        task.add_done_callback(watch)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
