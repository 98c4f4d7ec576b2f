"""Which mail can still be cancelled or moved, for every form of record; and to which times."""

import itertools

import msgspec
import pytest

from mailpipe import records
from mailpipe.messages import RecordFields
from mailpipe.records import Record
from mailpipe.status import OURS, PENDING, SCHEDULED, SENT, TERMINAL_RANKS, UNKNOWN
from mailpipe.times import DAY_MS, SEND_AT_MOST_DAYS
from mailpipe.unsent import is_cancelled, misplaced, too_late

NOW = 1_700_000_000_000
FIELDS = RecordFields(stream="bulk", created_at=NOW, from_="a@example.com", to=["b@example.net"])
FREE = records.read(records.USUAL | records.born("e1", "default", FIELDS))


def record(**changes: object) -> Record:
    return msgspec.structs.replace(FREE, **changes)


def test_a_mail_is_free_while_it_is_open_and_was_never_claimed() -> None:
    ranks = (PENDING.rank, SCHEDULED.rank, UNKNOWN.rank, SENT.rank, *TERMINAL_RANKS)
    leases = (0, NOW - 1, NOW + 1)
    for rank, attempt, lease in itertools.product(ranks, (0, 1, 3), leases):
        late = too_late(record(rank=rank, attempt=attempt, lease_until=lease), now_ms=NOW)
        assert (late is None) == (rank < UNKNOWN.rank and attempt == 0 and lease == 0)
        assert late is None or late.ended == (rank >= UNKNOWN.rank)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"attempt": 1, "lease_until": NOW + 1}, "sending"),
        ({"attempt": 1, "lease_until": NOW - 1}, "pending"),
        ({"attempt": 1}, "pending"),
        ({"rank": 40, "status": "delivered", "attempt": 1}, "delivered"),
        ({"rank": 90, "status": "cancelled"}, "cancelled"),
    ],
)
def test_who_is_too_late_hears_where_the_mail_stands(
    changes: dict[str, object], status: str
) -> None:
    late = too_late(record(**changes), now_ms=NOW)
    assert late is not None
    assert late.status == status
    assert f" is {status}" in late.sentence


def test_only_a_cancelled_mail_is_cancelled_again() -> None:
    cancelled = [name for name, one in OURS.items() if is_cancelled(record(status=one.status))]
    assert cancelled == ["cancelled"]


@pytest.mark.parametrize(
    ("expires_at", "send_at", "fits"),
    [
        (None, 0, True),
        (None, NOW + SEND_AT_MOST_DAYS * DAY_MS, True),
        (None, NOW + SEND_AT_MOST_DAYS * DAY_MS + 1, False),
        (NOW + 10, NOW + 9, True),
        (NOW + 10, NOW + 10, False),
    ],
)
def test_a_new_time_is_within_a_year_and_before_the_mail_expires(
    expires_at: int | None, send_at: int, fits: bool
) -> None:
    violation = misplaced(record(expires_at=expires_at), send_at)
    assert (violation is None) == fits
    assert violation is None or (violation.field, violation.constraint) == ("sendAt", "too_far")
