"""The sender's decisions about what it cannot read."""

import pytest

from mailpipe.messages import EmailMessage
from mailpipe.outcomes import Dead
from mailpipe.parking import WAITS_AT_MOST_S
from mailpipe.status import EXPIRED
from mailpipe.timing import parse_iso
from sender.verdicts import overdue, read, unreadable


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
    last_ms = parse_iso(message.queued_at) + WAITS_AT_MOST_S * 1000
    assert overdue(message, now_ms=last_ms) is None
    assert overdue(message, now_ms=last_ms + 1) == (
        EXPIRED,
        "not sent within 27 days of 2026-11-24T10:00:00Z, pauses included",
    )
