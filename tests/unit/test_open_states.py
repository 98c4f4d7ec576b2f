"""Where an open mail stands, and what is done about one that is open for too long."""

from pathlib import Path

import pytest
from hypothesis import given
from msgspec.structs import replace

from mailpipe.open_states import (
    CLAIMED,
    DAY_MS,
    LOST_AFTER_MS,
    OPEN_STATES,
    PAUSED,
    SCHEDULED,
    SENT,
    Terms,
    has_ended,
    place_of,
)
from mailpipe.records import NO_EVENT, Record
from mailpipe.status import (
    DELIVERED,
    FIRST_ENDED_RANK,
    SOFT_BOUNCED,
    UNKNOWN,
)
from sender.sweeps import Announce, Close, End, step_of
from tests.unit.open_records import EXAMPLES, NOW, RECORDS, SES_STANDINGS, TIMES, record

DOCS = Path(__file__).parents[2] / "docs"
TERMS = Terms()


@pytest.mark.parametrize("state", OPEN_STATES)
def test_every_state_is_reached_by_some_record(state: str) -> None:
    paused = NOW - 5 if state == PAUSED else None
    place = place_of(EXAMPLES[state], NOW, TERMS, paused_since_ms=paused)
    assert place is not None
    assert place.state == state
    assert place.since_ms <= NOW <= place.deadline_ms


@given(one=RECORDS, at=TIMES)
def test_all_that_is_open_has_a_deadline_and_is_swept_once_that_is_over(
    one: Record, at: int
) -> None:
    place = place_of(one, at, TERMS)
    if place is None:
        assert one.rank >= FIRST_ENDED_RANK
        assert step_of(one, at, TERMS) is None
        return
    swept = step_of(one, at, TERMS)
    assert (swept is not None) == (at >= place.deadline_ms and place.state != CLAIMED)
    last = place_of(one, place.deadline_ms + LOST_AFTER_MS + 500 * DAY_MS, TERMS)
    assert last is not None
    assert step_of(one, last.deadline_ms, TERMS) is not None


@given(one=RECORDS, at=TIMES)
def test_only_what_nobody_holds_and_no_event_has_proved_is_ended(one: Record, at: int) -> None:
    step = step_of(one, at, TERMS)
    if not isinstance(step, End):
        return
    assert one.rank < FIRST_ENDED_RANK
    assert one.lease_until <= at
    assert (one.send_at or 0) <= at or (one.expires_at or at) < at
    doubted = one.lease_until > 0 or one.doubts > 0 or one.possible_duplicate
    assert (step.standing == UNKNOWN) == doubted


@given(one=RECORDS, at=TIMES)
def test_mail_is_never_ended_before_its_time_nor_before_a_sender_would(
    one: Record, at: int
) -> None:
    if not isinstance(step_of(one, at, TERMS), End):
        return
    could_go = max(one.created_at, one.send_at or 0)
    expired = one.expires_at is not None and at > one.expires_at
    assert expired or at >= could_go + LOST_AFTER_MS


def test_a_mail_to_several_waits_for_the_last_of_them() -> None:
    some = record(to=2, status="delivered", rank=DELIVERED.rank, ranks={"r0": 40, "r1": 20})
    place = place_of(some, NOW, TERMS)
    assert place is not None
    assert place.state == SENT
    assert not has_ended(some)
    late = replace(some, ranks={"r0": 40, "r1": SOFT_BOUNCED.rank}, updated_at=NOW - DAY_MS)
    assert has_ended(late)
    assert step_of(late, NOW, TERMS) == Close()


def test_only_ends_that_are_written_before_their_event_are_announced_again() -> None:
    old = NOW - DAY_MS
    cancelled = record(to=2, status="cancelled", rank=90, updated_at=old)
    assert step_of(cancelled, NOW, TERMS) == Announce()
    for status, rank in (("delivered", 40), ("suppressed", 90), ("failed", 14)):
        assert step_of(record(status=status, rank=rank, updated_at=old), NOW, TERMS) == Close()


def test_what_ses_says_no_more_about_is_closed_by_the_setting() -> None:
    one, soon = record(**SES_STANDINGS[SENT]), Terms(unheard_ms=30_000)
    assert step_of(one, NOW, soon) == Close(NO_EVENT)
    assert step_of(one, NOW - 1, soon) is None


def test_the_page_lists_every_state_as_it_is() -> None:
    page = (DOCS / "behaviour.md").read_text()
    for name, one in OPEN_STATES.items():
        assert f"| `{name}` | {one.when} | {one.deadline} | {one.then} | `{one.alert}` |" in page


def test_alerts_to_late_mail_also_go_off_where_nobody_releases_any() -> None:
    told, last_done = OPEN_STATES[SCHEDULED].alert.split(" or ")
    assert told.startswith('mailpipe_parked_oldest_seconds{kind="time"}')
    assert 'mailpipe_side_task_last_success_seconds{task="release_due"}' in last_done
    assert f"`{last_done}`" in " ".join((DOCS / "behaviour.md").read_text().split())
