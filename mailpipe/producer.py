"""The SDK: producers put e-mail onto the queue themselves, without HTTP in between.

It needs `sqs:SendMessage` and `sqs:GetQueueUrl` on the two mail queues, `s3:PutObject` on the
bucket of bodies for mail above 48 KB, and nothing else. The rules are those of the REST door; the
sender checks them again.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Self

from mailpipe.accepting import message_for
from mailpipe.attachments import is_large
from mailpipe.aws.queue import Fault, Outgoing
from mailpipe.bodies import MAX_QUEUED_BYTES
from mailpipe.doors import Doors, diverted, open_doors
from mailpipe.fates import Accepted, Closed, Keyed, NotAccepted, Refused
from mailpipe.messages import Email, Stream, keyed_email_id, new_email_id
from mailpipe.outcomes import CallFailed
from mailpipe.rules import ValidationError, Violation
from mailpipe.shapes import check_types

if TYPE_CHECKING:
    from mailpipe.blocking import SyncProducer

READ_AHEAD = 1_000
"""So many mails of `send_many` may be under way before their fates have been taken."""
TURN = 20
"""After so many mails others come to run: 20 take about a millisecond."""
LARGE_AT_ONCE = 4

Mails = Iterable[Email | Keyed] | AsyncIterable[Email | Keyed]


class _Placed(NamedTuple):
    email_id: str
    fate: asyncio.Future[Fault]


class _Ended(NamedTuple):
    error: Exception | None


_Coming = _Placed | Refused | asyncio.Task[Accepted | Refused] | _Ended


class Producer:
    """Enqueues e-mail for one tenant::

        async with Producer() as producer:
            email_id = await producer.send(Email(to=[…], from_="…", subject="…", body_text="…"))

    Region, credentials and endpoint come from the environment, as for any AWS SDK; so do `prefix`
    and `bodies_bucket` when they are not given: MAILPIPE_PREFIX, MAILPIPE_BODIES_BUCKET.
    """

    def __init__(
        self,
        *,
        tenant: str = "default",
        prefix: str | None = None,
        bodies_bucket: str | None = None,
        connections: int = 32,
    ) -> None:
        self._tenant = tenant
        self._connect = partial(open_doors, prefix, bodies_bucket, connections)
        self._doors: Doors | None = None
        self._is_open = False
        self._opened = AsyncExitStack()
        self._under_way = dict[asyncio.Future[Fault], str]()

    @staticmethod
    def sync(
        *,
        tenant: str = "default",
        prefix: str | None = None,
        bodies_bucket: str | None = None,
        connections: int = 32,
    ) -> "SyncProducer":
        """The same for code without an event loop: Django, Celery, scripts."""
        from mailpipe.blocking import SyncProducer  # which needs this file

        return SyncProducer(
            partial(
                Producer,
                tenant=tenant,
                prefix=prefix,
                bodies_bucket=bodies_bucket,
                connections=connections,
            )
        )

    async def __aenter__(self) -> Self:
        """Connect. Raises CallFailed when a queue does not exist or may not be used."""
        if diverted() is None:
            self._doors = await self._opened.enter_async_context(self._connect())
        self._is_open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> list[str]:
        """Write what waits, for at most 5 seconds; returns the ids of mails that were not accepted
        by then. Who waits for one of them hears of it as NotAccepted.
        """
        self._is_open = False
        waiting = list(self._under_way.items())
        await self._opened.aclose()
        return [email_id for fate, email_id in waiting if not fate.done() or _fault(fate)]

    async def send(
        self,
        email: Email,
        *,
        stream: Stream = "transactional",
        email_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        """Enqueue one e-mail and return its id; when this returns, the mail is durable.

        Your own `email_id` (1-64 of `A-Z a-z 0-9 _ -`) or `idempotency_key` (1-256 printable ASCII)
        makes repeats harmless. Raises ValidationError, NotAccepted, Closed.
        """
        keyed = Keyed(email, stream, email_id, idempotency_key)
        fate = await self._deliver(self._ready(), keyed, stream)
        if isinstance(fate, Refused):
            raise fate.error
        return fate.email_id

    async def send_many(
        self, emails: Mails, *, stream: Stream = "bulk"
    ) -> AsyncGenerator[Accepted | Refused, None]:
        """Enqueue many; yields one `Accepted` or `Refused` for each, in order.

        `emails` may be an async iterable, and may have no end: it is read as fast as the queue
        takes the mails, at most READ_AHEAD ahead of what has been yielded. What it raises is raised
        here, after the fates of all that came before. Raises Closed.
        """
        self._ready()
        coming = asyncio.Queue[_Coming](READ_AHEAD)
        pump = asyncio.create_task(self._pump(emails, stream, coming))
        try:
            while not isinstance(one := await coming.get(), _Ended):
                if isinstance(one, _Placed):
                    yield await self._settled(one)
                elif isinstance(one, asyncio.Task):
                    yield await one
                else:
                    yield one
            if one.error is not None:
                raise one.error
        finally:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)

    def _ready(self) -> Doors:
        if not self._is_open:
            raise Closed("the producer is not open: use it inside `async with Producer() as …`")
        if (instead := diverted()) is not None:
            return instead.doors()
        if self._doors is None:
            raise Closed("the producer was opened while an Outbox was in force: open it again")
        return self._doors

    async def _pump(self, emails: Mails, stream: Stream, coming: asyncio.Queue[_Coming]) -> None:
        """Read the mails and hand them over; who takes their fates sets the pace."""
        error: Exception | None = None
        large = asyncio.Semaphore(LARGE_AT_ONCE)
        try:
            if isinstance(emails, AsyncIterable):
                async for one in emails:
                    await coming.put(await self._begin(one, stream, large))
            else:
                for number, one in enumerate(emails):
                    await coming.put(await self._begin(one, stream, large))
                    if number % TURN == 0:
                        await asyncio.sleep(0)
        except Exception as raised:
            error = raised
        await coming.put(_Ended(error))

    async def _begin(
        self, one: Email | Keyed, stream: Stream, large: asyncio.Semaphore
    ) -> _Placed | Refused | asyncio.Task[Accepted | Refused]:
        """Small mail is placed at once; of large mail only so much is in hand."""
        keyed = one if isinstance(one, Keyed) else Keyed(one)
        given: object = keyed.email
        if not isinstance(given, Email):
            text = f"send_many takes mailpipe.Email or mailpipe.Keyed, not {type(one).__name__}."
            return Refused(ValidationError(Violation("body", "type", text)))
        if violation := check_types(keyed.email):
            return Refused(ValidationError(violation))
        doors, lane = self._ready(), keyed.stream or stream
        if not is_large(keyed.email):
            try:
                message, outgoing = message_for(
                    keyed.email,
                    tenant=self._tenant,
                    stream=lane,
                    email_id=keyed.email_id,
                    idempotency_key=keyed.idempotency_key,
                )
            except ValidationError as error:
                return Refused(error)
            if len(outgoing.body) <= MAX_QUEUED_BYTES:
                return await self._place(doors, lane, message.email_id, outgoing)
        await large.acquire()
        task = asyncio.create_task(self._deliver(doors, keyed, lane))
        task.add_done_callback(lambda _: large.release())
        return task

    async def _deliver(self, doors: Doors, keyed: Keyed, stream: Stream) -> Accepted | Refused:
        """One mail of any size, to its fate."""
        if violation := check_types(keyed.email):
            return Refused(ValidationError(violation))
        email_id, key = keyed.email_id or new_email_id(), keyed.idempotency_key
        try:
            message, outgoing = await doors.bodies.accept(
                keyed.email,
                tenant=self._tenant,
                stream=stream,
                email_id=email_id,
                idempotency_key=key,
            )
        except ValidationError as error:
            return Refused(error)
        except CallFailed as failed:
            known_as = email_id if key is None else keyed_email_id(self._tenant, key)
            return Refused(NotAccepted(known_as, failed))
        return await self._settled(await self._place(doors, stream, message.email_id, outgoing))

    async def _place(
        self, doors: Doors, stream: Stream, email_id: str, outgoing: Outgoing
    ) -> _Placed:
        fate = await doors.lanes[stream].place(outgoing)
        self._under_way[fate] = email_id
        return _Placed(email_id, fate)

    async def _settled(self, placed: _Placed) -> Accepted | Refused:
        email_id, fate = placed
        try:
            fault = await fate
        finally:
            del self._under_way[fate]
        return Accepted(email_id) if fault is None else Refused(NotAccepted(email_id, fault))


def _fault(fate: asyncio.Future[Fault]) -> bool:
    return fate.cancelled() or fate.result() is not None
