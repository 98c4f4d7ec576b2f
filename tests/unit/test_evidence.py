"""What proves that SES's events have come through, and what does not."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpipe.evidence import (
    CLOCKS_MS,
    NONE_PUBLISH,
    NOT_ALL_SINCE,
    NOTHING_SINCE,
    OLDER,
    SILENT,
    Figures,
    changes_of,
    ended,
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


LATELY = NOW - 20_000
HANDLED = but(handled=PROVES, stood_at=LATELY)
EMPTY = but(empty_at=PROVES, stood_at=LATELY)
PROOFS = pytest.mark.parametrize("proof", [HANDLED, EMPTY], ids=["handled", "empty"])


def test_nothing_is_proved_by_silence() -> None:
    assert told() == NONE_PUBLISH
    assert told(IDLE) == NOTHING_SINCE
    assert told(but(handled=PROVES - 1)) == NOTHING_SINCE


@PROOFS
def test_a_later_event_or_an_empty_queue_proves_it(proof: Figures) -> None:
    assert told(proof) is None
    assert told(IDLE, proof) is None
    assert told(but(empty_at=PROVES - 1)) == NOTHING_SINCE


@PROOFS
def test_an_older_event_in_anybodys_hand_proves_nothing(proof: Figures) -> None:
    assert told(proof, but(oldest_in_hand=PROVES - 1)) == OLDER
    assert told(proof, but(oldest_in_hand=PROVES)) is None


@PROOFS
def test_who_has_not_published_since_may_hold_an_older_one(proof: Figures) -> None:
    """It took it after it had published: whoever is alive says so next time."""
    then = LATELY + CLOCKS_MS
    assert told(proof, but(at=then - 1, every_ms=60_000)) == NOT_ALL_SINCE
    assert told(proof, but(at=then, every_ms=60_000)) is None
    now = msgspec.structs.replace(proof, stood_at=0)  # of an older release, which does not say when
    assert told(now) is None
    assert told(now, but(at=NOW - 2_000)) == NOT_ALL_SINCE
    assert told(now, but(at=NOW - 2_000), proof) is None  # somebody's proof is old enough


@PROOFS
def test_what_a_dead_processor_had_in_hand_counts_until_others_get_it(proof: Figures) -> None:
    died = but(handled=PROVES, oldest_in_hand=SINCE - 1)
    hidden_ms = 2 * EVERY + VISIBILITY + 2 * CLOCKS_MS
    assert told(proof, msgspec.structs.replace(died, at=NOW - hidden_ms + 1)) == OLDER
    assert told(proof, msgspec.structs.replace(died, at=NOW - hidden_ms)) is None


@PROOFS
def test_what_a_dead_processor_took_after_its_last_word_counts_too(proof: Figures) -> None:
    early = msgspec.structs.replace(proof, stood_at=SINCE)
    assert told(early, but(at=NOW - 2 * EVERY - CLOCKS_MS - 1)) == SILENT
    assert told(early, but(at=NOW - 2 * EVERY - CLOCKS_MS)) is None
    hidden_ms = 2 * EVERY + VISIBILITY + 2 * CLOCKS_MS
    assert told(proof, but(at=NOW - hidden_ms + 1)) == SILENT
    assert told(proof, but(at=NOW - hidden_ms)) is None


def test_a_clock_that_is_ahead_proves_nothing() -> None:
    assert told(HANDLED, but(at=NOW + CLOCKS_MS + 1)) == SILENT
    assert told(HANDLED, but(at=NOW + CLOCKS_MS)) is None
    assert told(but(empty_at=NOW + CLOCKS_MS + 1)) == NOTHING_SINCE
    assert told(but(empty_at=NOW + CLOCKS_MS)) is None


def test_of_who_has_ended_only_what_it_has_handled_stands() -> None:
    over = but(handled=PROVES, empty_at=PROVES, stood_at=LATELY)
    for one in (over, msgspec.structs.replace(over, stood_at=0)):
        (left,) = read([changes_of(one) | ended()])
        assert (left.at, left.empty_at, left.counts(NOW)) == (0, 0, False)
        assert told(IDLE, left) == (None if one is over else NOTHING_SINCE)


def test_what_the_dead_have_handled_stays_handled() -> None:
    assert told(IDLE, but(at=NOW - 3_000_000, handled=PROVES)) is None
    assert told(but(at=NOW - 3_000_000, handled=PROVES)) is None  # nobody else is there


def test_figures_are_kept_for_as_long_as_they_count() -> None:
    hidden_h = but(visibility_ms=12 * 3_600_000)
    ttl = changes_of(hidden_h)["ttl"]
    assert isinstance(ttl, int)
    assert not hidden_h.counts(ttl * 1_000)


@given(
    st.lists(
        st.builds(
            Figures,
            at=st.integers(NOW - 200_000, NOW),
            every_ms=st.just(EVERY),
            visibility_ms=st.just(VISIBILITY),
            handled=st.integers(SINCE - 9_000, NOW),
            empty_at=st.just(0) | st.integers(SINCE - 9_000, NOW),
            stood_at=st.integers(NOW - 200_000, NOW),
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
    assert seen(flow).handled == NOW - 1_000


def test_what_was_done_lately_is_told(flow: Flow) -> None:
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


def test_an_event_of_no_record_is_told_only_while_nobody_knows_that(flow: Flow) -> None:
    """It comes again and again: of a mail in doubt there is a record."""
    flow.received("m", NOW - 900_000)
    assert seen(flow).oldest_in_hand == NOW - 900_000
    flow.left_out("m")
    assert flow.idle
    assert (seen(flow).oldest_in_hand, seen(flow).handled) == (None, 0)


def test_what_was_reached_is_told_when_the_others_have_published_since(flow: Flow) -> None:
    lag = 2 * EVERY + CLOCKS_MS
    seen(flow, NOW)
    flow.received("m", NOW)
    flow.handled("m", now_ms=NOW)
    reached = NOW + EVERY
    for now_ms in range(reached, reached + lag, EVERY):
        figures = flow.figures(now_ms=now_ms, empty_at=now_ms - 9)
        assert (figures.handled, figures.empty_at) == (0, 0)
    figures = flow.figures(now_ms=reached + lag, empty_at=0)
    told_of = (figures.handled, figures.empty_at, figures.stood_at)
    assert told_of == (NOW, reached - 9, reached)
