"""The query strings of lists. Pure."""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from mailpipe.addresses import BadAddress, normalised, parse
from mailpipe.listing import DEFAULT_LIMIT, EmailQuery
from mailpipe.rules import Violation
from mailpipe.status import STATUSES
from mailpipe.timing import parse_iso

MAX_LIMIT = 100
STREAMS = ("transactional", "bulk")


class PageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a list without filters."""

    limit: int = DEFAULT_LIMIT
    cursor: str | None = None


Q = TypeVar("Q", EmailQuery, PageQuery)


def emails(pairs: Iterable[tuple[str, str]]) -> EmailQuery | Violation:
    """The query of `GET /emails`, or the first rule that it breaks."""
    known = ("recipient", "status", "createdAfter", "createdBefore", "stream", "limit", "cursor")
    values = _once(pairs, known)
    if isinstance(values, Violation):
        return values
    found: dict[str, Any] = {}
    if "recipient" in values:
        try:
            parse(values["recipient"])
        except BadAddress as error:
            return Violation("recipient", error.constraint, f"recipient: {error}")
        found["recipient"] = normalised(values["recipient"])
    for name, allowed in (("status", STATUSES), ("stream", STREAMS)):
        if name in values:
            if values[name] not in allowed:
                return Violation(name, "enum", f"{name} is one of {', '.join(allowed)}.")
            found[name] = values[name]
    for name, field in (("createdAfter", "created_from"), ("createdBefore", "created_to")):
        if name in values:
            at = _time(name, values[name])
            if isinstance(at, Violation):
                return at
            found[field] = at
    return _paged(EmailQuery, values, found)


def page(pairs: Iterable[tuple[str, str]]) -> PageQuery | Violation:
    """The query of a list without filters."""
    values = _once(pairs, ("limit", "cursor"))
    return values if isinstance(values, Violation) else _paged(PageQuery, values, {})


def _paged(kind: type[Q], values: dict[str, str], found: dict[str, Any]) -> Q | Violation:
    if "limit" in values:
        text = values["limit"]
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        if not 1 <= number <= MAX_LIMIT:
            return Violation("limit", "range", f"limit is a whole number from 1 to {MAX_LIMIT}.")
        found["limit"] = number
    if "cursor" in values:
        found["cursor"] = values["cursor"]
    return kind(**found)


def _once(pairs: Iterable[tuple[str, str]], known: tuple[str, ...]) -> dict[str, str] | Violation:
    values = dict[str, str]()
    for name, value in pairs:
        if name not in known:
            return Violation(
                name[:40], "unknown_field", f"Unknown parameter; there are {', '.join(known)}."
            )
        if name in values:
            return Violation(name, "unique", f"{name} is given twice; give it once.")
        values[name] = value
    return values


def _time(name: str, text: str) -> int | Violation:
    try:
        return parse_iso(text)
    except (ValueError, OverflowError):
        return Violation(
            name,
            "time",
            f"{name} is a time with its zone, as 2026-11-24T10:00:00Z (a + is written %2B).",
        )
