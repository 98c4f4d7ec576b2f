"""What proves that SES's events have come through, and what does not."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpipe.evidence import (
    CLOCKS_MS,
    NONE_PUBLISH,
    NOTHING_SINCE,
    OLDER,
    SILENT,
    Figures,
    changes_of,
    missing,
    read,
)
from processor.flow import Flow

NOW = 1_795_514_400_000
SINCE = NOW - 60_000
PROVES = SINCE + CLOCKS_MS
EVERY, VISIBILITY = 5_000, 60_000

IDLE = Figures(at=NOW - 1_000, every_ms=EVERY, visibility_ms=VISIBILITY)


def told(*processors: Figures) -> str | None:
    return missing(processors, since_ms=SINCE, now_ms=NOW)


def but(**changes: int) -> Figures:
    return msgspec.structs.replace(IDLE, **changes)


HANDLED = but(handled=PROVES)


def test_nothing_is_proved_by_silence() -> None:
    assert told() == NONE_PUBLISH
    assert told(IDLE) == NOTHING_SINCE
    assert told(but(handled=PROVES - 1)) == NOTHING_SINCE


def test_a_later_event_or_an_empty_queue_proves_it() -> None:
    assert told(IDLE, HANDLED) is None
    assert told(IDLE, but(empty_at=PROVES)) is None
    assert told(but(empty_at=PROVES - 1)) == NOTHING_SINCE


def test_an_older_event_in_anybodys_hand_proves_nothing() -> None:
    assert told(HANDLED, but(oldest_in_hand=PROVES - 1)) == OLDER
    assert told(HANDLED, but(oldest_in_hand=PROVES)) is None


def test_what_a_dead_processor_had_in_hand_counts_until_others_get_it() -> None:
    died = but(handled=PROVES, oldest_in_hand=SINCE - 1)
    hidden_ms = EVERY + VISIBILITY + CLOCKS_MS
    assert told(HANDLED, msgspec.structs.replace(died, at=NOW - hidden_ms + 1)) == OLDER
    assert told(HANDLED, msgspec.structs.replace(died, at=NOW - hidden_ms)) is None


def test_what_a_dead_processor_took_after_its_last_word_counts_too() -> None:
    assert told(HANDLED, but(at=NOW - 2 * EVERY - CLOCKS_MS - 1)) == SILENT
    assert told(HANDLED, but(at=NOW - 2 * EVERY - CLOCKS_MS)) is None
    assert told(HANDLED, but(at=NOW - EVERY - VISIBILITY - CLOCKS_MS)) is None


def test_a_clock_that_is_ahead_makes_no_queue_empty() -> None:
    assert told(but(at=NOW + CLOCKS_MS + 1, empty_at=NOW)) == NOTHING_SINCE
    assert told(but(at=NOW + CLOCKS_MS, empty_at=NOW)) is None


def test_what_the_dead_have_handled_stays_handled() -> None:
    assert told(IDLE, but(at=NOW - 3_000_000, handled=PROVES)) is None


@given(
    st.lists(
        st.builds(
            Figures,
            at=st.integers(NOW - 200_000, NOW),
            every_ms=st.just(EVERY),
            visibility_ms=st.just(VISIBILITY),
            handled=st.integers(SINCE - 9_000, NOW),
            empty_at=st.just(0),
            oldest_in_hand=st.none() | st.integers(SINCE - 9_000, NOW),
        ),
        max_size=4,
    ),
    st.integers(SINCE - 9_000, SINCE),
    st.integers(0, EVERY),
)
def test_one_more_older_event_in_hand_never_makes_a_proof(
    processors: list[Figures], event_ms: int, ago_ms: int
) -> None:
    assert told(*processors, but(at=NOW - ago_ms, oldest_in_hand=event_ms)) is not None


def test_figures_are_read_as_they_are_written() -> None:
    for one in (HANDLED, but(oldest_in_hand=3)):
        item = {name: value for name, value in changes_of(one).items() if value is not None}
        assert read(
            [{"kind": "processor", "id": "p", **item}, {"kind": "processor", "id": "?"}]
        ) == [one]


# --- one processor's figures ----------------------------------------------------------------------


@pytest.fixture
def flow() -> Flow:
    return Flow(every_ms=EVERY, visibility_ms=VISIBILITY)


def seen(flow: Flow, now_ms: int = NOW) -> Figures:
    return flow.figures(now_ms=now_ms, empty_at=0)


def test_what_is_in_hand_is_told_until_it_is_done(flow: Flow) -> None:
    flow.received("old", NOW - 9_000)
    flow.received("new", NOW - 1_000)
    flow.handled("new", now_ms=NOW)
    for _ in range(3):
        figures = seen(flow)
        assert (figures.handled, figures.oldest_in_hand) == (NOW - 1_000, NOW - 9_000)
    flow.handled("old", now_ms=NOW)
    assert flow.idle
    assert (seen(flow).handled, seen(flow).oldest_in_hand) == (NOW - 1_000, None)


def test_what_was_received_lately_is_told_although_it_is_done(flow: Flow) -> None:
    """Events come in no order: after an old one another may follow."""
    flow.received("m", NOW - 9_000)
    flow.handled("m", now_ms=NOW)
    assert [seen(flow).oldest_in_hand for _ in range(3)] == [NOW - 9_000, NOW - 9_000, None]


def test_what_has_failed_is_told_until_another_has_it(flow: Flow) -> None:
    flow.received("m", NOW - 9_000)
    flow.failed("m", now_ms=NOW, hidden_ms=90_000)
    assert not flow.idle
    figures = [seen(flow, NOW + past_ms) for past_ms in (0, 0, 149_999)]
    assert {one.oldest_in_hand for one in figures} == {NOW - 9_000}
    assert figures[0].visibility_ms == 150_000
    assert figures[-1].visibility_ms == VISIBILITY
    assert seen(flow, NOW + 150_000).oldest_in_hand is None
    assert flow.idle


def test_what_comes_again_is_in_hand_again(flow: Flow) -> None:
    flow.received("m", NOW - 9_000)
    flow.failed("m", now_ms=NOW, hidden_ms=1_000)
    flow.received("m", NOW - 9_000)
    flow.handled("m", now_ms=NOW)
    assert flow.idle
    flow.handled("m", now_ms=NOW)  # SQS had handed it out twice


def test_a_time_that_is_still_to_come_proves_nothing(flow: Flow) -> None:
    flow.received("m", NOW + CLOCKS_MS + 1)
    flow.handled("m", now_ms=NOW)
    assert seen(flow).handled == 0
