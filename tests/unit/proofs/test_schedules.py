"""The judge of mail for later, and the plan of its races."""

import pytest

from loadtest.schedule_cases import MOST_AGAIN, cases
from loadtest.schedule_minute import row_of
from loadtest.schedule_plan import KINDS, planned
from loadtest.schedules import Asked, Order, Terms, row, short
from mailpipe.resources import SHARDS

DUE = 100.0
CANCELLED = Asked("cancel", 90.0, 90.1, 200)
TOO_LATE = Asked("cancel", 100.0, 100.1, 409)
MOVED = Asked("reschedule", 95.0, 95.1, 200, 120.0)
BROUGHT_FORWARD = Asked("reschedule", 50.0, 50.1, 200, 30.0)
UNANSWERED = Asked("reschedule", 95.0, 105.0, 0, 120.0)
COME_AGAIN = Asked("cancel", 95.0, 95.1, 503)
NOTHING_RACED = Terms(raced=False)
EXPIRES = 130.0


def judged(
    changes: tuple[Asked, ...], *sent: float, send_at_s: float = DUE, known: str = "a"
) -> list[str]:
    order = Order("a", send_at_s, 1.0, changes)
    found = row("case", [order], [(at, known) for at in sent], soon_s=10.0)
    return short(found, NOTHING_RACED)


def of_expiring(*sent: float, told: str = "", kills: int = 0) -> list[str]:
    order = Order("a", DUE, 1.0, expires_s=EXPIRES)
    ended = {"a": {told}} if told else {}
    found = row("case", [order], [(at, "a") for at in sent], ended=ended, kills=kills)
    return short(found, NOTHING_RACED._replace(late_ms=None, kills=kills))


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
        ((COME_AGAIN,), ()),
        ((COME_AGAIN,), (100.1,)),
        ((COME_AGAIN, CANCELLED), ()),
        ((COME_AGAIN, TOO_LATE), (100.1,)),
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
        ((COME_AGAIN, CANCELLED), (100.1,), "1 cancelled_sent"),
        ((COME_AGAIN, TOO_LATE), (), "1 lost"),
        ((Asked("reschedule", 95.0, 95.1, 503, 120.0),), (), "1 lost"),
        ((Asked("cancel", 95.0, 155.0, 404),), (), "1 lost"),
        *(
            ((Asked(what, 95.0, 95.1, status, 120.0),), (120.1,), "1 refused")
            for what in ("cancel", "reschedule")
            for status in (400, 404, 429, 500)
        ),
    ],
)
def test_what_must_not_be_is_told(
    changes: tuple[Asked, ...], sent: tuple[float, ...], fault: str
) -> None:
    assert f"case: {fault}" in judged(changes, *sent)


def test_a_mail_that_nobody_ordered_is_told() -> None:
    assert "case: 1 unexpected" in judged((), 100.1, known="b")


def test_a_run_in_which_nothing_happened_proves_nothing() -> None:
    found = row("case", [Order("a", DUE, 1.0)], [(DUE, "a")], kills=1)
    assert short(found, Terms(due=2, kills=2, expires=True)) == [
        "case: only 1 were due; 2 are needed",
        "case: only 1 kills; 2 are needed",
        "case: nothing expired",
        *(f"case: only 0 {kind}: nothing raced" for kind in ("cancelled", "conflicts", "moved")),
    ]


def test_what_expires_is_sent_before_or_told_and_not_both() -> None:
    assert of_expiring(100.1) == []
    assert of_expiring(EXPIRES + 0.5) == []
    assert of_expiring(told="expired") == []
    assert of_expiring(told="unknown", kills=1) == []
    assert of_expiring(100.1, told="unknown", kills=1) == []
    assert of_expiring() == ["case: 1 lost"]
    assert of_expiring(told="scheduled") == ["case: 1 lost"]
    assert of_expiring(told="unknown") == ["case: 1 unknown"]
    assert of_expiring(EXPIRES + 1.5) == ["case: 1 stale"]
    assert of_expiring(100.1, told="expired") == ["case: 1 denied"]
    assert of_expiring(100.1, EXPIRES + 1.5, kills=1) == ["case: 1 doubled", "case: 1 stale"]


