"""SES's answers over HTTP: REST-JSON, the error's code in `x-amzn-ErrorType` (SES API v2 reference,
"Common Error Types").
"""

import itertools
import uuid
from typing import Any

import msgspec
from aiohttp import web

from infra.local.ses.refusals import Refusal

_encode = msgspec.json.Encoder().encode
_run = str(uuid.uuid4())[:24]
_numbers = itertools.count()


def _request_id() -> str:
    """In the form of a UUID, different at every call and every start."""
    return f"{_run}{next(_numbers):012x}"


def reply(body: Any) -> web.Response:
    """200."""
    return web.Response(
        body=_encode(body),
        headers={"x-amzn-RequestId": _request_id(), "Content-Type": "application/json"},
    )


def refuse(refusal: Refusal) -> web.Response:
    """SES's no."""
    return web.Response(
        body=_encode({"message": refusal.text}),
        status=refusal.status,
        headers={
            "x-amzn-RequestId": _request_id(),
            "Content-Type": "application/json",
            "x-amzn-ErrorType": refusal.code,
        },
    )
