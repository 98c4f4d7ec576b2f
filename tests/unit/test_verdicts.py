"""The sender's decisions about what it cannot read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mailpipe.messages import EmailMessage
from mailpipe.outcomes import Dead
from mailpipe.parking import WAITS_AT_MOST_S
from mailpipe.status import EXPIRED
from mailpipe.times import Times, times_of
from sender.verdicts import expired, last_ms, overdue, read, unreadable


@pytest.mark.parametrize("body", ['{"type":"email.v2"}', '{"a":1, "type" : "email.v17"}'])
def test_a_newer_version_says_so_and_can_be_put_back(body: str) -> None:
    assert unreadable(body, ValueError("x")).startswith("version: email.v")


@pytest.mark.parametrize("body", ["", "{}", '{"type":"email.v1"}', '{"type":"webhook.v2"}'])
def test_anything_else_is_unparseable_with_the_cause(body: str) -> None:
    assert unreadable(body, ValueError("why")) == "unparseable: why"


GOOD = (
    '{"type":"email.v1","emailId":"e1","tenant":"t","stream":"bulk",'
    '"queuedAt":"2026-11-24T10:00:00Z","email":{"to":["bob@example.com"],'
    '"from":"b@example.com","subject":"Hi","bodyText":"x"}}'
)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"e1"', '"e1\\n"', "emailId is 1 to 64"),
        ('"t"', '"t\\n"', "tenant is 1 to 64"),
        ('"bulk"', '"bob@example.com"', "Invalid enum value - at `$.stream`"),
        ('"bulk"', '"it\'s bob@example.com - at `$`"', "Invalid enum value - at `$.stream`"),
        ('"email.v1"', '"bob@example.com"', "Invalid value - at `$.type`"),
        ("2026-11-24T10:00:00Z", "bob@example.com", "Invalid isoformat string:"),
        ("2026-11-24T10:00:00Z", "2026-11-24", "no time zone in"),
        ('["bob@example.com"]', '{"bob@example.com":1}', "Expected `array`, got `object`"),
        ('"e1",', '"e1"', "JSON is malformed"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_place_and_not_by_its_value(
    old: str, new: str, reason: str
) -> None:
    assert isinstance(read(GOOD), EmailMessage)
    dead = read(GOOD.replace(old, new, 1))
    assert isinstance(dead, Dead)
    assert dead.reason.startswith(f"unparseable: {reason}")
    assert "bob" not in dead.reason


def test_no_mail_waits_longer_than_what_it_is_made_of_is_kept() -> None:
    message = read(GOOD)
    assert isinstance(message, EmailMessage)
    times = times_of(message)
    last_ms = times.due_ms + WAITS_AT_MOST_S * 1000
    assert overdue(times, now_ms=last_ms) is None
    assert overdue(times, now_ms=last_ms + 1) == (
        EXPIRED,
        "not sent within 27 days of 2026-11-24T10:00:00.000Z, pauses included",
    )


LATER = Times(accepted_ms=0, send_at_ms=1_000_000_000, expires_at_ms=None)


def test_a_scheduled_mail_expires_so_long_after_it_was_due() -> None:
    last_ms = 1_000_000_000 + 3_000
    assert expired(LATER, now_ms=last_ms, expire_after_s=3) is None
    ended = expired(LATER, now_ms=last_ms + 1, expire_after_s=3)
    assert ended == (EXPIRED, "not sent within 3 s of 1970-01-12T13:46:40.000Z")


def test_its_own_expiry_stands_in_place_of_the_usual_one_and_stops_it_wherever_it_waits() -> None:
    times = replace(LATER, expires_at_ms=1_000_010_000)
    assert expired(times, now_ms=1_000_009_999, expire_after_s=3) is None
    for look in (
        overdue(times, now_ms=1_000_010_000),
        expired(times, now_ms=1_000_010_000, expire_after_s=30),
    ):
        assert look == (EXPIRED, "not sent before its expiresAt, 1970-01-12T13:46:50.000Z")


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 60))
def test_no_send_begins_after_the_expiry_nor_outlasts_its_lease(
    lease_until_ms: int, expires_at_ms: int, send_s: float
) -> None:
    times = replace(LATER, expires_at_ms=expires_at_ms)
    until_ms = last_ms(lease_until_ms, times, send_s=send_s)
    assert until_ms <= lease_until_ms
    assert until_ms - send_s * 1000 <= expires_at_ms
    assert last_ms(lease_until_ms, LATER, send_s=send_s) == lease_until_ms
