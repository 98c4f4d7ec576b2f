"""What is measured beside a probe: which stretches count, and on which core all runs."""

import asyncio
import os

from hypothesis import given
from hypothesis import strategies as st

from loadtest.neighbours import Neighbours, cores, least_disturbed, told


@given(st.lists(st.floats(1, 1000), min_size=1), st.integers(1, 20))
def test_the_least_disturbed_count_in_the_order_of_time(
    probed_us: list[float], wanted: int
) -> None:
    chosen = least_disturbed(probed_us, wanted)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(wanted, len(probed_us))
    left_out = [us for index, us in enumerate(probed_us) if index not in chosen]
    assert max(probed_us[index] for index in chosen) <= min(left_out, default=1000)


async def test_beside_a_probe() -> None:
    before, numbers = os.sched_getaffinity(0), iter(range(100))

    async def measure() -> int:
        await asyncio.sleep(0.1)
        return next(numbers)

    async with Neighbours() as beside:
        core, others = beside.core, os.sched_getaffinity(0)
        found = await beside.while_undisturbed(measure, wanted=2, at_most=4)
        seen = beside.seen()
        child = await asyncio.create_subprocess_exec(
            *beside.command("grep", "Cpus_allowed_list", "/proc/self/status"),
            stdout=asyncio.subprocess.PIPE,
        )
        allowed, _ = await child.communicate()
    assert others == cores()[1]
    assert allowed.split()[1] == str(core).encode()
    assert os.sched_getaffinity(0) == before
    measured = next(numbers)
    assert len(found) == 2
    assert found == sorted(found)
    assert found[1] < measured
    assert seen["stretches"] == measured <= 4
    assert seen["undisturbed"] <= measured
    assert seen["not_enough"] == (seen["undisturbed"] < 2)
    assert seen["probe_us"] > 0
    assert str(seen["probe_us"]) in told(seen)
