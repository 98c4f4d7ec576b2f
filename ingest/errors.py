"""The closed list of the API's error codes, and the one way to refuse a request. Pure.

`docs/errors.md` is made from this list and from `mailpipe/constraints.py`.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from mailpipe.rules import Violation

RETRY_AFTER_S = 2

Code = Literal[
    "VALIDATION_ERROR",
    "BAD_REQUEST",
    "UNAUTHORIZED",
    "FORBIDDEN",
    "NOT_FOUND",
    "METHOD_NOT_ALLOWED",
    "REQUEST_TIMEOUT",
    "CONFLICT",
    "IDEMPOTENCY_CONFLICT",
    "PAYLOAD_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "EXPECTATION_FAILED",
    "RATE_LIMIT_EXCEEDED",
    "INTERNAL_ERROR",
    "SERVICE_UNAVAILABLE",
]


class Error(NamedTuple):
    """The HTTP status of a code, why it comes, and what to do."""

    status: int
    cause: str
    fix: str


ERRORS: dict[Code, Error] = {
    "VALIDATION_ERROR": Error(
        400,
        "The request breaks a rule; `details` has the field and the constraint.",
        "Change that field. A repeat of the same request is refused again.",
    ),
    "BAD_REQUEST": Error(
        400, "The request is no HTTP that can be read.", "Send a well-formed HTTP request."
    ),
    "UNAUTHORIZED": Error(
        401,
        "There is no API key, or it is wrong, expired or revoked.",
        "Send a valid key in the header X-API-Key.",
    ),
    "FORBIDDEN": Error(
        403,
        "The key is valid, but lacks the scope that this route needs; or its tenant is disabled.",
        "Use a key with that scope (send, read or admin).",
    ),
    "NOT_FOUND": Error(
        404,
        "There is no such route, or nothing of yours with this id.",
        "Check the path and the id. What belongs to another tenant is not found.",
    ),
    "METHOD_NOT_ALLOWED": Error(
        405, "The route exists, but not with this method.", "Use a method of the header Allow."
    ),
    "REQUEST_TIMEOUT": Error(
        408,
        "The body did not arrive in time.",
        "Send the whole body at once; then try again.",
    ),
    "CONFLICT": Error(
        409,
        "The e-mail can no longer be cancelled or go at another time: a sender has had it in hand, "
        "or it has ended. The message names its status.",
        "Ask for its status; a repeat is refused again.",
    ),
    "IDEMPOTENCY_CONFLICT": Error(
        409,
        "The idempotency key stands for another e-mail already.",
        "Use a new key for each e-mail; repeat a request with its very body.",
    ),
    "PAYLOAD_TOO_LARGE": Error(
        413,
        "The body is larger than this service takes, or a batch has too many e-mails.",
        "Send less in one request.",
    ),
    "UNSUPPORTED_MEDIA_TYPE": Error(
        415,
        "The body is not declared as JSON, or it is compressed.",
        "Send Content-Type: application/json, without Content-Encoding.",
    ),
    "EXPECTATION_FAILED": Error(
        417, "The header Expect asks for something unknown.", "Leave the header Expect out."
    ),
    "RATE_LIMIT_EXCEEDED": Error(
        429,
        "The API key has made too many requests.",
        "Wait for `retryAfter` seconds (also in the header Retry-After), then try again.",
    ),
    "INTERNAL_ERROR": Error(
        500,
        "A fault of ours.",
        "Try again, with the same idempotency key; tell the operators if it stays.",
    ),
    "SERVICE_UNAVAILABLE": Error(
        503,
        "A store is slow or gone, or the service has too much to do: nothing was promised. A mail "
        "may be sent all the same when the queue's answer did not come in time.",
        "Try again after the seconds of the header Retry-After, with the same idempotency key; "
        "without one the repeat may be a second mail.",
    ),
}

_BY_STATUS: dict[int, Code] = {
    error.status: code for code, error in ERRORS.items() if code != "VALIDATION_ERROR"
}


class Refusal(Exception):
    """The request gets no; carries the answer. `code` is one of ERRORS."""

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        violation: Violation | None = None,
        retry_after_s: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = ERRORS[code].status
        self.message = message
        self.violation = violation
        self.retry_after_s = retry_after_s
        self.headers = dict(headers or {})


def invalid(violation: Violation) -> Refusal:
    """The request breaks this rule."""
    return Refusal("VALIDATION_ERROR", violation.message, violation=violation)


def not_found(message: str) -> Refusal:
    """Nothing of this tenant has this id."""
    return Refusal("NOT_FOUND", message)


def unavailable(message: str) -> Refusal:
    """Nothing was promised: the same request may succeed a little later."""
    return Refusal("SERVICE_UNAVAILABLE", message, retry_after_s=RETRY_AFTER_S)


def code_of(status: int) -> Code:
    """The code for an HTTP status that the server itself has chosen."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR"
