"""Group commit: who shares a call with whom, and that everybody gets the fate of his own entry."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpipe.aws.batcher import Batcher
from mailpipe.aws.lingering import Gaps, Limits, linger_s
from mailpipe.outcomes import CallFailed, Kind
from tests.unit.batcher_rig import DOUBT, REFUSED, THROTTLED, Calls, Fate, batcher


# --- the rule, as a value -------------------------------------------------------------------------
def test_an_idle_batcher_does_not_wait() -> None:
    assert linger_s(5.0, room=24, cap_s=0.02) == 0
    assert linger_s(0.02, room=24, cap_s=0.02) == 0


def test_a_busy_one_waits_until_it_should_be_full_but_not_beyond_the_cap() -> None:
    assert 0.004 < linger_s(0.001, room=4, cap_s=0.02) < 0.008
    assert linger_s(0.001, room=24, cap_s=0.02) == 0.02


@given(st.floats(0, 10), st.integers(1, 100), st.floats(0, 1))
def test_the_wait_is_always_within_the_cap(gap_s: float, room: int, cap_s: float) -> None:
    assert 0 <= linger_s(gap_s, room=room, cap_s=cap_s) <= cap_s


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(0, 30)), min_size=1, max_size=20))
def test_the_mean_is_the_same_whether_it_is_reckoned_for_each_entry_or_for_several(
    spells: list[tuple[float, int]],
) -> None:
    one_by_one, by_spells, now_s = Gaps(), Gaps(), 0.0
    for gap_s, entries in spells:
        for _ in range(entries):
            now_s += gap_s
            one_by_one.came += 1
            by_spells.came += 1
            mean_s = one_by_one.look(now_s)
        if entries:
            assert by_spells.look(now_s) == pytest.approx(mean_s, abs=1e-6)


# --- who shares a call ----------------------------------------------------------------------------
async def test_the_first_entry_of_an_idle_batcher_goes_at_once() -> None:
    calls = Calls()
    idle = batcher(calls, linger_s=0.5)
    assert await asyncio.wait_for(idle.submit(1), 0.4) == 10


async def test_entries_of_one_turn_of_the_loop_share_a_call() -> None:
    calls = Calls()
    assert await batcher(calls, linger_s=0.0).submit_all([1, 2, 3]) == [10, 20, 30]
    assert calls.made == [[1, 2, 3]]


async def test_a_full_batch_does_not_wait() -> None:
    calls = Calls()
    busy = batcher(calls, at_once=2)
    assert await busy.submit_all(list(range(8))) == [n * 10 for n in range(8)]
    assert calls.made == [[0, 1, 2, 3], [4, 5, 6, 7]]


async def test_while_all_calls_are_out_the_rest_gathers() -> None:
    calls = Calls()
    calls.gate.clear()
    one = batcher(calls, linger_s=0.0)
    first = asyncio.ensure_future(one.submit(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rest = [asyncio.ensure_future(one.submit(n)) for n in (2, 3, 4)]
    await asyncio.sleep(0.01)
    assert calls.made == [[1]]
    calls.gate.set()
    assert await asyncio.gather(first, *rest) == [10, 20, 30, 40]
    assert calls.made == [[1], [2, 3, 4]]


async def test_a_call_never_has_two_entries_of_one_key_nor_too_many_bytes() -> None:
    calls = Calls()
    keyed = Batcher[int, int](
        "test",
        calls.commit,
        Limits(most=4, linger_s=0.0, max_weight=10, at_once=1),
        key=lambda entry: entry % 2 if entry < 10 else entry,
        weigh=lambda entry: 1 if entry < 10 else 6,
    )
    assert await keyed.submit_all([1, 3, 2, 10, 11]) == [10, 30, 20, 100, 110]
    assert calls.made == [[1, 2, 10], [3, 11]]
    assert keyed._weight == 0


async def test_who_fills_a_call_that_waits_sends_it_off() -> None:
    calls = Calls()
    patient = batcher(calls)
    first = asyncio.ensure_future(patient.submit(1))
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        assert await patient.submit_all([2, 3, 4]) == [20, 30, 40]
        assert await first == 10
    assert calls.made == [[1, 2, 3, 4]]


async def test_many_entries_weigh_and_count_as_single_ones_do() -> None:
    calls = Calls()
    limits = Limits(most=4, linger_s=60.0, max_weight=10, at_once=2)
    heavy = Batcher[int, int]("test", calls.commit, limits, weigh=lambda entry: entry)
    async with asyncio.timeout(5):  # what fills a call does not wait
        assert await heavy.submit(10) == 100
        assert await heavy.submit_all([6, 10]) == [60, 100]
    assert calls.made == [[10], [6], [10]]
    assert (heavy._weight, heavy._gaps.came) == (0, 3)


async def test_more_than_the_buffer_holds_comes_in_by_and_by_in_full_calls() -> None:
    calls = Calls()
    small = batcher(calls, capacity=8, linger_s=0.0)
    calls.gate.clear()
    submitted = asyncio.ensure_future(small.submit_all(range(30)))
    await asyncio.sleep(0.01)
    assert len(small._buffer) == 8
    calls.gate.set()
    assert await submitted == [n * 10 for n in range(30)]
    assert [len(made) for made in calls.made] == [4] * 7 + [2]
    assert await small.submit_all([]) == []


async def test_whoever_finds_the_buffer_full_waits_outside() -> None:
    calls = Calls()
    calls.gate.clear()
    small = batcher(calls, capacity=2, most=1)
    tasks = [asyncio.ensure_future(small.submit(n)) for n in range(6)]
    await asyncio.sleep(0.01)
    assert len(small._buffer) <= 2
    calls.gate.set()
    assert await asyncio.gather(*tasks) == [0, 10, 20, 30, 40, 50]


# --- fates ----------------------------------------------------------------------------------------
async def test_what_failed_in_part_is_tried_again_alone() -> None:
    tries = list[int]()

    def script(entries: list[int]) -> Sequence[Fate] | None:
        tries.append(len(entries))
        if len(tries) == 1:
            return [10, THROTTLED, REFUSED, 40]
        return [THROTTLED] if len(tries) == 2 else None

    calls = Calls(script)
    assert await batcher(calls).submit_all([1, 2, 3, 4]) == [10, 20, REFUSED, 40]
    assert calls.made == [[1, 2, 3, 4], [2], [2]]


async def test_an_entry_that_may_have_arrived_once_stays_in_doubt() -> None:
    tries = list[int]()

    def script(entries: list[int]) -> Sequence[Fate]:
        tries.append(len(entries))
        if len(tries) == 1:
            return [DOUBT]
        raise THROTTLED

    assert await batcher(Calls(script), most=1).submit(1) is DOUBT
    assert tries == [1, 1]


async def test_one_bad_entry_does_not_fail_its_neighbours() -> None:
    def script(entries: list[int]) -> Sequence[Fate] | None:
        if 3 in entries:
            raise REFUSED
        return None

    calls = Calls(script)
    assert await batcher(calls).submit_all([1, 2, 3, 4]) == [10, 20, REFUSED, 40]


async def test_neighbours_of_a_throttled_entry_hear_at_once() -> None:
    calls = Calls(lambda entries: [THROTTLED if entry == 2 else entry * 10 for entry in entries])
    one = batcher(calls)
    tasks = [asyncio.ensure_future(one.submit(n)) for n in (1, 2, 3, 4)]
    assert await asyncio.wait_for(asyncio.gather(tasks[0], *tasks[2:]), 1) == [10, 30, 40]
    assert not tasks[1].done()
    # Nor does it keep others from calling.
    assert await asyncio.wait_for(one.submit_all([5, 6, 7, 8]), 1) == [50, 60, 70, 80]
    tasks[1].cancel()


@pytest.mark.parametrize("fates", [[], [10], [10, 20, 30, 40, 50]])
async def test_an_answer_with_another_number_of_fates_leaves_everybody_in_doubt(
    fates: list[int],
) -> None:
    told = await batcher(Calls(lambda _: fates)).submit_all([1, 2, 3, 4])
    assert [fate.kind for fate in told if isinstance(fate, CallFailed)] == [Kind.IN_DOUBT] * 4


async def test_an_entry_is_tried_again_four_times_at_most() -> None:
    calls = Calls(lambda entries: [THROTTLED] * len(entries))
    assert await batcher(calls, linger_s=0.0).submit(1) == THROTTLED
    assert len(calls.made) == 5


async def test_a_call_in_doubt_is_everybodys_doubt() -> None:
    def script(_: list[int]) -> Sequence[Fate] | None:
        raise DOUBT

    assert await batcher(Calls(script)).submit_all([1, 2, 3, 4]) == [DOUBT] * 4


async def test_a_bug_in_a_call_is_told_to_its_callers_and_ends_nothing() -> None:
    def script(entries: list[int]) -> Sequence[Fate] | None:
        if entries == [1]:
            raise RuntimeError("bug")
        return None

    one = batcher(Calls(script), most=1)
    fate = await one.submit(1)
    assert isinstance(fate, CallFailed)
    assert fate.kind is Kind.IN_DOUBT
    assert await one.submit(2) == 20


# --- all of it ------------------------------------------------------------------------------------
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), max_size=60),
    st.sets(st.integers(0, 30)),
    st.integers(1, 5),
    st.integers(1, 3),
)
def test_each_caller_gets_the_fate_of_its_own_entry(
    arrivals: list[tuple[int, int]], bad: set[int], most: int, at_once: int
) -> None:
    """Entries arrive in turns of the loop; some are refused, each time they are tried."""

    def script(entries: list[int]) -> Sequence[Fate] | None:
        return [REFUSED if entry in bad else entry * 10 for entry in entries]

    async def run() -> None:
        calls = Calls(script)
        limits = Limits(most=most, linger_s=0.0, at_once=at_once, capacity=7)
        one = Batcher[int, int]("test", calls.commit, limits, key=lambda entry: entry)
        tasks = []
        for entry, turns in arrivals:
            tasks.append(asyncio.ensure_future(one.submit(entry)))
            for _ in range(turns):
                await asyncio.sleep(0)
        fates = await asyncio.gather(*tasks)
        await one.close()
        assert fates == [REFUSED if entry in bad else entry * 10 for entry, _ in arrivals]
        assert sorted(entry for call in calls.made for entry in call) == sorted(
            entry for entry, _ in arrivals
        )
        for call in calls.made:
            assert len(call) == len(set(call)) <= most

    asyncio.run(run())
