"""Runs a command to its end, from the checkout's root; runs a proof that leaves nothing behind."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from infra.local.children import ChildFailed

ROOT = Path(__file__).resolve().parents[1]


async def run(argv: list[str], **environment: str) -> tuple[int, str]:
    """Exit code, and what it said on both outputs."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return int(process.returncode or 0), said.decode(errors="replace")


def exit_code_of(name: str, proof: Coroutine[Any, Any, int]) -> int:
    """Run a proof. A failure to start is a sentence; SIGTERM ends all that was started, as Ctrl-C
    does by itself.
    """

    async def ended_in_order() -> int:
        task = asyncio.ensure_future(proof)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    try:
        return asyncio.run(ended_in_order())
    except ChildFailed as error:
        sys.stderr.write(f"{name}: {error}\n")
    except asyncio.CancelledError:
        sys.stderr.write(f"{name}: ended by SIGTERM\n")
    return 1


@asynccontextmanager
async def instant_server(module: str, *more: str) -> AsyncIterator[str]:
    """The URL of `python -m module`, which answers at once: see `loadtest/transport/instant.py`."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *more),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None  # noqa: S101 - it is a pipe
    assert child.stdin is not None  # noqa: S101 - it is a pipe
    try:
        yield f"http://127.0.0.1:{int(await child.stdout.readline())}"
    finally:
        child.stdin.close()
        await child.wait()
