"""What each answer of SES stops, and that it never stops other mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.ses import refusals
from mailpipe.aws import errors
from mailpipe.board import ACCOUNT
from mailpipe.messages import Email, EmailMessage
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.resources import CONFIGURATION_SET
from mailpipe.scopes import SET
from sender.scopes import Fault, fault_of, is_rate, scopes_of

ARN = "arn:aws:ses:us-east-1:000000000000"


def message(from_: str = "Shop <News@shop.example>", to: str = "Ana@example.net") -> EmailMessage:
    email = Email(to=[to], from_=from_, subject="Hi", body_text="Hello")
    return EmailMessage(
        email_id="e1",
        tenant="acme",
        stream="bulk",
        queued_at="2026-11-24T10:00:00Z",
        email=email,
    )


def failed(refusal: refusals.Refusal) -> CallFailed:
    """As our client reports it."""
    return errors.answered("SendEmail", refusal.code, refusal.text, refusal.status)


def denied(what: str) -> refusals.Refusal:
    text = f"User arn:aws:iam::1:role/x is not authorized to perform `ses:SendEmail' on `{what}'"
    return refusals.Refusal(403, "AccessDeniedException", text)


FROM = "identity#news@shop.example"
FROM_DOMAIN = "identity#shop.example"

ANSWERS = [
    (refusals.not_verified("r", "News@shop.example"), FROM, "identity_not_verified"),
    (refusals.not_verified("r", "Shop <news@SHOP.example>"), FROM, "identity_not_verified"),
    (refusals.not_verified("r", "shop.example"), FROM_DOMAIN, "identity_not_verified"),
    (refusals.not_verified("r", f"{ARN}:identity/shop.example"), FROM_DOMAIN, None),
    (refusals.not_verified("r", "example"), FROM_DOMAIN, "identity_not_verified"),
    (
        refusals.not_verified("r", "b@x.example", "ana@example.net"),
        "identity#ana@example.net",
        None,
    ),
    (
        refusals.not_verified("r", "ana@example.net", "news@shop.example"),
        FROM,
        "identity_not_verified",
    ),
    (refusals.mail_from_not_verified("shop.example"), FROM_DOMAIN, "mail_from_not_verified"),
    (refusals.no_such_set(CONFIGURATION_SET), SET, "set_missing"),
    (refusals.not_found("Template <t> does not exist."), SET, "set_missing"),
    (refusals.set_paused(CONFIGURATION_SET), SET, "set_paused"),
    (refusals.paused(), ACCOUNT, "account_paused"),
    (refusals.suspended(), ACCOUNT, "account_suspended"),
    (denied(f"{ARN}:identity/shop.example"), FROM_DOMAIN, "access_denied"),
    (denied(f"{ARN}:identity/news@shop.example"), FROM, "access_denied"),
    (denied(f"{ARN}:configuration-set/{CONFIGURATION_SET}"), SET, "access_denied"),
    (refusals.daily_quota(), ACCOUNT, "daily_quota"),
    (
        refusals.Refusal(400, "ThrottlingException", "Daily message quota exceeded."),
        ACCOUNT,
        "daily_quota",
    ),
    (refusals.Refusal(400, "LimitExceededException", ""), ACCOUNT, "daily_quota"),
]


@pytest.mark.parametrize(("refusal", "scope", "reason"), ANSWERS)
def test_an_answer_pauses_what_it_is_about(
    refusal: refusals.Refusal, scope: str, reason: str | None
) -> None:
    fault = fault_of(failed(refusal), message())
    assert fault is not None
    assert fault == Fault(scope, fault.reason if reason is None else reason)  # type: ignore[arg-type]
    assert scope in scopes_of(message())


@pytest.mark.parametrize(
    "refusal",
    [
        refusals.throttled(),
        refusals.api_rate(),
        refusals.Refusal(400, "ThrottlingException", "Maximum sending rate exceeded."),
        refusals.Refusal(400, "LimitExceededException", "Maximum sending rate exceeded."),
        refusals.Refusal(400, "Throttling", ""),
        refusals.bad("Missing final '@domain'"),
        refusals.Refusal(400, "MessageRejected", "The message holds a virus."),
        refusals.unavailable(503, None),
        refusals.internal(),
        refusals.too_large(),
        refusals.Refusal(403, "ExpiredTokenException", "x"),
        refusals.Refusal(403, "InvalidSignatureException", "x"),
        # Of this process alone: its role, its credentials, its endpoint.
        refusals.access_denied("SendEmail"),
        refusals.Refusal(403, "UnrecognizedClientException", "x"),
        refusals.Refusal(403, "InvalidClientTokenId", "x"),
        refusals.Refusal(404, "UnknownOperationException", "x"),
        refusals.Refusal(403, "403", ""),
    ],
)
def test_what_is_about_one_mail_or_one_process_pauses_nothing(refusal: refusals.Refusal) -> None:
    assert fault_of(failed(refusal), message()) is None


@pytest.mark.parametrize(
    ("refusal", "is_it"),
    [
        (refusals.throttled(), True),
        (refusals.Refusal(400, "Throttling", "Maximum sending rate exceeded."), True),
        (refusals.api_rate(), False),
        (refusals.daily_quota(), False),
        (refusals.Refusal(400, "MessageRejected", "maximum sending rate exceeded"), False),
    ],
)
def test_only_the_rate_slows_everybody_down(refusal: refusals.Refusal, is_it: bool) -> None:
    assert is_rate(failed(refusal)) is is_it


def test_no_address_that_ses_names_gets_into_what_is_logged() -> None:
    failure = failed(refusals.not_verified("r", "Ana <ana@example.net>", "bob@example.net"))
    assert failure.named == ("Ana <ana@example.net>", "bob@example.net")
    assert "@" not in f"{failure} {failure.text}"


def test_the_scopes_of_a_mail_and_of_no_other() -> None:
    assert scopes_of(message()) == (
        *(ACCOUNT, SET, "tenant#acme#bulk"),
        *(FROM, FROM_DOMAIN, "domain#shop.example", "identity#ana@example.net"),
    )
    assert not {FROM, FROM_DOMAIN} & {*scopes_of(message("b@other.example"))}


TEXTS = st.text(max_size=60) | st.sampled_from([one.text for one, _, _ in ANSWERS])
CODES = st.sampled_from(sorted({one.code for one, _, _ in ANSWERS} | {"Throttling", "500"}))
ADDRESSES = st.text(max_size=20) | st.sampled_from(["a@b.example", "A <a@b.example>", "@", ""])


@given(code=CODES, text=TEXTS, status=st.integers(400, 599), from_=ADDRESSES, to=ADDRESSES)
def test_what_is_paused_is_always_a_scope_of_the_mail_that_was_refused(
    code: str, text: str, status: int, from_: str, to: str
) -> None:
    one, failure = message(from_, to), errors.answered("SendEmail", code, text, status)
    fault = fault_of(failure, one)
    assert fault is None or fault.scope in scopes_of(one)
    if failure.kind in (Kind.REFUSED, Kind.IN_DOUBT):
        assert fault is None
