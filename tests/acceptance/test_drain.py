"""SIGTERM under load: every service ends with 0, nothing is lost, nothing is sent twice."""

import asyncio
import os
from typing import Any

import aiohttp
import pytest

from infra.local.demo import ENDPOINTS, Run
from infra.local.mails import DOORS, Doors, mails, open_doors
from infra.local.stack import SERVICES, Plan, Stack

EMAILS = 240
RATE = 40.0


async def send(doors: Doors, index: int, mail: dict[str, Any]) -> dict[str, Any]:
    """Send one; a connection that was refused or cut while ingest restarts is tried again."""
    while True:
        try:
            return await doors.send(DOORS[index % 2], mail)
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.1)


async def test_sigterm_under_load_loses_and_doubles_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """1. Send 240 mails at 40/s. 2. Restart each service once, by SIGTERM, while they go.

    Expected: all exit codes 0; the checker finds no mail lost, doubled or misreported, and every
    webhook verified.
    """
    plan = Plan(name="test-drain", rate=160, endpoints=ENDPOINTS)
    async with Stack(plan) as stack:
        for name, value in stack.aws_environment().items():
            monkeypatch.setitem(os.environ, name, value)
        run, codes = Run(stack), dict[str, list[int]]()
        async with open_doors(stack.ingest_url) as doors:
            batch = mails(EMAILS, seed=3)
            sending = list[asyncio.Task[dict[str, Any]]]()

            async def restart_each() -> None:
                for name in SERVICES:
                    await asyncio.sleep(0.4)
                    codes[name] = await stack.restart(name)

            restarting = asyncio.create_task(restart_each())
            for index, mail in enumerate(batch):
                sending.append(asyncio.create_task(send(doors, index, mail)))
                await asyncio.sleep(1 / RATE)
            run.acks += await asyncio.gather(*sending)
            await restarting
            await run.settle()
            verdict, _ = await run.judge(doors)
    assert codes == {name: [0] for name in SERVICES}
    assert verdict.emails == EMAILS
    assert (verdict.lost, verdict.duplicates, verdict.wrong_status) == (0, 0, 0)
    assert verdict.ok, verdict.faults
