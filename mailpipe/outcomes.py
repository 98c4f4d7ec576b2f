"""What a handler answers for one message, and what a failed AWS call means.

A handler returns a value and never raises as ordinary control flow; `settling.py` alone turns the
value into queue calls. A failed call carries its kind from the edge (`mailpipe/aws/errors.py`);
vendor codes never travel further than that.
"""

from enum import StrEnum
from typing import Any

from msgspec import Struct


class Done(Struct, frozen=True):
    """The work is durable: delete the message."""


class Retry(Struct, frozen=True):
    """Hide the message for `after_s` seconds (0 = hand it back at once), then try again."""

    after_s: float
    reason: str


class Dead(Struct, frozen=True):
    """No repeat can help: keep the raw message in the dead-letter queue with this reason."""

    reason: str


class Park(Struct, frozen=True):
    """The message waits outside its queue (`due.py`): for a condition, until `scope` is released
    (`account`, `set#…`, `identity#…`, `domain#…`, `tenant#…#…`), or else until `due_ms` (epoch ms).
    Who has to find the item again gives it a `name`, without `#`; others are known by SQS's message
    id. What is `in_doubt` says so when it comes back.
    """

    scope: str | None
    reason: str
    due_ms: int | None = None
    name: str | None = None
    in_doubt: bool = False


Outcome = Done | Retry | Dead | Park


class Kind(StrEnum):
    """The five classes of failed calls. Only REFUSED is final for the item it concerns."""

    REFUSED = "refused"
    """The request itself is at fault; nothing happened, and a repeat gets the same answer."""
    THROTTLED = "throttled"
    """Too much at once; nothing happened."""
    NOTHING_HAPPENED = "nothing_happened"
    """It never reached the service (connect, TLS, expired credentials): safe to repeat."""
    IN_DOUBT = "in_doubt"
    """Time-out, reset after the write, 5xx: it may have happened. Safe to repeat only where
    repeating is harmless (conditional writes, queue calls), never for a send."""
    CONFIGURATION = "configuration"
    """The account or a resource is set up wrongly or paused: a person has to act."""


MISSED = "Missed"
"""The code of a call that was not made because its gate (`aws/operations.py`) stayed shut."""


class CallFailed(Exception):
    """An AWS call failed.

    `kind` says what may be done about it; `code` and `text` are AWS's own words, for logs;
    `operation` is empty when there was no account to call.
    """

    def __init__(self, kind: Kind, code: str, text: str = "", *, operation: str = "") -> None:
        super().__init__(f"{operation or 'call'}: {code} ({kind}) {text}".rstrip())
        self.kind = kind
        self.code = code
        self.text = text
        self.operation = operation
        self.item: dict[str, Any] | None = None
        """The item whose condition failed, where AWS was asked for it."""
        self.reasons: tuple[str, ...] = ()
        self.named: tuple[str, ...] = ()
        """What AWS names as the cause: identities, configuration sets. Never for logs."""

    @property
    def repeatable(self) -> bool:
        """Whether an idempotent call may be tried again right away."""
        return self.kind in (Kind.THROTTLED, Kind.NOTHING_HAPPENED, Kind.IN_DOUBT)
