"""The SDK: producers put e-mail onto the queue themselves, without HTTP in between.

It needs `sqs:SendMessage` and `sqs:GetQueueUrl` on the two mail queues and nothing else. The rules
are those of the REST door; the sender checks them again.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Self

from mailpipe import rules
from mailpipe.aws.client import Aws
from mailpipe.aws.queue import Outgoing, Queue, open_queues
from mailpipe.messages import (
    Email,
    EmailMessage,
    Stream,
    encode,
    fingerprint,
    keyed_email_id,
    new_email_id,
)
from mailpipe.outcomes import CallFailed
from mailpipe.resources import LANES
from mailpipe.shapes import check_types
from mailpipe.timing import iso, now_ms


class EnqueueFailed(Exception):
    """The queue did not take the e-mail. `email_id` may be sent again: the same id is one mail."""

    def __init__(self, email_id: str, cause: CallFailed) -> None:
        super().__init__(f"e-mail {email_id} was not enqueued: {cause}")
        self.email_id = email_id
        self.cause = cause


def message_for(
    email: Email,
    *,
    tenant: str,
    stream: Stream,
    email_id: str | None = None,
    idempotency_key: str | None = None,
    recorded: bool = False,
) -> tuple[EmailMessage, Outgoing]:
    """The queue message of an e-mail that keeps the rules. Raises InvalidEmail.

    Under an `idempotency_key` the id is the key's, and the message carries the mail's fingerprint.
    """
    if violation := rules.check(email) or rules.check_ids(tenant, email_id):
        raise rules.InvalidEmail(violation)
    if idempotency_key is not None:
        if violation := rules.check_idempotency_key(idempotency_key):
            raise rules.InvalidEmail(violation)
        email_id = keyed_email_id(tenant, idempotency_key)
    message = EmailMessage(
        email_id=email_id or new_email_id(),
        tenant=tenant,
        stream=stream,
        queued_at=iso(now_ms()),
        email=email,
        recorded=recorded,
        fingerprint=None if idempotency_key is None else fingerprint(email),
    )
    body = encode(message)
    if violation := rules.check_size(body):
        raise rules.InvalidEmail(violation)
    return message, Outgoing(body, group=tenant)


class Producer:
    """Enqueues e-mail for one tenant::

        async with Producer() as producer:
            email_id = await producer.send(Email(to=[…], from_="…", subject="…", body_text="…"))

    Region, credentials and endpoint come from the environment, as for any AWS SDK.
    """

    def __init__(
        self, *, tenant: str = "default", prefix: str = "mailpipe-", connections: int = 32
    ) -> None:
        self._tenant = tenant
        self._prefix = prefix
        self._connections = connections
        self._queues = dict[str, Queue]()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Connect. Raises CallFailed when a queue does not exist or may not be used."""
        aws = await self._open.enter_async_context(Aws())
        queues = await open_queues(aws, self._prefix, connections=self._connections)
        for stream, name in LANES.items():
            self._queues[stream] = await queues.open(name)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def send(
        self, email: Email, *, stream: Stream = "transactional", email_id: str | None = None
    ) -> str:
        """Enqueue one e-mail and return its id; when this returns, the mail is durable.

        Give your own `email_id` (letters, digits, `_`, `-`; at most 64) to make repeats harmless.
        Raises InvalidEmail (nothing was enqueued) and EnqueueFailed (repeat it with its id).
        """
        (result,) = await self.send_many([email], stream=stream, email_ids=[email_id])
        if isinstance(result, Exception):
            raise result
        return result

    async def send_many(
        self,
        emails: Sequence[Email],
        *,
        stream: Stream = "bulk",
        email_ids: Sequence[str | None] | None = None,
    ) -> list[str | rules.InvalidEmail | EnqueueFailed]:
        """Enqueue in batches of ten; the result has the id or the error of each, in order."""
        results: list[str | rules.InvalidEmail | EnqueueFailed] = []
        ready = list[tuple[int, str, Outgoing]]()
        for index, email in enumerate(emails):
            given = email_ids[index] if email_ids else None
            try:
                if violation := check_types(email):
                    raise rules.InvalidEmail(violation)
                message, outgoing = message_for(
                    email, tenant=self._tenant, stream=stream, email_id=given
                )
            except rules.InvalidEmail as error:
                results.append(error)
                continue
            results.append(message.email_id)
            ready.append((index, message.email_id, outgoing))
        faults = await self._queues[stream].send([outgoing for _, _, outgoing in ready])
        for (index, email_id, _), fault in zip(ready, faults, strict=True):
            if fault is not None:
                results[index] = EnqueueFailed(email_id, fault)
        return results
