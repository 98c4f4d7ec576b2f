"""JSON without ambiguity: from a request's bytes to a struct, or to the first rule that they break.
Pure.

msgspec keeps to RFC 8259 and to the types; what it lets pass is looked for here: a key that stands
twice (it keeps the last), and nesting (it stops at Python's limit of recursion).
"""

import json
from array import array
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any, TypeVar

import msgspec

from mailpipe.rules import Violation
from mailpipe.shapes import shown, violation_of

MAX_DEPTH = 32
MAX_STRUCTURE = 250_000
"""Quotes, commas and brackets outside of texts. An e-mail has some 50, with every list full 6,000;
as many as are allowed take 0.1 s to read.
"""
AT_ONCE_BYTES = 1_000_000
"""A larger body is not read in one call: no other thread runs meanwhile."""
SLICE_BYTES = 65_536
"""Looked at in pieces: in between other threads come to run."""

T = TypeVar("T")

_SPACE = b" \t\n\r"
_NESTING = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_STRUCTURE = bytes(set(range(256)) - set(b"[{]},"))
_NOT_UTF8 = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\0", b"{\0", b"[\0")


_ENCODING = Violation("body", "encoding", "The body must be UTF-8 without a byte order mark.")


class _NoNumber(ValueError):
    """NaN or Infinity."""


class _Twice(Exception):
    """A key stands twice in an object."""


def at_once(
    decoder: msgspec.json.Decoder[T], least_keys: Callable[[bytes, T], Iterator[int]], body: bytes
) -> T | None:
    """The same as `read` in half the time; None: something is wrong somewhere, or may be.

    `least_keys`: at least so many different keys the objects have, together, leaving out those
    inside of values that may be nested without end. A second figure may be better, and cost more;
    both are asked for again where a text looks as if there were keys in it.
    """
    if len(body) > AT_ONCE_BYTES or _too_many_parts(body):
        return None
    try:
        value = decoder.decode(body)
        # Of two equal keys only one is a different one; none is of what is nested too deep.
        once = any(least == most for most in _most_keys(body) for least in least_keys(body, value))
    except (ValueError, RecursionError):  # msgspec.DecodeError is a ValueError
        return None
    return value if once else None


def read(decoder: msgspec.json.Decoder[T], body: bytes) -> T | Violation:
    """What `decoder` makes of a request's body. Costs about 10 µs for an e-mail of 1.4 KB."""
    if violation := check_shape(body):
        return violation
    value = part(decoder, body)
    if isinstance(value, Violation):
        return value
    try:
        _keys.decode(body.decode())
    except _Twice as twice:
        key = shown(str(twice))
        return Violation(key, "duplicate_key", f"The key {key} stands twice in one object.")
    return value


def part(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T | Violation:
    """The same for a part of a body that was read before: its nesting and its keys are in order."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        return violation_of(error)
    except (ValueError, RecursionError) as error:  # msgspec.DecodeError is a ValueError
        return _not_json(bytes(body), error)


def _too_many_parts(body: bytes) -> bool:
    """Whether it has too many parts to be built; a large one may also be nested too deep."""
    return len(body) > MAX_STRUCTURE and check_shape(body) is not None


def _most_keys(body: bytes) -> Iterator[int]:
    """At most so many keys stand in it: in a text, too, there may be what looks like one. A second
    count, which takes longer, passes over what is quoted in texts.
    """
    # Hardly anybody writes space between a key and its colon, and to see that is quicker: without
    # tabs and line breaks anywhere such space is of blanks only, the last of them beside the colon.
    spaced = b" :" in body or any(one in body for one in (b"\t", b"\n", b"\r"))
    bare = body.translate(None, _SPACE) if spaced else body
    yield bare.count(b'":')
    yield bare.replace(b"\\\\", b"_").replace(b'\\"', b"_").count(b'":')


def check_shape(body: bytes) -> Violation | None:
    """Whether it is nested too deep, or has too many parts to be built."""
    if len(body) <= SLICE_BYTES and body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return None
    level = size = 0
    for quotes, rest in outside_texts(body):
        structure = rest.translate(None, _NO_STRUCTURE)
        steps = array("b", structure.translate(_NESTING, b","))
        if max(accumulate(steps, initial=level)) > MAX_DEPTH:
            return Violation("body", "depth", f"The body is nested more than {MAX_DEPTH} deep.")
        level += sum(steps)
        size += quotes + len(structure)
        if size > MAX_STRUCTURE:
            text = f"The body has more than {MAX_STRUCTURE} quotes, commas and brackets; send less."
            return Violation("body", "max_items", text)
    return None


def outside_texts(body: bytes, slice_bytes: int = SLICE_BYTES) -> Iterator[tuple[int, bytes]]:
    """By slices: how many quotes begin or end a text, and what stands outside of texts."""
    in_text = escapes = False
    for start in range(0, len(body), slice_bytes):
        piece = body[start + escapes : start + slice_bytes]
        escapes = False
        if b"\\" in piece:
            piece = piece.replace(b"\\\\", b"")
            escapes = piece.endswith(b"\\")  # the next slice's first character
            piece = piece.replace(b'\\"', b"")
        parts = piece.split(b'"')
        yield len(parts) - 1, b"".join(parts[in_text::2])
        in_text ^= len(parts) % 2 == 0


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) < len(pairs):
        seen = set[str]()
        for key, _ in pairs:
            if key in seen:
                raise _Twice(key)
            seen.add(key)


def _no_number(name: str) -> None:
    raise _NoNumber(name)


# Only the keys are wanted: numbers are not read, so that none can be too long.
_keys = json.JSONDecoder(
    object_pairs_hook=_once, parse_int=len, parse_float=len, parse_constant=_no_number
)


def _not_json(body: bytes, error: Exception) -> Violation:
    """Why msgspec could not read it. Python's reader takes some of what RFC 8259 forbids."""
    if body.startswith(_NOT_UTF8):
        return _ENCODING
    try:
        _keys.decode(body.decode())
    except UnicodeDecodeError:
        return _ENCODING
    except _NoNumber as number:
        return Violation("body", "number", f"JSON has no {number}; numbers must be finite.")
    except (ValueError, RecursionError, _Twice):
        return Violation("body", "json", f"The body is not valid JSON: {error}")
    return Violation("body", "unicode", "A text holds half of a surrogate pair (\\ud800).")
