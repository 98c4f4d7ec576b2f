"""Errors in each service's own shape, so that every SDK reads them as AWS's. Pure.

DynamoDB Developer Guide, "Error handling with DynamoDB"; SQS API reference, "Common Errors" (code
in `x-amzn-query-error`); SNS API reference, "Common Errors" and S3 API reference, "Error
responses" (XML).
"""

from typing import NamedTuple

import msgspec

MESSAGE = "A fault on purpose."

_THROTTLES = {
    "dynamodb": (400, "ThrottlingException"),
    "sqs": (400, "RequestThrottled"),
    "sns": (400, "Throttled"),
    "s3": (503, "SlowDown"),
    "secretsmanager": (400, "ThrottlingException"),
}
_FAILURES = {"dynamodb": "InternalServerError", "s3": "InternalError"}
_TYPES = {"dynamodb": "com.amazonaws.dynamodb.v20120810#", "sqs": "com.amazonaws.sqs#"}


class Answer(NamedTuple):
    """An answer over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes


def throttled(service: str, code: str | None) -> Answer:
    """Too many calls."""
    status, usual = _THROTTLES.get(service, (400, "ThrottlingException"))
    return _error(service, status, code or usual)


def failed(service: str, status: int, code: str | None) -> Answer:
    """The service is not well."""
    return _error(service, status, code or _FAILURES.get(service, "InternalFailure"))


def _error(service: str, status: int, code: str) -> Answer:
    if service == "s3":
        xml = f"<Error><Code>{code}</Code><Message>{MESSAGE}</Message></Error>"
        return Answer(status, {"Content-Type": "application/xml"}, xml.encode())
    if service == "sns":
        fault = "Sender" if status < 500 else "Receiver"
        xml = (
            f"<ErrorResponse><Error><Type>{fault}</Type><Code>{code}</Code>"
            f"<Message>{MESSAGE}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
        )
        return Answer(status, {"Content-Type": "text/xml"}, xml.encode())
    headers = {"Content-Type": "application/x-amz-json-1.0"}
    if service == "sqs":
        headers["x-amzn-query-error"] = f"{code};{'Sender' if status < 500 else 'Receiver'}"
    body = {"__type": _TYPES.get(service, "") + code, "message": MESSAGE}
    return Answer(status, headers, msgspec.json.encode(body))
