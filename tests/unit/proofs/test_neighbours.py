"""What is measured beside a probe: which stretches count, and on which core all runs."""

import asyncio
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.neighbours import SLOWED, Neighbours, Samples, cores, least_disturbed, told

FULL_US = 250.0


@given(st.lists(st.floats(1, 1000), min_size=1), st.integers(1, 20))
def test_the_least_disturbed_count_in_the_order_of_time(
    probed_us: list[float], wanted: int
) -> None:
    chosen = least_disturbed(probed_us, wanted)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(wanted, len(probed_us))
    left_out = [us for index, us in enumerate(probed_us) if index not in chosen]
    assert max(probed_us[index] for index in chosen) <= min(left_out, default=1000)


def sampled() -> Samples:
    """Ten seconds at full speed, ten beside somebody."""
    samples = Samples()
    for second in range(20):
        samples.add(second, FULL_US if second < 10 else 2 * FULL_US)
    return samples


def test_a_stretch_is_what_the_probe_said_in_it() -> None:
    samples = sampled()
    means = [samples.mean_us(begun, begun + 4) for begun in (0, 8, 14)]
    assert means == [FULL_US, 1.5 * FULL_US, 2 * FULL_US]
    assert samples.mean_us(3.2, 3.8) == float("inf")
    assert samples.undisturbed(means) == 1
    assert samples.undisturbed([FULL_US * SLOWED, FULL_US * SLOWED + 1, float("inf")]) == 1


def test_what_was_taken_for_undisturbed_is_judged_anew_in_the_end() -> None:
    samples = Samples()
    samples.add(0, 2 * FULL_US)
    samples.keep([2 * FULL_US, 2 * FULL_US], 2)
    assert samples.seen()["not_enough"] == 0
    samples.add(1, FULL_US)
    samples.keep([FULL_US, 2 * FULL_US], 1)
    seen = {"stretches": 4, "undisturbed": 1, "not_enough": 1, "probe_us": FULL_US}
    assert samples.seen() == seen
    assert told(seen) == (
        "1 of 4 stretches undisturbed, 1 times not enough; the probe at full speed: 250.0 us"
    )


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
    assert (core, others) == cores()
    assert allowed.split()[1] == str(core).encode()
    assert os.sched_getaffinity(0) == before
    assert len(found) == 2
    assert found == sorted(found)
    assert seen["stretches"] == next(numbers) <= 4
    assert seen["probe_us"] > 0


async def test_a_probe_that_ends_is_noticed_and_the_cores_are_given_back() -> None:
    before = os.sched_getaffinity(0)

    async def measure() -> None:
        beside._probe.kill()
        await beside._probe.wait()
        await asyncio.sleep(0.1)

    async with Neighbours() as beside:
        with pytest.raises(RuntimeError, match="probe"):
            await beside.while_undisturbed(measure, wanted=1, at_most=1)
    assert os.sched_getaffinity(0) == before
