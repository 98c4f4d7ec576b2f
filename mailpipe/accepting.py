"""From an e-mail to its queue message: rules, id, fingerprint. Pure but for the clock.

Both doors go through here; `mailpipe.bodies` does the same for mail of any size.
"""

from collections.abc import Sequence

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
    new_email_ids,
)
from mailpipe.rules import Violation
from mailpipe.timing import iso, now_ms

Draft = tuple[Email, Stream, str | None]
"""An e-mail, its lane, and its idempotency key."""


class Arrival:
    """What a tenant hands over at once, one e-mail or up to `most`: what they have in common is
    made once.
    """

    def __init__(self, tenant: str, *, recorded: bool = False, most: int = 1) -> None:
        self._tenant = tenant
        self._recorded = recorded
        self._wrong_tenant = rules.check_ids(tenant, None)
        self._accepted_ms = now_ms()
        self._queued_at = iso(self._accepted_ms)
        self._new_id = new_email_id if most == 1 else new_email_ids(most).__next__

    def accepted(
        self,
        email: Email,
        stream: Stream,
        *,
        email_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> EmailMessage:
        """The message of an e-mail that keeps the rules. Raises ValidationError.

        Under an `idempotency_key` the id is the key's, and the message carries the mail's
        fingerprint.
        """
        made = rules.check(email, accepted_ms=self._accepted_ms) or self._message(
            email, stream, idempotency_key, email_id=email_id
        )
        if isinstance(made, Violation):
            raise rules.ValidationError(made)
        return made

    def accepted_all(
        self, drafts: Sequence[Draft], *, domains: list[str]
    ) -> list[EmailMessage | Violation]:
        """The same of several, or the rules that they break; `domains` as in `check_from`."""
        found = rules.check_all(
            [email for email, _, _ in drafts], accepted_ms=self._accepted_ms, domains=domains
        )
        return [
            broken or self._message(email, stream, key)
            for broken, (email, stream, key) in zip(found, drafts, strict=True)
        ]

    def _message(
        self,
        email: Email,
        stream: Stream,
        idempotency_key: str | None,
        *,
        email_id: str | None = None,
    ) -> EmailMessage | Violation:
        tenant, identity, violation = self._tenant, None, self._wrong_tenant
        if violation is None and email_id is not None:
            violation = rules.check_ids(tenant, email_id)
        if violation is None and idempotency_key is not None:
            violation = rules.check_idempotency_key(idempotency_key)
        if violation is not None:
            return violation
        if idempotency_key is not None:
            email_id, identity = keyed_email_id(tenant, idempotency_key), fingerprint(email)
        return EmailMessage(
            email_id=email_id or self._new_id(),
            tenant=tenant,
            stream=stream,
            queued_at=self._queued_at,
            email=email,
            recorded=self._recorded,
            fingerprint=identity,
        )


def queued(message: EmailMessage) -> Outgoing:
    """How a message goes onto its queue, whatever its size; SQS's fair queues take the tenant as
    the group.
    """
    return Outgoing(encode(message), group=message.tenant)
