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
_run = uuid.uuid4().hex[:20]
_numbers = itertools.count()


def _request_id() -> str:
    """In the form of a UUID, different at every call and every start."""
    text = f"{_run}{next(_numbers):012x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


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
