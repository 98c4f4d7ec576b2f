"""Our clock against AWS's: what whole seconds in answers can say, and never more than that."""

from collections.abc import Callable
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailpipe.aws.dates import Dates
from sender.clock import DRIFT, STALE_S, Clock, ClockState, Offset

START_S = 1_795_514_400.0
BUDGET_S = 0.01


class World:
    """AWS's clock, ours, and the way between them. `ours_s` is our clock's reading."""

    def __init__(self, offset_s: float, *, drift: float = 0.0) -> None:
        self.aws_s = START_S + 0.3
        self._offset_s, self._drift = offset_s, drift
        self.clock = Clock(lambda: self.ours_s, lambda: self.steady_s, budget_s=BUDGET_S)

    @property
    def offset_s(self) -> float:
        return self._offset_s + self._drift * (self.aws_s - START_S)

    @property
    def ours_s(self) -> float:
        return self.aws_s + self.offset_s

    @property
    def steady_s(self) -> float:
        """Of the same quartz, and nobody sets it."""
        return self.aws_s + self._drift * (self.aws_s - START_S)

    def exchange(self, there_s: float = 0.001, back_s: float = 0.001, stale_s: float = 0.0) -> None:
        """Ask AWS for its Date."""
        sent_s = self.ours_s
        self.aws_s += there_s
        date_s = floor(self.aws_s - stale_s)
        self.aws_s += back_s
        self.clock.observe(date_s, sent_s, self.ours_s)

    def jump(self, by_s: float) -> None:
        """Somebody puts our clock right."""
        self._offset_s += by_s

    def rounds(self, count: int) -> None:
        """As the timekeeper asks, one tick of AWS's second after the other."""
        for _ in range(count):
            for moment_s in self.clock.moments():
                self.aws_s += max(0.0, moment_s - self.ours_s)
                self.exchange()


offsets = st.floats(-3600, 3600)
ways = st.floats(0, 0.3)


@given(
    offsets,
    st.floats(-DRIFT, DRIFT).map(lambda one: one * 0.9),
    st.lists(
        st.tuples(st.floats(0, 30), ways, ways, st.floats(0, STALE_S * 0.9)),
        min_size=1,
        max_size=40,
    ),
)
def test_the_offset_is_never_outside_of_what_the_clock_says(
    offset_s: float, drift: float, exchanges: list[tuple[float, float, float, float]]
) -> None:
    world = World(offset_s, drift=drift)
    for pause_s, there_s, back_s, stale_s in exchanges:
        world.aws_s += pause_s
        world.exchange(there_s, back_s, stale_s)
        known = world.clock.offset
        assert known is not None
        assert known.low_s - 1e-5 <= world.offset_s <= known.high_s + 1e-5
    assert world.clock.contradictions == 0


@given(offsets)
@settings(max_examples=50)
def test_three_ticks_are_enough_to_know_it_to_a_hundredth(offset_s: float) -> None:
    world = World(offset_s)
    world.rounds(4)
    known = world.clock.offset
    assert known is not None
    assert known.width_s < BUDGET_S
    assert world.aws_s < START_S + 5


@pytest.mark.parametrize(
    ("offset_s", "state"),
    [
        (0.0, ClockState.GOOD),
        (0.005, ClockState.GOOD),
        (-0.005, ClockState.GOOD),
        (0.02, ClockState.WRONG),
        (-0.02, ClockState.WRONG),
        (3600.0, ClockState.WRONG),
    ],
)
def test_the_verdict_is_the_budgets(offset_s: float, state: ClockState) -> None:
    world = World(offset_s)
    world.rounds(8)
    assert world.clock.state is state
    assert world.clock.moments() == []


def test_at_first_nothing_is_known() -> None:
    world = World(0.0)
    assert (world.clock.state, world.clock.offset) == (ClockState.UNSURE, None)
    assert world.clock.moments() == [world.ours_s]
    world.exchange()
    assert world.clock.state is ClockState.UNSURE


def test_what_was_known_fades_and_is_asked_for_before_it_is_lost() -> None:
    world = World(0.0)
    world.rounds(5)
    assert world.clock.good
    world.aws_s += BUDGET_S / DRIFT
    world.exchange(0.2, 0.2)  # so slow an answer tells nothing
    assert world.clock.good
    assert world.clock.moments()
    world.aws_s += BUDGET_S / DRIFT
    assert world.clock.state is ClockState.UNSURE
    assert world.clock.moments()


def test_a_clock_that_was_put_right_is_measured_anew() -> None:
    world = World(0.5)
    world.rounds(5)
    assert world.clock.state is ClockState.WRONG
    world.jump(-0.5)
    assert (world.clock.state, world.clock.contradictions) == (ClockState.UNSURE, 1)
    world.rounds(5)
    assert world.clock.good


@pytest.mark.parametrize("by_s", [0.003, -0.003, 0.5, -3600])
def test_a_good_clock_that_is_set_is_not_relied_on_before_it_is_measured_again(by_s: float) -> None:
    world = World(0.0)
    world.rounds(5)
    assert world.clock.good
    world.jump(by_s)
    assert (world.clock.good, world.clock.offset) == (False, None)
    world.rounds(5)
    assert world.clock.good == (abs(by_s) < BUDGET_S)


