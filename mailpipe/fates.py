"""What becomes of a mail that a producer hands over, and the errors that say so. Pure."""

from msgspec import Struct

from mailpipe.messages import Email, Stream
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.rules import ValidationError


class NotAccepted(Exception):
    """The mail is not known to be on the queue; nothing is wrong with it, so try again later.

    Repeat it with `email_id` (or with the same idempotency key): should it be on the queue after
    all (`in_doubt`), both are one mail. `cause` is what AWS said.
    """

    def __init__(self, email_id: str, cause: CallFailed) -> None:
        super().__init__(f"e-mail {email_id} was not accepted: {cause}")
        self.email_id = email_id
        self.cause = cause

    @property
    def in_doubt(self) -> bool:
        """Whether it may have been accepted all the same."""
        return self.cause.kind is Kind.IN_DOUBT


class Closed(Exception):
    """The producer is not open: not yet, or not any more."""


class Keyed(Struct, frozen=True):
    """A mail for `send_many` with what else `send` takes."""

    email: Email
    stream: Stream | None = None
    email_id: str | None = None
    idempotency_key: str | None = None


class Accepted(Struct, frozen=True):
    """The mail is durable; `email_id` is what status and webhooks call it."""

    email_id: str


class Refused(Struct, frozen=True):
    """The mail was not taken: it breaks a rule, or the queue did not answer."""

    error: ValidationError | NotAccepted

    @property
    def email_id(self) -> str | None:
        """The id to repeat it with; None if it broke a rule."""
        return self.error.email_id if isinstance(self.error, NotAccepted) else None
