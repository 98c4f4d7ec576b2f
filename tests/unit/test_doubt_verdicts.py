"""What becomes of a mail in doubt: all of the table."""

import itertools
from typing import Literal

import msgspec
import pytest

from mailpipe.status import EXPIRED
from sender.claims import Doubtful
from sender.verdicts import DOUBTS_AT_MOST, Patience, Resend, Unknown, Verdict, Wait, of_doubt
from tests.unit.test_claims import FRESH, NOW

PATIENCE = Patience(every_ms=30_000, most_ms=3_600_000)
BEFORE, AT, AFTER = NOW - 1, NOW, NOW + 1
LAST = NOW + PATIENCE.most_ms


def told(
    policy: Literal["resend", "unknown"] = "resend",
    *,
    at: int = AFTER,
    missing: str | None = None,
    doubts: int = 0,
    expired: bool = False,
) -> Verdict:
    """The verdict on a mail that is to be looked at `NOW`."""
    record = msgspec.structs.replace(FRESH, doubts=doubts, attempt=doubts + 1)
    ending = (EXPIRED, "too old") if expired else None
    return of_doubt(
        Doubtful(record, NOW),
        policy,
        missing=missing,
        ending=ending,
        now_ms=at,
        patience=PATIENCE,
    )


def test_every_combination_has_the_verdict_that_its_owner_wants() -> None:
    policies: tuple[Literal["resend", "unknown"], ...] = ("resend", "unknown")
    moments = (BEFORE, AT, AFTER, LAST - 1, LAST)
    for policy, at, missing, doubts, expired in itertools.product(
        policies, moments, (None, "a reason"), range(4), (False, True)
    ):
        verdict = told(policy, at=at, missing=missing, doubts=doubts, expired=expired)
        decided = at > NOW and (missing is None or at >= LAST)
        again = decided and policy == "resend" and doubts < 2 and not expired
        assert isinstance(verdict, Wait) == (not decided)
        assert isinstance(verdict, Resend) == again


@pytest.mark.parametrize("at", [BEFORE, AT])
def test_within_the_grace_it_waits_for_its_end(at: int) -> None:
    assert told(at=at) == Wait(AFTER)


def test_then_it_is_looked_at_again_and_again() -> None:
    assert told(at=NOW + 5_000, missing="x") == Wait(NOW + 35_000)


def test_the_reason_says_what_happened() -> None:
    proved, unproved = told("unknown"), told("unknown", at=LAST, missing="older events are in hand")
    assert isinstance(proved, Unknown)
    assert proved.reason == "the answer to send number 1 was lost, and no event proves it"
    assert isinstance(unproved, Unknown)
    assert unproved.reason.endswith("no event proves it, but older events are in hand")
    expired = told(expired=True)
    assert isinstance(expired, Unknown)
    assert expired.reason == "expired after a send in doubt: too old"


def test_no_mail_is_in_doubt_more_often_than_said() -> None:
    verdicts = [told(doubts=number) for number in range(DOUBTS_AT_MOST)]
    assert [type(one) for one in verdicts] == [Resend, Resend, Unknown]
