"""What is open says what it waits for, and what comes when."""

from typing import Any

import msgspec
import pytest

from mailpipe.board import Cap, Reading
from mailpipe.evidence import Figures
from mailpipe.explain import World, explain
from mailpipe.open_states import DAY_MS
from tests.unit.explain_rig import QUIET, busy, pause, sender, sentence
from tests.unit.open_records import EXAMPLES, NOW, record

LATE_DOUBT: dict[str, Any] = {"attempt": 1, "token": "t", "lease_until": NOW - DAY_MS}


@pytest.mark.parametrize(
    ("world", "said", "due"),
    [
        (
            busy("rate"),
            "Waits since 07:59:00 UTC in the bulk lane, behind about 12,000 mails; the account's "
            "rate of 14/s binds; it should go in about 14 min.",
            "2027-01-15T08:14:17.214Z",
        ),
        (
            busy("day"),
            "Waits since 07:59:00 UTC in the bulk lane, behind about 12,000 mails; the day's quota "
            "binds (49,812 of 50,000 recipients in 24 h).",
            None,
        ),
        (
            busy("nothing", 1),
            "Waits since 07:59:00 UTC in the bulk lane, with nothing before it; it should go in "
            "about 1 s.",
            "2027-01-15T08:00:00.071Z",
        ),
        (
            busy(
                "tenant_cap",
                3,
                QUIET._replace(
                    caps={"tenant#default": Cap(scope="tenant#default", per_second_milli=500)}
                ),
            ),
            "Waits since 07:59:00 UTC in the bulk lane, behind about 2 mails; a cap of 0.5/s on "
            "mail of its tenant binds.",
            None,
        ),
        (
            World(QUIET),
            "Waits since 07:59:00 UTC in the bulk lane, and no sender runs: it goes when one does.",
            None,
        ),
        (
            World(senders=[sender()]),
            "Waits since 07:59:00 UTC in the bulk lane: no sender has read SES's quota yet.",
            None,
        ),
    ],
)
def test_a_mail_that_may_go_waits_for_its_turn(world: World, said: str, due: str | None) -> None:
    explained = explain(record(), world, NOW)
    assert (explained.sentence, explained.due_by) == (said, due)
    assert (explained.state, explained.status) == ("pending", "pending")


def test_a_mail_that_waits_although_nothing_else_does_is_told_to_be_elsewhere() -> None:
    said = sentence(record(created_at=NOW - DAY_MS), busy("nothing", 0))
    assert "nothing is on its queue" in said
    assert "dead letters" in said


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (
            pause("identity#shop.example", "identity_not_verified"),
            "Waits because mail of the identity shop.example is paused since 07:50:00 UTC (it is "
            "not verified at SES); one waiting mail tries it again and again, next at 08:00:20 UTC"
            "; if that lasts the mail ends at 2027-02-12 07:59:00 UTC at the latest.",
        ),
        (
            pause("account", "daily_quota"),
            "Waits because all mail of the account is paused since 07:50:00 UTC (the day's quota "
            "is used up); it goes on when SES says that this is over; if that lasts the mail ends "
            "at 2027-02-12 07:59:00 UTC at the latest.",
        ),
        (
            pause("tenant#default#bulk", "secret words", by="Eve"),
            "Waits because mail of the stream bulk is paused since 07:50:00 UTC by a person, who "
            "has to resume it; if that lasts the mail ends at 2027-02-12 07:59:00 UTC at the "
            "latest.",
        ),
    ],
)
def test_a_paused_mail_names_the_pause(reading: Reading, said: str) -> None:
    explained = explain(record(), busy("pause", board=reading), NOW)
    assert explained.sentence == said
    assert (explained.state, explained.waiting_for) == ("paused", "pause")


