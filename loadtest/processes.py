"""Runs a command to its end, from the checkout's root."""

import asyncio
import os
from pathlib import Path

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
