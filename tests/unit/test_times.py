"""When mail goes and when it is too late."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpipe import records
from mailpipe.messages import Email, EmailMessage
from mailpipe.status import SCHEDULED
from mailpipe.times import DAY_MS, Times, born_as, faults, strict_ms, times_of
from mailpipe.timing import iso

NOW_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
HOUR_MS = 3_600_000

OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=OFFSETS)  # noqa: DTZ001 - hypothesis adds the zone


def message(**changes: str) -> EmailMessage:
    """A mail that was accepted at NOW_MS."""
    email = Email(to=["a@example.com"], from_="b@example.com", subject="s", body_text="t")
    return EmailMessage(
        email_id="e",
        tenant="t",
        stream="bulk",
        queued_at=iso(NOW_MS),
        email=msgspec.structs.replace(email, **changes),
    )


def found(**changes: str) -> tuple[str, str] | None:
    """The first broken rule of such a mail."""
    fault = next(faults(message(**changes).email, NOW_MS), None)
    return fault and fault[:2]


@given(MOMENTS, st.booleans())
def test_every_time_of_rfc_3339_is_read_exactly(moment: datetime, lower: bool) -> None:
    text = moment.isoformat()
    whole = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert strict_ms(text.lower() if lower else text) == whole


@given(st.text(max_size=40) | st.from_regex(r"\A[0-9T:.Zz+ -]{10,30}\Z"))
def test_whatever_else_is_no_time_and_nothing_worse(text: str) -> None:
    try:
        at_ms = strict_ms(text)
    except ValueError:
        return
    assert strict_ms(iso(at_ms)) == at_ms


@pytest.mark.parametrize(
    "text",
    [
        *("2026-02-30T10:00:00Z", "2026-11-24T24:00:00Z", "2026-11-24T10:60:00Z"),
        *("2026-11-24T10:00:00", "2026-11-24T10:00:00+2400", "2026-11-24T10:00:00+01"),
        *("2026-11-24T10:00:00+24:00", "2026-11-24T10:00:00+01:60", "2026-11-24 10:00:00Z"),
        *("20261124T100000Z", "2026-W48-2T10:00:00Z", "2026-11-24", "2026-11-24T10:00Z", "0"),
        *("0000-01-01T00:00:00Z", "2026-11-24T10:00:00.Z", "2026-11-24T10:00:00,5Z", ""),
        *("\u0662026-11-24T10:00:00Z", "2026-11-24T10:00:00Z\n", "2026-11-24T10:00:60Z"),
        "2026-11-24T10:00:00." + "0" * 60 + "Z",
    ],
)
def test_what_is_no_such_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|second|month|hour|minute|day|range|isoformat|year"):
        strict_ms(text)
    assert found(send_at=text) == ("sendAt", "time")
    assert found(expires_at=text) == ("expiresAt", "time")


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-11-24t10:00:00z", "2026-11-24T10:00:00Z"),
        ("2026-11-24T10:00:00-00:00", "2026-11-24T10:00:00Z"),
        ("2026-11-24T12:30:00+02:30", "2026-11-24T10:00:00Z"),
        ("2026-11-24T10:00:00.123999999Z", "2026-11-24T10:00:00.123Z"),
        ("2026-11-24T10:00:00.5Z", "2026-11-24T10:00:00.500Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T15:59:60.7-08:00", "2017-01-01T00:00:00Z"),
    ],
)
def test_one_instant_may_be_written_in_several_ways(text: str, same: str) -> None:
    assert strict_ms(text) == strict_ms(same)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"send_at": iso(NOW_MS - 1)}, None),
        ({"send_at": iso(NOW_MS + 366 * DAY_MS)}, None),
        ({"send_at": iso(NOW_MS + 366 * DAY_MS + 1)}, ("sendAt", "too_far")),
        ({"expires_at": iso(NOW_MS)}, ("expiresAt", "too_early")),
        ({"expires_at": iso(NOW_MS + 1)}, None),
        ({"expires_at": iso(NOW_MS + 27 * DAY_MS)}, None),
        ({"expires_at": iso(NOW_MS + 27 * DAY_MS + 1)}, ("expiresAt", "too_far")),
        (
            {"send_at": iso(NOW_MS + HOUR_MS), "expires_at": iso(NOW_MS + HOUR_MS)},
            ("expiresAt", "too_early"),
        ),
        (
            {"send_at": iso(NOW_MS + 300 * DAY_MS), "expires_at": iso(NOW_MS + 327 * DAY_MS)},
            None,
        ),
        ({"send_at": iso(NOW_MS - DAY_MS), "expires_at": iso(NOW_MS + 27 * DAY_MS)}, None),
        ({"send_at": "soon", "expires_at": iso(NOW_MS + HOUR_MS)}, ("sendAt", "time")),
    ],
)
def test_the_limits_count_from_acceptance_and_from_send_at(
    changes: dict[str, str], fault: tuple[str, str] | None
) -> None:
    assert found(**changes) == fault


def test_a_record_keeps_the_times_and_is_born_scheduled() -> None:
    later, end = NOW_MS + HOUR_MS, NOW_MS + 2 * HOUR_MS
    one = message(send_at=iso(later), expires_at=iso(end))
    fields = records.fields_of(one)
    assert (fields.send_at, fields.expires_at) == (later, end)
    born = records.USUAL | records.born("e", "t", fields)
    assert (born["status"], born["rank"], born["sendAt"]) == ("scheduled", SCHEDULED.rank, later)
    assert born_as(one) == SCHEDULED


@pytest.mark.parametrize("send_at", ["9999-12-31T23:59:59Z", "soon", "2026-02-30T00:00:00Z"])
def test_times_that_break_a_rule_are_none_so_that_the_mail_is_rejected_at_once(
    send_at: str,
) -> None:
    times = times_of(message(send_at=send_at, expires_at=iso(NOW_MS + HOUR_MS)))
    assert times == Times(NOW_MS, None, None)
    assert times.due_ms == NOW_MS
