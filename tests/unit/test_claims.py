"""The decision table: record, message and time → what to do; all of it."""

import itertools
from typing import Any

import msgspec
import pytest

from mailpipe.messages import Email, EmailMessage
from mailpipe.records import NO_TOKEN, USUAL, Record, born, fields_of, read
from mailpipe.status import (
    CANCELLED,
    DELAYED,
    DELIVERED,
    ERASED,
    FAILED,
    PENDING,
    SCHEDULED,
    SENT,
    UNKNOWN,
)
from mailpipe.timing import iso
from sender.claims import (
    Answer,
    Doubtful,
    Finished,
    Foreign,
    Live,
    Open,
    Scheduled,
    Won,
    decide,
)

NOW = 1_795_514_400_000
GRACE = 150_000
TOKEN = "mine"
MESSAGE = EmailMessage(
    email_id="e1",
    tenant="default",
    stream="transactional",
    queued_at=iso(NOW),
    email=Email(to=["a@example.com"], from_="b@example.com", subject="Hi", body_text="Hello"),
)
FRESH = read(USUAL | born("e1", "default", fields_of(MESSAGE)))

OPEN_STATES = (PENDING, SCHEDULED)
ENDED_STATES = (UNKNOWN, FAILED, SENT, DELAYED, DELIVERED, CANCELLED, ERASED)
AXES: dict[str, tuple[Any, ...]] = {
    "standing": OPEN_STATES + ENDED_STATES,
    "lease_until": (0, NOW - GRACE - 1, NOW - 1, NOW, NOW + 1, NOW + 25_000),
    "token": (TOKEN, "other", NO_TOKEN),
    "attempt": (0, 1, 3),
    "version": (0, 2),
    "tenant": ("default", "other"),
    "fingerprint": (None, "-", "f"),
    "send_at": (None, NOW - 1, NOW, NOW + 1),
    "possible_duplicate": (False, True),
}


def record(standing: Any = PENDING, **changes: Any) -> Record:
    return msgspec.structs.replace(FRESH, status=standing.status, rank=standing.rank, **changes)


def told(message_fingerprint: str | None, claimed: str | None, **state: Any) -> Answer:
    message = msgspec.structs.replace(MESSAGE, fingerprint=message_fingerprint)
    return decide(record(**state), message, now_ms=NOW, grace_ms=GRACE, token=claimed)


def expected(state: dict[str, Any], message_fingerprint: str | None, token: str | None) -> type:
    """By what must hold for each answer, all conditions at once, whatever their order."""
    same = state["fingerprint"] in ({"f"} if message_fingerprint else {None, "-"})
    ours = state["tenant"] == MESSAGE.tenant and same
    is_open = state["standing"] in OPEN_STATES
    leased, over = state["lease_until"] > NOW, 0 < state["lease_until"] <= NOW
    later = state["send_at"] == NOW + 1
    held = token is not None and state["token"] == token
    truths = {
        Foreign: not ours,
        Finished: ours and not is_open,
        Won: ours and is_open and leased and held,
        Live: ours and is_open and leased and not held,
        Doubtful: ours and is_open and over,
        Scheduled: ours and is_open and not leased and not over and later,
        Open: ours and is_open and not leased and not over and not later,
    }
    (answer,) = [kind for kind, true in truths.items() if true]
    return answer


@pytest.mark.parametrize("message_fingerprint", [None, "f"])
@pytest.mark.parametrize("token", [None, TOKEN])
def test_every_state_has_the_one_answer_whose_conditions_hold(
    message_fingerprint: str | None, token: str | None
) -> None:
    seen = set[type]()
    for values in itertools.product(*AXES.values()):
        state = dict(zip(AXES, values, strict=True))
        answer = told(message_fingerprint, token, **state)
        assert type(answer) is expected(state, message_fingerprint, token), state
        seen.add(type(answer))
    assert len(seen) == (7 if token else 6)


@pytest.mark.parametrize("standing", ENDED_STATES)
def test_what_an_event_has_raised_is_not_sent_under_a_claim_of_ours(standing: Any) -> None:
    assert isinstance(
        told(None, TOKEN, standing=standing, token=TOKEN, lease_until=NOW + 9), Finished
    )


@pytest.mark.parametrize("possible_duplicate", [False, True])
def test_a_claim_whose_answer_was_lost_is_as_it_was_written(*, possible_duplicate: bool) -> None:
    state = {"token": TOKEN, "lease_until": NOW + 9, "attempt": 4}
    won = told(None, TOKEN, possible_duplicate=possible_duplicate, **state)
    assert won == Won(TOKEN, 4, NOW + 9, doubted=possible_duplicate)


def test_answers_say_until_when() -> None:
    live = told(None, TOKEN, token="other", lease_until=NOW + 9)
    assert live == Live(NOW + 9)
    doubt = told(None, TOKEN, token="other", lease_until=NOW - 9)
    assert isinstance(doubt, Doubtful)
    assert doubt.look_ms == NOW - 9 + GRACE
    later = told(None, TOKEN, send_at=NOW + 9)
    assert isinstance(later, Scheduled)
    assert later.send_at_ms == NOW + 9


def test_whose_mail_it_is_not_is_told_apart() -> None:
    assert told(None, TOKEN, tenant="other", fingerprint="f") == Foreign("tenant_mismatch")
    assert told(None, TOKEN, fingerprint="f") == Foreign("key_conflict")


def test_the_record_says_when_and_not_the_version_of_the_message() -> None:
    """A stale message never sends early, and what is due goes whichever message brings it."""
    for version in (0, 1, 7):
        assert isinstance(told(None, None, version=version, send_at=NOW + 1), Scheduled)
        assert isinstance(told(None, None, version=version, send_at=NOW), Open)
