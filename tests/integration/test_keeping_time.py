"""The clock is known, by either side of `call`, a few seconds after the start."""

import asyncio
import time

from infra.local.stack import Stack
from mailpipe.aws.client import Aws, Side
from sender.clock import Clock
from sender.ticks import cheap_read, keep_time
from tests.integration.conftest import PREFIX
from tests.integration.scripted_aws import SIDES

BUDGET_S = 0.2
"""Wide: a machine that is busy takes its time for an answer."""


async def known(side: Side) -> None:
    """Returns once this side knows the clock."""
    clock = Clock(time.time, time.monotonic, budget_s=BUDGET_S)
    async with Aws(side, on_date=clock.observe) as aws:
        client = await aws.client("dynamodb", connections=8, timeout_s=5)
        keeping = asyncio.create_task(keep_time(clock, cheap_read(client, PREFIX)))
        while not clock.good:  # noqa: ASYNC110 - the clock is a value
            await asyncio.sleep(0.05)
        keeping.cancel()


async def test_the_clock_of_this_machine_is_found_to_be_good(cloud_environment: Stack) -> None:
    """Local cloud and sender have one clock. Who reads a stale Date never comes to this."""
    async with asyncio.timeout(20):
        await asyncio.gather(*(known(side) for side in SIDES))
