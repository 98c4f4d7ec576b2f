"""Who has sent a message, kept through dead-letter queues. Pure.

A message that is buried and put back is sent anew, by somebody whom senders trust. So it carries,
as an attribute, all who have sent it before. Whoever sends may write this attribute too; hence it
only ever takes trust away: a message speaks for a tenant when every one of its senders may.
"""

from collections.abc import Mapping

ATTRIBUTE = "sender_id"

UNKNOWN = "?"
"""Somebody of whom nothing is known; no principal is called so."""

MAX_CHARS = 1024
"""Longer, the attribute counts as unknown as a whole: cut, it could lose the one that matters."""


def principal(sender_id: str) -> str:
    """The unique id of the user or role, without the session."""
    return sender_id.partition(":")[0]


def earlier(attributes: Mapping[str, str]) -> list[str]:
    """The principals that have sent it before, the last one first."""
    return attributes.get(ATTRIBUTE, "").split()


def extended(attributes: Mapping[str, str], sender_id: str | None) -> str:
    """The attribute of a copy of a message that `sender_id` has sent (None: nobody knows)."""
    chain = [principal(sender_id or "") or UNKNOWN, *earlier(attributes)]
    text = " ".join(dict.fromkeys(chain))
    return text if text.isascii() and len(text) <= MAX_CHARS else UNKNOWN
