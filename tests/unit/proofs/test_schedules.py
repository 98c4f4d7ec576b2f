"""The judge of mail for later, and the plan of its races."""

import pytest

from loadtest.schedule_plan import KINDS, planned
from loadtest.schedules import Asked, Order, row, short

DUE = 100.0
CANCELLED = Asked("cancel", 90.0, 90.1, 200)
TOO_LATE = Asked("cancel", 100.0, 100.1, 409)
MOVED = Asked("reschedule", 95.0, 95.1, 200, 120.0)
BROUGHT_FORWARD = Asked("reschedule", 50.0, 50.1, 200, 30.0)
UNANSWERED = Asked("reschedule", 95.0, 105.0, 0, 120.0)


def judged(
    changes: tuple[Asked, ...], *sent: float, send_at_s: float = DUE, known: str = "a"
) -> list[str]:
    order = Order("a", send_at_s, 1.0, changes)
    found = row("case", [order], [(at, known) for at in sent], soon_s=10.0)
    return short(found, due=0, raced=False)


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        ((), (100.2,)),
        ((CANCELLED,), ()),
        ((CANCELLED, CANCELLED), ()),
        ((TOO_LATE,), (100.05,)),
        ((MOVED,), (120.01,)),
        ((BROUGHT_FORWARD,), (50.2,)),
        ((Asked("reschedule", 95.0, 95.1, 200, 96.0),), (100.1,)),
        ((MOVED, Asked("reschedule", 96.0, 96.1, 200, 98.0)), (98.3,)),
        ((UNANSWERED,), (100.1,)),
        ((UNANSWERED,), (120.1,)),
        ((Asked("cancel", 95.0, 99.0, 0),), ()),
        ((Asked("cancel", 95.0, 99.0, 0),), (100.1,)),
    ],
)
def test_what_the_owner_was_told_is_what_happens(
    changes: tuple[Asked, ...], sent: tuple[float, ...]
) -> None:
    assert [one for one in judged(changes, *sent) if "late by None" not in one] == []


@pytest.mark.parametrize(
    ("changes", "sent", "fault"),
    [
        ((), (), "1 lost"),
        ((), (100.1, 100.2), "1 doubled"),
        ((), (99.9,), "1 early"),
        ((CANCELLED,), (100.1,), "1 cancelled_sent"),
        ((CANCELLED,), (80.0,), "1 cancelled_sent"),
        ((TOO_LATE,), (), "1 lost"),
        ((MOVED,), (100.1,), "1 early"),
        ((MOVED,), (), "1 lost"),
        ((Asked("cancel", 90.0, 90.1, 409),), (100.1,), "1 untrue"),
        ((), (101.5,), "late by 1500.0 ms (p95)"),
        ((BROUGHT_FORWARD,), (100.1,), "late by 50000.0 ms (p95) at short notice"),
        ((MOVED,), (121.1,), "late by 1100.0 ms (p95)"),
        ((UNANSWERED,), (99.0,), "1 early"),
    ],
)
def test_what_must_not_be_is_told(
    changes: tuple[Asked, ...], sent: tuple[float, ...], fault: str
) -> None:
    assert f"case: {fault}" in judged(changes, *sent)


def test_a_mail_that_nobody_ordered_is_told() -> None:
    assert "case: 1 unexpected" in judged((), 100.1, known="b")


def test_a_run_without_races_proves_nothing() -> None:
    found = row("case", [Order("a", DUE, 1.0)], [(DUE, "a")])
    assert short(found, due=2) == [
        "case: only 1 were due; 2 are needed",
        *(f"case: only 0 {kind}: nothing raced" for kind in ("cancelled", "conflicts", "moved")),
    ]


def test_a_plan_comes_from_its_seed_and_tells_every_story() -> None:
    one = planned(7, 500, per_s=100, first_s=10, ahead_s=(1, 5))
    assert one == planned(7, 500, per_s=100, first_s=10, ahead_s=(1, 5))
    assert one != planned(8, 500, per_s=100, first_s=10, ahead_s=(1, 5))
    assert [mail.due_s for mail in one] == [10 + number / 100 for number in range(500)]
    assert all(0 < mail.due_s - mail.born_s <= 5 for mail in one)
    assert all(change.at_s >= mail.born_s for mail in one for change in mail.changes)
    shapes = {tuple(change.what for change in mail.changes) for mail in one}
    assert len(shapes) == len(KINDS) - 1  # "later" and "earlier" differ in their times only
