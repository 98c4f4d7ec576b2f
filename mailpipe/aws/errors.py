"""What AWS's error codes mean. The only place where vendor codes are looked at.

Codes are from the API references of SES v2, SQS and DynamoDB ("Common Errors" included) and from
the SES Developer Guide, "Amazon SES sending errors", which warns that a time-out or a 5xx can come
after the message was accepted.
"""

from mailpipe.outcomes import Kind

_THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottlingError",
        "TooManyRequestsException",
        "RequestThrottled",
        "RequestLimitExceeded",
        "ProvisionedThroughputExceededException",
        "ProvisionedThroughputExceeded",
        "SlowDown",
        "OverLimit",
        "KmsThrottled",
    }
)
_NOTHING_HAPPENED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "RequestTimeoutException",
    }
)
_CONFIGURATION = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AccountSuspendedException",
        "InvalidClientTokenId",
        "MailFromDomainNotVerifiedException",
        "MissingAuthenticationTokenException",
        "NotFoundException",
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
        "ResourceNotFound",
        "ResourceNotFoundException",
        "SendingPausedException",
        "UnrecognizedClientException",
    }
)


def classify(code: str, text: str, http_status: int) -> Kind:
    """The kind of an error that AWS answered.

    `LimitExceededException` is SES's daily quota (retried later like a throttle). An unverified
    identity comes as `MessageRejected`, like a bad message: only the text tells them apart.
    """
    if code in _THROTTLED or code == "LimitExceededException" or http_status == 429:
        return Kind.THROTTLED
    if code in _CONFIGURATION or (code == "MessageRejected" and "not verified" in text):
        return Kind.CONFIGURATION
    if code in _NOTHING_HAPPENED or http_status == 408:
        return Kind.NOTHING_HAPPENED
    if http_status >= 500:
        return Kind.IN_DOUBT
    return Kind.REFUSED
