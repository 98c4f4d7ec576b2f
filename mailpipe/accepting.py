"""From an e-mail to its queue message: rules, id, fingerprint. Pure but for the clock.

Both doors go through here; `mailpipe.bodies` does the same for mail of any size.
"""

from mailpipe import rules
from mailpipe.aws.queue import Outgoing
from mailpipe.messages import (
    Email,
    EmailMessage,
    Stream,
    encode,
    fingerprint,
    keyed_email_id,
    new_email_id,
)
from mailpipe.timing import iso, now_ms


def accepted(
    email: Email,
    *,
    tenant: str,
    stream: Stream,
    email_id: str | None = None,
    idempotency_key: str | None = None,
    recorded: bool = False,
) -> EmailMessage:
    """The message of an e-mail that keeps the rules. Raises ValidationError.

    Under an `idempotency_key` the id is the key's, and the message carries the mail's fingerprint.
    """
    accepted_ms = now_ms()
    if violation := rules.check(email, accepted_ms=accepted_ms) or rules.check_ids(
        tenant, email_id
    ):
        raise rules.ValidationError(violation)
    if idempotency_key is not None:
        if violation := rules.check_idempotency_key(idempotency_key):
            raise rules.ValidationError(violation)
        email_id = keyed_email_id(tenant, idempotency_key)
    return EmailMessage(
        email_id=email_id or new_email_id(),
        tenant=tenant,
        stream=stream,
        queued_at=iso(accepted_ms),
        email=email,
        recorded=recorded,
        fingerprint=None if idempotency_key is None else fingerprint(email),
    )


def message_for(
    email: Email,
    *,
    tenant: str,
    stream: Stream,
    email_id: str | None = None,
    idempotency_key: str | None = None,
    recorded: bool = False,
) -> tuple[EmailMessage, Outgoing]:
    """`accepted`, and the message as it goes onto the queue: whole, whatever its size."""
    message = accepted(
        email,
        tenant=tenant,
        stream=stream,
        email_id=email_id,
        idempotency_key=idempotency_key,
        recorded=recorded,
    )
    return message, queued(message)


def queued(message: EmailMessage) -> Outgoing:
    """How a message goes onto its queue; SQS's fair queues take the tenant as the group."""
    return Outgoing(encode(message), group=message.tenant)
