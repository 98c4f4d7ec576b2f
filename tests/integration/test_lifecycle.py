"""Signals and exit codes of a real process."""

import asyncio
import os
import signal
import sys

import pytest

PREAMBLE = """
import asyncio
from mailpipe import lifecycle
from mailpipe.settings import Common

async def stays(settings, stop):
    print("begun", flush=True)
    await asyncio.sleep(60)

async def drains(settings, stop):
    print("begun", flush=True)
    await stop.wait()

async def dies():
    raise RuntimeError("gone")

async def loses_a_side_task(settings, stop):
    print("begun", flush=True)
    async with lifecycle.side_tasks(stop, poller=dies()):
        await stop.wait()
"""


async def started(main: str) -> asyncio.subprocess.Process:
    """A process that runs this main, and has begun."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", f"{PREAMBLE}\nlifecycle.run('test', Common, {main})"),
        env={**os.environ, "MAILPIPE_ADDRESS_HASH_KEY": "k" * 32},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        while b"begun" not in await process.stdout.readline():
            assert process.returncode is None
    return process


async def code_of(process: asyncio.subprocess.Process) -> int:
    async with asyncio.timeout(10):
        await process.communicate()
    assert process.returncode is not None
    return process.returncode


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_drains(number: signal.Signals) -> None:
    process = await started("drains")
    process.send_signal(number)
    assert await code_of(process) == 0


async def test_the_second_signal_kills() -> None:
    process = await started("stays")
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    while b"stopping" not in await process.stdout.readline():
        assert process.returncode is None
    process.send_signal(signal.SIGTERM)
    assert await code_of(process) == -signal.SIGTERM


async def test_a_side_task_that_dies_ends_the_process_with_a_code_of_its_own() -> None:
    assert await code_of(await started("loses_a_side_task")) == 70
