"""Serves an application on loopback until SIGTERM: what the local cloud's processes share."""

import asyncio
import errno
import json
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from aiohttp import web

EXIT_PORT_IN_USE = 3
EXIT_TASK_DIED = 70
"""EX_SOFTWARE of sysexits.h."""


async def serve(
    application: web.Application,
    *tasks: Coroutine[Any, Any, None],
    port: int,
    service: str,
) -> int:
    """The exit code. Prints a line of JSON with the port when it serves; `tasks` run beside it, and
    when one of them dies so does the process, loudly.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    waiting = asyncio.create_task(stop.wait())
    running = [asyncio.create_task(one) for one in tasks]
    # Bodies are taken as they were sent: what is signed or stored compressed stays so.
    runner = web.AppRunner(
        application, access_log=None, shutdown_timeout=1.0, auto_decompress=False
    )
    await runner.setup()
    try:
        if not await _listen(runner, port):
            return EXIT_PORT_IN_USE
        print(
            json.dumps({"event": "ready", "service": service, "port": runner.addresses[0][1]}),
            flush=True,
        )
        await asyncio.wait([waiting, *running], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await runner.cleanup()
        died = [task for task in running if task.done() and task.exception()]
        for task in (waiting, *running):
            task.cancel()
    for task in died:
        sys.stderr.write(f"{service}: a task has died: {task.exception()!r}\n")
    return EXIT_TASK_DIED if died else 0


async def _listen(runner: web.AppRunner, port: int) -> bool:
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        sys.stderr.write(f"port {port} is in use\n")
        return False
    return True
