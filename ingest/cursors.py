"""Cursors of lists: where a page ended, signed. Pure.

A cursor is of one tenant and one question (route and filters): with another it is forged.
"""

import base64
import binascii
import hashlib
import hmac
from typing import TypeVar

import msgspec

from mailpipe.rules import Violation

MAX_CURSOR_CHARS = 4096
_MAC_BYTES = 16

T = TypeVar("T", bound=msgspec.Struct)


class Cursors:
    """Makes and reads cursors. Its key is derived from the deployment's secret."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"mailpipe list cursors", "sha256")

    def make(self, position: msgspec.Struct, *, tenant: str, question: str) -> str:
        """The cursor of this position."""
        payload = msgspec.json.encode(position)
        return base64.urlsafe_b64encode(self._mac(payload, tenant, question) + payload).decode()

    def read(self, cursor: str, kind: type[T], *, tenant: str, question: str) -> T | Violation:
        """The position of a cursor that was made for this tenant and question."""
        refused = Violation(
            "cursor",
            "cursor",
            "This cursor is not of this list; take nextCursor of a page with the same filters.",
        )
        if len(cursor) > MAX_CURSOR_CHARS:
            return refused
        try:
            whole = base64.b64decode(cursor, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return refused
        mac, payload = whole[:_MAC_BYTES], whole[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(payload, tenant, question)):
            return refused
        try:
            return msgspec.json.decode(payload, type=kind)
        except msgspec.DecodeError:  # of an older version
            return refused

    def _mac(self, payload: bytes, tenant: str, question: str) -> bytes:
        signed = b"\x00".join((tenant.encode(), question.encode(), payload))
        return hmac.new(self._key, signed, hashlib.sha256).digest()[:_MAC_BYTES]
