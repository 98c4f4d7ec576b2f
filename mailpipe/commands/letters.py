"""Mails as `send` reads them: JSON in the form of `POST /send-email`, or options. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec

from mailpipe.messages import Email, Stream


class Unreadable(Exception):
    """What was given is no mail; the text says where and why."""


class Letter(Email, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """An e-mail with what `send` takes besides: its stream, its id or its idempotency key."""

    stream: Stream | None = None
    email_id: str | None = None
    idempotency_key: str | None = None

    def email(self) -> Email:
        """The e-mail alone."""
        return Email(**{name: getattr(self, name) for name in Email.__struct_fields__})


def letters(text: bytes) -> list[Letter]:
    """A JSON document, an array of them, or JSON lines. Raises Unreadable."""
    try:
        whole = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return list(_lines(text))
    documents = whole if isinstance(whole, list) else [whole]
    return [_letter(one, f"mail {number}") for number, one in enumerate(documents, start=1)]


def _lines(text: bytes) -> Iterator[Letter]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                yield _letter(msgspec.json.decode(line), f"line {number}")
            except msgspec.DecodeError as error:
                raise Unreadable(f"line {number} is no JSON: {error}") from None


def _letter(document: Any, where: str) -> Letter:
    try:
        return msgspec.convert(document, Letter)
    except msgspec.ValidationError as error:
        raise Unreadable(f"{where}: {error}") from None


def pairs(name: str, texts: tuple[str, ...]) -> dict[str, str]:
    """`("a=b", …)` as a dict. Raises Unreadable."""
    found = dict[str, str]()
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise Unreadable(f"--{name} {text!r} is not NAME=VALUE")
        found[key] = value
    return found
