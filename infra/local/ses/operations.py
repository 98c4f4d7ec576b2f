"""How an operation reads its request, and how lists are paged."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from infra.local.ses.refusals import Refusal, bad, missing

Operation = tuple[str, str, str, Callable[[web.Request, bytes], dict[str, Any]]]
"""Method, path, the operation's name, and what does it."""
PAGE = 1000

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
T = TypeVar("T")


def read(body: bytes, kind: type[T]) -> T:
    """The request. Raises Refusal."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise bad(f"The request could not be read: {error}") from None


def named(member: str, name: str | None) -> str:
    """A name that may be one. Raises Refusal."""
    if name is None:
        raise missing(member)
    if not _NAME.fullmatch(name):
        raise bad(f"{member} must have 1 to 64 ASCII letters, digits, '_' or '-'.")
    return name


def page(request: web.Request, body: bytes, member: str, found: list[Any]) -> dict[str, Any]:
    """One page; NextToken is the place where the next begins. Older SDKs ask in the query, newer
    ones in the body. Raises Refusal.
    """
    asked = {**request.query, **read(body, dict[str, Any])}
    start, size = _number(asked.get("NextToken"), 0), _number(asked.get("PageSize"), PAGE)
    if start is None:
        raise Refusal(400, "InvalidNextTokenException", "NextToken is not one of ours.")
    if size is None or not 0 < size <= PAGE:
        raise bad(f"PageSize must be from 1 to {PAGE}.")
    end = start + size
    more = {"NextToken": str(end)} if end < len(found) else {}
    return {member: found[start:end], **more}


def moment(text: str | None, default: float) -> float:
    """Seconds since the epoch of an ISO 8601 time. Raises Refusal."""
    if text is None:
        return default
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise bad(f"Not a time: {text[:60]!r}") from None


def _number(given: Any, default: int) -> int | None:
    """A whole number from 0, as text or as such; None when it is none."""
    text = str(given) if isinstance(given, str | int) and given != "" else None
    if given is None or given == "":
        return default
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,9}", text) else None
