"""Responses in the API's one shape."""

import msgspec
from aiohttp import web

from ingest.errors import Refusal
from ingest.schemas import Details, ErrorAnswer

_encoder = msgspec.json.Encoder()
_JSON = {"Content-Type": "application/json"}


def answer(
    body: msgspec.Struct, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """A JSON response."""
    return web.Response(
        body=_encoder.encode(body),
        status=status,
        headers=_JSON if headers is None else _JSON | headers,
    )


def refused(refusal: Refusal) -> web.Response:
    """The response to a request that gets no."""
    body, headers = ErrorAnswer(error=refusal.code, message=refusal.message), refusal.headers
    if (violation := refusal.violation) is not None:
        body.details = Details(field=violation.field, constraint=violation.constraint)
    if refusal.retry_after_s is not None:
        body.retry_after = refusal.retry_after_s
        headers = headers | {"Retry-After": str(refusal.retry_after_s)}
    return answer(body, status=refusal.status, headers=headers)
