"""What AWS's error codes mean. The only place where vendor codes are looked at.

Codes are from the API references of SES v2, SQS, DynamoDB ("Common Errors" included) and S3 ("Error
responses"), and from the SES Developer Guide, "Amazon SES sending errors", which warns that a
time-out or a 5xx can come after the message was accepted.
"""

import re
from collections.abc import Sequence

from mailpipe.aws.dynamodb_operations import Item
from mailpipe.outcomes import MISSED, CallFailed, Kind
from mailpipe.texts import without_addresses

_THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottlingError",
        "TooManyRequestsException",
        "RequestThrottled",
        "RequestThrottledException",
        "ThrottledException",
        "RequestLimitExceeded",
        "ProvisionedThroughputExceededException",
        "ProvisionedThroughputExceeded",
        "SlowDown",
        "OverLimit",
        "KmsThrottled",
        "LimitExceededException",  # SES's daily quota: later, like a throttle
        "TransactionConflict",  # another write was under way
        "TransactionConflictException",
    }
)
CLOCK_CODES = frozenset(
    {
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "RequestExpired",
        "RequestInTheFuture",
        "RequestTimeTooSkewed",
    }
)
"""What a wrong clock of ours may cause."""
_IN_DOUBT = frozenset(
    {
        "RequestAbortedException",  # before a reply was sent; what happened is not said
        "InternalFailure",
        "InternalServerError",
        "ServiceUnavailable",
        "ServiceUnavailableException",
    }
)
_NOTHING_HAPPENED = CLOCK_CODES | {
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestTimeout",  # S3 waited in vain for the rest of a request
    "RequestTimeoutException",
}
_CONFIGURATION = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AccountSuspendedException",
        "AllAccessDisabled",
        "AuthorizationHeaderMalformed",  # S3: the bucket is in another region
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "KmsAccessDenied",
        "KmsDisabled",
        "KmsInvalidKeyUsage",
        "KmsInvalidState",
        "KmsNotFound",
        "KmsOptInRequired",
        "MailFromDomainNotVerifiedException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NoSuchBucket",
        "NotAuthorized",
        "NotAuthorizedException",
        "NotFoundException",
        "OptInRequired",
        "PermanentRedirect",
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
        "ResourceNotFound",
        "ResourceNotFoundException",
        "SendingPausedException",
        "UnknownOperationException",
        "UnrecognizedClientException",
    }
)


_FAILED_IDENTITIES = re.compile(r"following identities failed the check[^:]*:\s*(.+)")
_SES_RESOURCE = re.compile(
    r"arn:[\w-]+:ses:[^:\s]*:[^:\s]*:(?:identity|configuration-set)/([^\s,'\"]+)"
)
_SET = re.compile(r"[Cc]onfiguration set <?([A-Za-z0-9_-]{1,64})")


def classify(code: str, text: str, http_status: int) -> Kind:
    """The kind of an error that AWS answered.

    An unverified identity comes as `MessageRejected`, like a bad message: only the text tells them
    apart. An answer without a code is not AWS's: a proxy or a wrong endpoint, which fails no mail
    for good, unless it is too large.
    """
    if code in _THROTTLED or http_status == 429:
        return Kind.THROTTLED
    if code in _CONFIGURATION or (code == "MessageRejected" and "not verified" in text):
        return Kind.CONFIGURATION
    if code in _NOTHING_HAPPENED or http_status == 408:
        return Kind.NOTHING_HAPPENED
    if code in _IN_DOUBT or http_status >= 500:
        return Kind.IN_DOUBT
    if http_status == 413:
        return Kind.REFUSED  # whoever says so: it will not get smaller
    return Kind.CONFIGURATION if code == str(http_status) else Kind.REFUSED


def answered(
    operation: str,
    code: str,
    text: str,
    http_status: int,
    *,
    item: Item | None = None,
    reasons: Sequence[str] = (),
) -> CallFailed:
    """An error that AWS answered. `reasons` are the codes of a cancelled transaction's members:
    one that met a throttle or another write may be tried again, one whose condition failed not.
    """
    kind = classify(code, text, http_status)
    if kind is Kind.REFUSED and any(classify(one, "", 400) is Kind.THROTTLED for one in reasons):
        kind = Kind.THROTTLED
    failure = CallFailed(kind, code, _fit_for_logs(code, text), operation=operation)
    failure.item = item
    failure.reasons = tuple(reasons)
    failure.named = _named(text)
    return failure


def _named(text: str) -> tuple[str, ...]:
    """The identities or the configuration set that an answer of SES is about; none in most."""
    if found := _FAILED_IDENTITIES.search(text):
        listed = [one.strip().rstrip(".") for one in found[1].split(",")]
        return tuple(_SES_RESOURCE.sub(r"\1", one) for one in listed if one)
    if resources := _SES_RESOURCE.findall(text):
        return tuple(resources)
    return tuple(_SET.findall(text))


def entry_failed(operation: str, code: str, text: str, *, sender_fault: bool) -> CallFailed:
    """One entry of an SQS batch: SQS itself says whose fault it is."""
    kind = classify(code, text, 400 if sender_fault else 500)
    return CallFailed(kind, code, _fit_for_logs(code, text), operation=operation)


def statement_failed(code: str, text: str) -> CallFailed:
    """One statement of a batch that was answered with 200: it carries no HTTP status of its own."""
    kind = classify(code, text, 400)
    name = "BatchExecuteStatement"
    return CallFailed(kind, code, _fit_for_logs(code, text), operation=name)


def no_fate(operation: str) -> CallFailed:
    """SQS named an entry neither as stored nor as failed."""
    return CallFailed(Kind.IN_DOUBT, "NoFate", operation=operation)


def damaged(operation: str) -> CallFailed:
    """SQS has stored another body than was sent."""
    return CallFailed(Kind.IN_DOUBT, "MD5Mismatch", operation=operation)


def left_over() -> CallFailed:
    """A key that BatchGetItem did not come to."""
    return CallFailed(Kind.THROTTLED, "UnprocessedKeys", operation="BatchGetItem")


def missed(operation: str) -> CallFailed:
    """The caller's gate stayed shut: nothing has left this process."""
    return CallFailed(Kind.NOTHING_HAPPENED, MISSED, operation=operation)


def unsent(operation: str, error: BaseException) -> CallFailed:
    """No connection came about: nothing happened."""
    return _broken(Kind.NOTHING_HAPPENED, operation, error)


def in_doubt(operation: str, error: BaseException) -> CallFailed:
    """The request may have arrived: time-out, reset, an answer that cannot be read."""
    return _broken(Kind.IN_DOUBT, operation, error)


def _broken(kind: Kind, operation: str, error: BaseException) -> CallFailed:
    name = type(error).__name__
    return CallFailed(kind, name, _fit_for_logs(name, str(error)), operation=operation)


def _fit_for_logs(code: str, text: str) -> str:
    """SES names addresses in its refusals, and a bad signature's text repeats the session token."""
    if code in CLOCK_CODES:
        return "check the clock and the credentials of this machine"
    return without_addresses(text)
