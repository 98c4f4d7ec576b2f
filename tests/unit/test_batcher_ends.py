"""Who does not wait to the end: cancelled callers, those with a deadline, and the process's end."""

import asyncio
from collections.abc import Sequence

import pytest

from mailpipe.aws.batcher import Batcher
from mailpipe.aws.lingering import Limits
from mailpipe.outcomes import CallFailed, Kind
from tests.unit.batcher_rig import REFUSED, THROTTLED, Calls, Fate, batcher


def kinds(fates: Sequence[Fate]) -> list[Kind | None]:
    """None where there is no failure."""
    return [fate.kind if isinstance(fate, CallFailed) else None for fate in fates]


async def test_a_caller_that_is_cancelled_leaves_the_others_alone() -> None:
    calls = Calls()
    calls.gate.clear()
    one = batcher(calls, most=2)
    tasks = [asyncio.ensure_future(one.submit(n)) for n in (1, 2)]
    await asyncio.sleep(0.01)
    tasks[0].cancel()
    calls.gate.set()
    assert await tasks[1] == 20


@pytest.mark.parametrize("turns", [0, 1, 5])
async def test_who_wants_to_hear_of_its_fate_does_not_go_on_before_it_is_cancelled_or_not(
    turns: int,
) -> None:
    calls = Calls()
    calls.gate.clear()
    one = batcher(calls, linger_s=0.0)
    work = asyncio.create_task(one.submit_heard(1, heard_s=60))
    await asyncio.sleep(0.01)
    work.cancel()
    for _ in range(turns):
        await asyncio.sleep(0)
    assert not work.done()
    calls.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(work, 1)
    assert not one._told


@pytest.mark.parametrize("turns", range(6))
async def test_who_is_cancelled_as_its_fate_comes_goes_on_at_once(turns: int) -> None:
    calls = Calls()
    calls.gate.clear()
    one = batcher(calls, linger_s=0.0)
    work = asyncio.create_task(one.submit_heard(1, heard_s=60))
    await asyncio.sleep(0.01)
    calls.gate.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    work.cancel()
    await asyncio.wait([work], timeout=1)
    assert work.done()


async def test_nobody_is_kept_longer_than_it_wants_to_hear() -> None:
    calls = Calls()
    calls.gate.clear()
    one = batcher(calls, linger_s=0.0)
    work = asyncio.create_task(one.submit_heard(1, heard_s=0.02))
    await asyncio.sleep(0.01)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(work, 1)
    calls.gate.set()
    await one.close()


# --- the end --------------------------------------------------------------------------------------
async def test_close_writes_what_waits() -> None:
    calls = Calls()
    lingering = batcher(calls, at_once=2)
    await lingering.submit_all([0, 1, 2, 3])
    waiting = [asyncio.ensure_future(lingering.submit(n)) for n in (4, 5)]
    await asyncio.sleep(0.01)
    assert calls.made == [[0, 1, 2, 3]]
    await lingering.close()
    assert await asyncio.gather(*waiting) == [40, 50]


async def test_close_tells_those_whose_fate_is_not_known_in_time() -> None:
    calls = Calls()
    calls.gate.clear()
    stuck = batcher(calls, most=1)
    under_way = asyncio.ensure_future(stuck.submit(1))
    await asyncio.sleep(0.01)
    unsent = asyncio.ensure_future(stuck.submit(2))
    await asyncio.sleep(0.01)
    await stuck.close(timeout_s=0.01)
    fates = await asyncio.gather(under_way, unsent, stuck.submit(3))
    kinds = [fate.kind for fate in fates if isinstance(fate, CallFailed)]
    assert kinds == [Kind.IN_DOUBT, Kind.NOTHING_HAPPENED, Kind.NOTHING_HAPPENED]
    await asyncio.sleep(0.01)
    assert calls.made == [[1]]


class Throttled:
    """Throttles an entry once; its repeat is under way for ever."""

    def __init__(self) -> None:
        self.first, self.second = asyncio.Event(), asyncio.Event()

    async def commit(self, _: list[int]) -> Sequence[Fate]:
        if not self.first.is_set():
            self.first.set()
            return [THROTTLED]
        self.second.set()
        await asyncio.Event().wait()
        return []


@pytest.mark.parametrize(("repeated", "kind"), [(True, Kind.IN_DOUBT), (False, Kind.THROTTLED)])
async def test_a_repeat_that_is_cut_off_may_have_arrived(repeated: bool, kind: Kind) -> None:
    calls = Throttled()
    one = Batcher[int, int]("test", calls.commit, Limits(most=1, linger_s=0.0))
    submitted = asyncio.ensure_future(one.submit(1))
    await (calls.second if repeated else calls.first).wait()
    await one.close(timeout_s=0)
    assert kinds([await asyncio.wait_for(submitted, 1)]) == [kind]


# --- deadlines ------------------------------------------------------------------------------------
def after_s(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_what_is_not_known_when_it_is_due_is_in_doubt_and_the_rest_is_known() -> None:
    calls, late = Calls(), asyncio.Event()

    async def commit(entries: list[int]) -> Sequence[Fate]:
        if 1 in entries:
            await late.wait()
        return await calls.commit(entries)

    slow = Batcher[int, int]("test", commit, Limits(most=2, linger_s=0.0, at_once=2))
    *unknown, third, fourth = await slow.submit_all([1, 2, 3, 4], due_s=after_s(0.02))
    assert (kinds(unknown), third, fourth) == ([Kind.IN_DOUBT] * 2, 30, 40)
    late.set()
    await slow.close()
    assert calls.made == [[3, 4], [1, 2]]  # it may be called for all the same


async def test_what_finds_no_room_until_it_is_due_is_never_called_for() -> None:
    calls = Calls()
    calls.gate.clear()
    small = batcher(calls, most=1, capacity=1)
    fates = await small.submit_all([1, 2, 3, 4], due_s=after_s(0.02))
    assert kinds(fates) == [Kind.IN_DOUBT] * 2 + [Kind.NOTHING_HAPPENED] * 2
    calls.gate.set()
    await small.close()
    assert calls.made == [[1], [2]]


async def test_what_comes_when_it_is_overdue_is_not_called_for() -> None:
    calls = Calls()
    idle = batcher(calls, linger_s=0.0)
    assert kinds(await idle.submit_all(range(9), due_s=after_s(-0.001))) == (
        [Kind.NOTHING_HAPPENED] * 9
    )
    await idle.close()
    assert calls.made == []


async def test_a_deadline_that_is_kept_changes_nothing() -> None:
    calls = Calls(lambda entries: [REFUSED if one == 2 else one * 10 for one in entries])
    one = batcher(calls, linger_s=0.0)
    assert await one.submit_all([1, 2, 3], due_s=after_s(60)) == [10, REFUSED, 30]
    await one.close()
    assert kinds(await one.submit_all([4], due_s=after_s(60))) == [Kind.NOTHING_HAPPENED]
