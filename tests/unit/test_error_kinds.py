"""What each code of AWS means: the five classes, as a table."""

import pytest

from mailpipe.aws import errors
from mailpipe.outcomes import Kind

KINDS = {
    Kind.REFUSED: {
        ("MessageRejected", 400),
        ("BadRequestException", 400),
        ("ValidationException", 400),
        ("InvalidParameterValue", 400),
        ("ConditionalCheckFailedException", 400),
        ("RequestEntityTooLargeException", 413),
        ("413", 413),
    },
    Kind.THROTTLED: {
        ("TooManyRequestsException", 429),
        ("ThrottlingException", 400),
        ("LimitExceededException", 400),
        ("ProvisionedThroughputExceededException", 400),
        ("RequestThrottled", 403),
        ("TransactionConflictException", 400),
        ("SlowDown", 503),
        ("429", 429),
        ("Throttling", 400),
        ("ThrottledException", 400),
    },
    Kind.NOTHING_HAPPENED: {
        ("ExpiredTokenException", 403),
        ("InvalidSignatureException", 403),
        ("RequestTimeout", 400),
        ("RequestTimeoutException", 408),
        ("408", 408),
        ("SignatureDoesNotMatch", 403),
        ("RequestExpired", 400),
        ("ExpiredToken", 400),
    },
    Kind.IN_DOUBT: {
        ("InternalFailure", 500),
        ("InternalServiceErrorException", 500),
        ("ServiceUnavailable", 503),
        ("502", 502),
        ("504", 504),
        ("InternalFailure", 400),
        ("RequestAbortedException", 400),
    },
    Kind.CONFIGURATION: {
        ("AccountSuspendedException", 400),
        ("SendingPausedException", 400),
        ("MailFromDomainNotVerifiedException", 400),
        ("NotFoundException", 404),
        ("AccessDeniedException", 403),
        ("UnrecognizedClientException", 403),
        ("ResourceNotFoundException", 400),
        ("KmsAccessDenied", 400),
        ("AWS.SimpleQueueService.NonExistentQueue", 400),
        ("IncompleteSignature", 403),
        ("UnknownOperationException", 404),
        ("NoSuchBucket", 404),
        ("PermanentRedirect", 301),
        ("301", 301),
        ("403", 403),
        ("MissingAuthenticationToken", 403),
        ("InvalidClientTokenId", 403),
    },
}


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [(kind, code, status) for kind, rows in KINDS.items() for code, status in sorted(rows)],
)
def test_a_code_has_its_kind(kind: Kind, code: str, status: int) -> None:
    assert errors.answered("SendEmail", code, "", status).kind is kind


def test_an_identity_that_is_not_verified_is_no_fault_of_the_mail() -> None:
    text = "Email address is not verified. The following identities failed: a@example.com"
    failed = errors.answered("SendEmail", "MessageRejected", text, 400)
    assert failed.kind is Kind.CONFIGURATION
    assert "a@example.com" not in failed.text


@pytest.mark.parametrize(
    ("reasons", "kind"),
    [
        (["ConditionalCheckFailed"], Kind.REFUSED),
        (["ThrottlingError", "ConditionalCheckFailed"], Kind.THROTTLED),
        (["TransactionConflict"], Kind.THROTTLED),
    ],
)
def test_a_cancelled_transaction_is_what_its_members_met(reasons: list[str], kind: Kind) -> None:
    code = "TransactionCanceledException"
    assert errors.answered("TransactWriteItems", code, "", 400, reasons=reasons).kind is kind


@pytest.mark.parametrize(
    ("code", "sender_fault", "kind"),
    [
        ("ReceiptHandleIsInvalid", True, Kind.REFUSED),
        ("InternalError", False, Kind.IN_DOUBT),
        ("RequestThrottled", True, Kind.THROTTLED),
    ],
)
def test_an_entry_of_a_batch_says_whose_fault_it_is(
    code: str, kind: Kind, *, sender_fault: bool
) -> None:
    assert errors.entry_failed("x", code, "", sender_fault=sender_fault).kind is kind
