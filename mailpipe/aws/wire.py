"""How an operation looks on the wire: AWS JSON 1.0 for SQS and DynamoDB, REST-JSON for SES. Pure.

Both are described in the Smithy documentation ("AWS JSON 1.0 protocol", "AWS restJson1 protocol").
"""

from typing import Any
from zlib import crc32

import msgspec
from msgspec import Struct, field

from mailpipe.aws.errors import answered
from mailpipe.aws.operations import Operation
from mailpipe.aws.sigv4 import Credentials, Signer
from mailpipe.http.answer import Answer
from mailpipe.outcomes import CallFailed

_TARGETS = {"sqs": "AmazonSQS", "dynamodb": "DynamoDB_20120810"}
_encode = msgspec.json.Encoder().encode


class Unreadable(Exception):
    """The answer is not what AWS meant to send."""


class _Reason(Struct, rename="pascal"):
    code: str = "None"


class _Error(Struct):
    type: str | None = field(name="__type", default=None)
    code: str | None = None
    message: str | None = None
    message_capital: str | None = field(name="Message", default=None)
    item: dict[str, Any] | None = field(name="Item", default=None)
    reasons: list[_Reason] = field(name="CancellationReasons", default_factory=list)


_errors = msgspec.json.Decoder(_Error)


def headers_of(operation: Operation[Any, Any]) -> dict[str, str]:
    """Those that every request of this operation has."""
    if target := _TARGETS.get(operation.service):
        return {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"{target}.{operation.name}",
        }
    return {} if operation.method == "GET" else {"content-type": "application/json"}


def body_of(operation: Operation[Any, Any], request: Struct) -> bytes:
    """The request's JSON."""
    return b"" if operation.method == "GET" else _encode(request)


def request_of(
    operation: Operation[Any, Any],
    signer: Signer,
    credentials: Credentials,
    body: bytes,
    at_s: float,
) -> bytes:
    """The whole request, in one piece, signed for this time (epoch seconds)."""
    lines = signer.sign(credentials, body, at_s=at_s)
    first = f"{operation.method} {operation.path} HTTP/1.1"
    return f"{first}\r\n{lines}content-length: {len(body)}\r\n\r\n".encode("latin-1") + body


def stamped(request: bytes, name: str, value: int) -> bytes:
    """The request with one more header, which no signature covers."""
    first, _, rest = request.partition(b"\r\n")
    return b"%b\r\n%b: %d\r\n%b" % (first, name.encode(), value, rest)


def check(answer: Answer) -> None:
    """Hold the body against the checksum that DynamoDB sends. Raises Unreadable."""
    expected = answer.header(b"x-amz-crc32")
    if expected is not None and expected != str(crc32(answer.body)):
        raise Unreadable(f"the CRC32 of {len(answer.body)} bytes is not {expected}")


def error_of(operation: Operation[Any, Any], answer: Answer) -> CallFailed:
    """The error that AWS answered; what stands between us and AWS may answer in any form."""
    try:
        error = _errors.decode(answer.body)
    except ValueError:  # msgspec's are
        error = _Error()
    code = answer.header(b"x-amzn-errortype") or error.type or error.code or str(answer.status)
    code = code.partition(":")[0].rpartition("#")[2]
    # SQS's code of old, which it still sends beside the modelled one.
    code = (answer.header(b"x-amzn-query-error") or "").partition(";")[0] or code
    return answered(
        operation.name,
        code,
        error.message or error.message_capital or "",
        answer.status,
        item=error.item,
        reasons=[reason.code for reason in error.reasons if reason.code != "None"],
    )