def test_the_pause_of_other_mail_is_not_its_own() -> None:
    others = pause("identity#other.example", "identity_not_verified")
    assert explain(record(), busy("pause", board=others), NOW).state == "pending"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("scheduled", "Waits for its time, 08:00:00 UTC, in about 1 s."),
        (
            "claimed",
            "A sender has it in hand (attempt 1), until 08:00:00 UTC at the latest.",
        ),
        (
            "in_doubt",
            "In doubt since 08:00:00 UTC: SES may have taken attempt 1, and nobody recorded its "
            "answer. An event of SES settles it; without one it is decided by the mail's inDoubt, "
            "from 08:02:30 UTC on when events flow, else at 09:02:30 UTC at the latest.",
        ),
        (
            "sent",
            "SES accepted it at 07:59:30 UTC; its word on the delivery is awaited; without a word "
            "it is closed at 2027-01-20 07:59:30 UTC.",
        ),
        (
            "ending",
            "It ended as cancelled at 07:59:00 UTC; that is announced and closed soon, or after "
            "08:09:00 UTC.",
        ),
    ],
)
def test_what_is_open_says_what_comes(state: str, said: str) -> None:
    explained = explain(EXAMPLES[state], World(QUIET, [sender()]), NOW)
    assert (explained.sentence, explained.state) == (said, state)


@pytest.mark.parametrize(
    ("processors", "said"),
    [
        ([], "at 08:42:30 UTC at the latest (now no processor publishes figures)."),
        (
            [Figures(at=NOW, every_ms=5000, visibility_ms=60_000, empty_at=NOW - 1)],
            "when it is next looked at: events flow.",
        ),
    ],
)
def test_a_doubt_that_could_be_decided_says_what_is_missing(
    processors: list[Figures], said: str
) -> None:
    doubtful = record(attempt=1, token="t", lease_until=NOW - 1_200_000)
    assert sentence(doubtful, World(senders=[sender()], processors=processors)).endswith(said)


def test_a_doubt_that_should_have_been_decided_promises_no_time_that_is_past() -> None:
    explained = explain(record(**LATE_DOUBT), World(senders=[sender()]), NOW)
    assert explained.sentence.endswith(": it is late, and goes on when a sender looks at it.")
    assert explained.due_by is None


@pytest.mark.parametrize(
    ("changes", "reading"),
    [
        ({"status": "cancelled", "rank": 90}, QUIET),
        ({}, pause("account", "daily_quota")),
        ({"attempt": 1, "token": "t", "lease_until": NOW - 1}, QUIET),
        (LATE_DOUBT, QUIET),
    ],
)
def test_what_only_a_sender_does_is_told_so_where_none_runs(
    changes: dict[str, Any], reading: Reading
) -> None:
    explained = explain(record(**changes), World(reading), NOW)
    assert explained.sentence.endswith(" No sender runs now: it goes on when one does.")
    assert explained.due_by is None


def test_mail_that_a_release_has_not_come_to_is_promised_no_time() -> None:
    one = record()
    world = busy("rate", 70)._replace(parked={"account": one.created_at})
    explained = explain(one, world, NOW)
    assert explained.sentence == (
        "Waits since 07:59:00 UTC in the bulk lane; all mail of the account is being released "
        "after a pause, oldest first."
    )
    assert (explained.due_by, explained.waiting_for) == (None, "turn")
    released = busy("rate", 70)._replace(parked={"account": one.created_at + 1})
    assert explain(one, released, NOW).due_by is not None


@pytest.mark.parametrize(("send_at", "state"), [(NOW - 1, "pending"), (NOW + 1, "scheduled")])
def test_mail_that_was_moved_while_it_lay_on_its_queue_may_be_kept_there(
    send_at: int, state: str
) -> None:
    moved = record(
        send_at=send_at, moved_from=NOW + 40_000, version=1, updated_at=NOW - 10_000, rank=1
    )
    explained = explain(moved, busy("nothing", 1), NOW)
    assert explained.state == state
    assert "already, which may keep it until 08:00:40 UTC" in explained.sentence
    assert explained.due_by == "2027-01-15T08:00:40.000Z"
    from_afar = msgspec.structs.replace(moved, moved_from=NOW + 60_000)
    assert "moved" not in sentence(from_afar, busy("nothing", 1))


def test_a_mail_to_several_says_how_many_are_still_without_a_word() -> None:
    some = record(
        to=3, status="delivered", rank=40, sent_at=NOW, ranks={"r0": 40, "r1": 20, "r2": 0}
    )
    assert "of 3 recipients 2 are without a final word" in sentence(some, World())