def test_an_answer_under_way_while_the_clock_is_set_tells_nothing() -> None:
    world = World(0.0)
    world.exchange()
    sent_s, date_s = world.ours_s, floor(world.aws_s)
    world.jump(0.4)
    world.clock.observe(date_s, sent_s, world.ours_s)
    assert world.clock.offset is None


def test_dates_that_contradict_each_other_begin_anew() -> None:
    world = World(0.0)
    world.rounds(5)
    world.clock.observe(floor(world.aws_s) - 5, world.ours_s, world.ours_s)
    assert (world.clock.contradictions, world.clock.good) == (1, False)


@given(st.one_of(st.floats(0.1, 3600), st.floats(-3600, -0.1)))
@settings(max_examples=50)
def test_a_wrong_clock_is_corrected_as_far_as_it_is_known(offset_s: float) -> None:
    world = World(offset_s)
    world.rounds(5)
    assert world.clock.epoch_us() / 1e6 == pytest.approx(world.aws_s, abs=BUDGET_S)


def test_our_clock_is_believed_as_long_as_nothing_speaks_against_it() -> None:
    world = World(0.002)
    assert world.clock.epoch_us() == round(world.ours_s * 1e6)
    world.exchange()
    assert world.clock.epoch_us() == round(world.ours_s * 1e6)
    assert Offset(0.2, 0.3).least_s == 0.2
    assert Offset(-0.3, -0.2).least_s == -0.2


@given(offsets, st.integers(1, 3), st.floats(0, 300))
@settings(max_examples=50)
def test_the_time_is_ours_less_the_least_that_aws_s_answers_demand(
    offset_s: float, rounds: int, later_s: float
) -> None:
    world = World(offset_s)
    world.rounds(rounds)
    world.aws_s += later_s
    known = world.clock.offset
    assert known is not None
    assert world.clock.epoch_us() == round((world.ours_s - known.least_s) * 1e6)


class Readings:
    """Two clocks that go together; who reads them is stopped for `stopped_s` between the two."""

    def __init__(self, *, ahead_s: int = 0) -> None:
        self.now_s, self.stopped_s = START_S, 0.0
        self.read = list[str]()
        self.clock = Clock(self.wall_s, self.steady_s, budget_s=BUDGET_S)
        self.clock.observe(floor(START_S) - ahead_s, START_S, START_S)
        self.read.clear()

    def wall_s(self) -> float:
        self.read.append("wall")
        return self.now_s

    def steady_s(self) -> float:
        self.now_s, self.stopped_s = self.now_s + self.stopped_s, 0.0
        self.read.append("steady")
        return self.now_s


def test_to_tell_the_time_each_clock_is_read_once_at_most() -> None:
    """Whether ours was set matters only where it is wrong: there it is corrected."""
    right, wrong = Readings(), Readings(ahead_s=2)
    assert right.clock.wall_ms() == START_S * 1000
    assert right.read == ["wall"]
    assert wrong.clock.wall_ms() < (START_S - 0.9) * 1000
    assert sorted(wrong.read) == ["steady", "wall"]


@pytest.mark.parametrize("offset_s", [0.0, 0.5])
def test_a_clock_that_was_set_tells_its_own_time_until_it_is_measured(offset_s: float) -> None:
    world = World(offset_s)
    world.rounds(5)
    world.jump(60.0)
    assert world.clock.epoch_us() == round(world.ours_s * 1e6)
    assert (world.clock.good, world.clock.contradictions) == (False, 1)
    assert world.clock.epoch_us() == round(world.ours_s * 1e6)


def test_who_is_stopped_between_two_readings_takes_no_clock_for_set() -> None:
    readings = Readings()
    readings.stopped_s = 60.0
    assert readings.clock.offset is not None
    assert readings.clock.contradictions == 0


def told() -> tuple[list[tuple[int, float, float]], Callable[[int, float, float], None]]:
    seen = list[tuple[int, float, float]]()
    return seen, lambda *one: seen.append(one)


def test_dates_are_read_and_what_is_none_is_passed_over() -> None:
    seen, tell = told()
    dates = Dates(tell)
    for text in ("Tue, 24 Nov 2026 10:00:00 GMT", "Tue, 24 Nov 2026 10:00:00 GMT", None, "soon"):
        dates.seen(text, 1.0, 2.0)
    dates.seen("Tue, 24 Nov 2026 10:00:01 GMT", 3.0, 4.0)
    assert seen == [
        (1_795_514_400, 1.0, 2.0),
        (1_795_514_400, 1.0, 2.0),
        (1_795_514_401, 3.0, 4.0),
    ]


@pytest.mark.parametrize("offset_s", [-155.0, -0.005, 120.0])
def test_what_is_compared_with_others_times_is_aws_s_time(offset_s: float) -> None:
    """However far ours is off; where it is wrong that is said, too."""
    world = World(offset_s)
    world.rounds(4)
    assert abs(world.clock.wall_ms() - world.aws_s * 1000) <= 11
    assert world.clock.right == (abs(offset_s) < BUDGET_S)
