"""Every record has a sentence, and it says what is so."""

import typing
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpipe import presence
from mailpipe.board import Reading
from mailpipe.endings import event_of
from mailpipe.evidence import Figures
from mailpipe.explain import _BINDING, _BY_RATE, _REASONS, ENDED, World, explain
from mailpipe.open_states import DAY_MS, LOST_AFTER_MS, OPEN_STATES, Terms
from mailpipe.records import Record
from mailpipe.spoken import about, moment, time_of
from sender.binding import BINDS
from sender.scopes import Reason
from tests.unit.explain_rig import QUIET, pause, sender, sentence
from tests.unit.open_records import NOW, RECORDS, TIMES, record


def event(kind: str, **details: str) -> dict[str, Any]:
    at = "2027-01-15T07:58:00.000Z"
    return {"type": kind, "occurredAt": at, "details": msgspec.json.encode(details).decode()}


CLOSED: dict[str, Any] = {"open": None, "updated_at": NOW - 1000}


@pytest.mark.parametrize(
    ("changes", "what", "said"),
    [
        (
            {"status": "delivered", "rank": 40},
            event("delivery", smtpResponse="250 OK"),
            'Delivered: the receiving server took it at 07:58:00 UTC ("250 OK").',
        ),
        (
            {"status": "bounced", "rank": 50},
            event(
                "bounce", bounceType="Permanent", bounceSubType="General", diagnosticCode="550 x"
            ),
            "Bounced at 07:58:00 UTC: the receiving side refused it for good, Permanent/General "
            '("550 x").',
        ),
        (
            {"status": "bounced", "rank": 30},
            None,
            "Bounced at 07:59:59 UTC: the receiving side refused it for now.",
        ),
        (
            {"status": "complained", "rank": 60},
            event("complaint", complaintFeedbackType="abuse"),
            'Delivered, and a recipient complained about it at 07:58:00 UTC ("abuse").',
        ),
        (
            {"status": "rejected", "rank": 50},
            event("reject", reason="Bad content"),
            'SES took it and then rejected it at 07:58:00 UTC ("Bad content").',
        ),
        (
            {"status": "rejected", "rank": 50, "reason": "to[0]: address_syntax"},
            event("rejected", reason="x"),
            'Never sent: it broke a rule at 07:58:00 UTC ("to[0]: address_syntax").',
        ),
        (
            {"status": "failed", "rank": 14, "reason": "MessageRejected: no"},
            None,
            'Not sent: SES refused it for good at 07:59:59 UTC ("MessageRejected: no").',
        ),
        (
            {"status": "suppressed", "rank": 90, "reason": "every recipient"},
            None,
            'Not sent: it was suppressed at 07:59:59 UTC ("every recipient").',
        ),
        ({"status": "cancelled", "rank": 90}, None, "Not sent: it was cancelled at 07:59:59 UTC."),
        ({"status": "expired", "rank": 90}, None, "Not sent: it expired at 07:59:59 UTC."),
        (
            {"status": "unknown", "rank": 12, "reason": "third doubt"},
            None,
            "Nobody knows whether SES has sent it; since 07:59:59 UTC it is tried no more "
            '("third doubt"). An event of SES that still comes settles it.',
        ),
        (
            {"status": "sent", "rank": 20, "outcome": "no_event"},
            None,
            "SES accepted it, and since 07:59:59 UTC it stands as sent. SES has said no more about "
            "it, so it was closed; a later event still counts.",
        ),
        ({"status": "erased", "rank": 99}, None, "Its data was erased at 07:59:59 UTC."),
    ],
)
def test_what_has_ended_says_why_when_and_by_what_event(
    changes: dict[str, Any], what: Any, said: str
) -> None:
    one = record(**CLOSED | changes)
    found = event_of(one, [event("open"), *([what] if what else [])])
    explained = explain(one, World(event=found), NOW)
    assert (explained.sentence, explained.state, explained.deadline) == (said, ENDED, None)


READINGS = st.sampled_from(
    [
        Reading(None, {}, {}, []),
        QUIET,
        pause("account", "daily_quota"),
        pause("set#enterprise-email", "by hand", by="Eve"),
        pause("identity#b@shop.example", "a reason that nobody knows"),
    ]
)
FIGURES = [
    Figures(at=NOW, every_ms=5000, visibility_ms=60_000),
    Figures(at=NOW, every_ms=5000, visibility_ms=60_000, empty_at=NOW, handled=NOW),
]
WORLDS = st.builds(
    World,
    READINGS,
    st.lists(st.builds(sender, st.sampled_from(BINDS)), max_size=2),
    st.fixed_dictionaries({"bulk": st.integers(0, 10**9)}),
    st.dictionaries(st.just("account"), st.just(NOW - DAY_MS)),
    st.lists(st.sampled_from(FIGURES), max_size=2),
    st.none() | st.builds(event, st.sampled_from(["delivery", "bounce", "?"])),
)


@given(one=RECORDS, world=WORLDS, at=TIMES)
def test_no_record_is_without_a_sentence(one: Record, world: World, at: int) -> None:
    explained = explain(one, world, at)
    assert explained.sentence.endswith(".")
    assert len(explained.sentence) < 700
    assert "None" not in explained.sentence
    assert explained.state in {*OPEN_STATES, ENDED}
    ended = explained.state == ENDED
    assert (explained.deadline is None, explained.waiting_for is None) == (ended, ended)
    assert msgspec.json.decode(msgspec.json.encode(explained))["emailId"] == one.email_id


def test_everything_that_may_bind_or_pause_has_its_words() -> None:
    told = {*_BINDING, *_BY_RATE, "day", "tenant_cap", "domain_cap"}
    assert told == set(BINDS)
    assert set(_REASONS) == set(typing.get_args(Reason))


def test_times_that_no_calendar_has_are_told_all_the_same() -> None:
    assert time_of(NOW * 1000).startswith("9999-12-31")
    assert sentence(record(created_at=253_402_300_000_000 - LOST_AFTER_MS), World())
    assert moment(NOW, NOW - DAY_MS) == "2027-01-15 08:00:00 UTC"
    assert [about(one) for one in (0, 89, 91, 5000, 6000, 10**6)] == [
        *("about 1 s", "about 89 s", "about 2 min"),
        *("about 83 min", "about 2 h", "about 12 days"),
    ]


def test_senders_that_are_gone_or_unreadable_do_not_count() -> None:
    items: list[dict[str, Any]] = [
        {"id": "a", "seenAt": NOW - 1, "until": NOW + 1, "binds": {"bulk": "rate"}, "ttl": 1},
        {"id": "b", "seenAt": NOW - 50, "until": NOW, "binds": {"bulk": "day"}},
        {"id": "old", "seenAt": NOW - 29_000},
        {"id": "x", "seenAt": "yesterday"},
    ]
    found = presence.living(items, NOW)
    assert len(found) == 2
    assert presence.binds(found, "bulk") == "rate"
    assert presence.binds(found, "transactional") == "nothing"
    assert presence.terms(found) == Terms()
