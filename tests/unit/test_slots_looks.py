"""When a lane looks behind one tenant's backlog for others' mail."""

import asyncio

from sender.turns import LEAST
from tests.unit.slots_rig import FAR_S, running, settled, started


async def test_another_tenants_mail_is_a_find_wherever_there_was_room_for_it() -> None:
    """A lane that gets slots steadily has room for some mail of each fetch: nobody is displaced."""
    async with running(dig_every_s=FAR_S) as rig:
        for _ in range(LEAST - 1):
            await rig.waits("large")
        before_s = rig.slots._digging.wait_s(asyncio.get_running_loop().time())
        await rig.waits("small")
        after_s = rig.slots._digging.wait_s(asyncio.get_running_loop().time())
        assert after_s < before_s / 5


async def test_a_full_lane_that_gets_no_slots_waits_between_two_looks() -> None:
    async with running(dig_every_s=FAR_S) as rig:
        for _ in range(LEAST):
            await rig.waits("a")
        asked, wait_s = list[float](), rig.slots._digging.wait_s
        rig.slots._digging.wait_s = lambda now_s: asked.append(now_s) or wait_s(now_s)  # type: ignore
        hungry = await started(rig.slots.appetite())  # type: ignore[arg-type]
        loop = asyncio.get_running_loop()
        real = loop.time
        loop.time = lambda: real() + 1.5 * FAR_S  # type: ignore[method-assign]
        try:
            await settled()
        finally:
            loop.time = real  # type: ignore[method-assign]
        assert len(asked) == 2
        hungry.cancel()