def test_only_mail_that_can_expire_may_be_told_to_have_expired() -> None:
    found = row("case", [Order("a", DUE, 1.0)], [], ended={"a": {"expired"}})
    assert "case: 1 lost" in short(found, NOTHING_RACED)


@pytest.mark.parametrize(("count", "faults"), [(5, []), (6, ["case: 6 of 20 expired"])])
def test_where_nothing_is_late_little_expires(count: int, faults: list[str]) -> None:
    orders = [Order(f"m{n}", DUE, 1.0, expires_s=EXPIRES) for n in range(20)]
    sent = [(DUE, one.email_id) for one in orders[count:]]
    ended = {one.email_id: {"expired"} for one in orders[:count]}
    assert short(row("case", orders, sent, ended=ended), NOTHING_RACED) == faults


@pytest.mark.parametrize("status", [503, 0])
def test_a_door_that_leaves_half_of_the_changes_open_is_found(status: int) -> None:
    changes = [Asked("cancel", 90.0, 90.1, 200 if n % 2 else status) for n in range(100)]
    orders = [Order(f"m{n}", DUE, 1.0, (one,)) for n, one in enumerate(changes)]
    terms = NOTHING_RACED._replace(late_ms=None)
    assert short(row("case", orders, []), terms) == ["case: 50 of 100 changes without an answer"]
    few = [one._replace(changes=(CANCELLED,)) for one in orders[:95]] + [
        one._replace(changes=(Asked("cancel", 90.0, 90.1, status),)) for one in orders[95:]
    ]
    assert short(row("case", few, []), terms) == []


def test_under_kills_mail_may_be_late_but_not_for_ever() -> None:
    found = row("case", [Order("a", DUE, 1.0)], [(DUE + 9, "a")], kills=1)
    terms = Terms(raced=False, kills=1, late_ms=10_000)
    assert short(found, terms) == []
    assert short(found, terms._replace(late_ms=8_000)) == ["case: late by 9000.0 ms (p95)"]


@pytest.mark.parametrize(
    ("received", "faults"),
    [
        ([(99.2, "a")], []),
        ([(100.4, "a")], []),
        ([(100.4, "a"), (100.5, "a")], []),
        ([(70.0, "a")], ["1 early"]),
        ([(100.4, "a"), (70.0, "a")], ["1 early"]),
        ([(98.9, "a")], ["1 early"]),
        ([(102.0, "a")], ["late by 2000.0 ms (p95)"]),
        ([(100.4, "a")] * 4, ["3 sent again"]),
        ([], ["1 lost", "late by None ms (p95)"]),
        ([(100.0, "a"), (100.0, "b")], ["1 unexpected"]),
    ],
)
def test_what_is_only_released_comes_in_its_last_second_and_seldom_twice(
    received: list[tuple[float, str]], faults: list[str]
) -> None:
    found = row_of("case", {"a": DUE}, received)
    assert short(found, Terms(raced=False, again=2)) == [f"case: {one}" for one in faults]


def test_each_case_says_what_it_has_to_show() -> None:
    terms = {one.name: one.terms for one in cases(small=False, seed=1, plant="")}
    assert terms["holder dies"].kills == 3
    assert terms["late inserts"].expires
    assert terms["a minute of 100,000"].again == MOST_AGAIN == 100 * SHARDS
    assert [one.late_ms for one in terms.values()] == [1000, None, 1000, 1000]


def test_a_plan_comes_from_its_seed_and_tells_every_story() -> None:
    one = planned(7, 500, per_s=100, first_s=10, ahead_s=(1, 5))
    assert one == planned(7, 500, per_s=100, first_s=10, ahead_s=(1, 5))
    assert one != planned(8, 500, per_s=100, first_s=10, ahead_s=(1, 5))
    assert [mail.due_s for mail in one] == [10 + number / 100 for number in range(500)]
    assert all(0 < mail.due_s - mail.born_s <= 5 for mail in one)
    assert all(change.at_s >= mail.born_s for mail in one for change in mail.changes)
    shapes = {tuple(change.what for change in mail.changes) for mail in one}
    # "later" and "earlier" differ in their times only, "plain" and "expires" in none.
    assert len(shapes) == len(KINDS) - 2
    expiring = [mail for mail in one if mail.expires_s is not None]
    assert 10 <= len(expiring) <= 60
    assert all(mail.due_s < (mail.expires_s or 0) and not mail.changes for mail in expiring)
