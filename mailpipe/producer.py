"""The SDK: producers put e-mail onto the queue themselves, without HTTP in between.

It needs `sqs:SendMessage` and `sqs:GetQueueUrl` on the two mail queues, `s3:PutObject` on the
bucket of bodies for mail above 48 KB, and nothing else. The rules are those of the REST door; the
sender checks them again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Self

from mailpipe.accepting import Arrival
from mailpipe.aws.queue import Outgoing
from mailpipe.bodies import small
from mailpipe.doors import Doors, diverted, open_doors
from mailpipe.fates import Accepted, Closed, Keyed, NotAccepted, Refused
from mailpipe.in_hand import Held, InHand
from mailpipe.messages import Email, Stream, keyed_email_id, new_email_id
from mailpipe.outcomes import CallFailed
from mailpipe.rules import ValidationError, check_idempotency_key
from mailpipe.shapes import check_given

if TYPE_CHECKING:
    from mailpipe.blocking import SyncProducer

READ_AHEAD = 1_000
"""So many mails of `send_many` may be under way before their fates have been taken."""
TURN = 20
"""After so many mails others come to run: 20 take about a millisecond."""
LARGE_AT_ONCE = 4

Mails = Iterable[Email | Keyed] | AsyncIterable[Email | Keyed]

_Fate = Accepted | Refused
_Coming = Held | Refused | asyncio.Task[_Fate]


class _Run:
    """A `send_many`: what was begun and not yet told, in order."""

    def __init__(self) -> None:
        self.coming = deque[_Coming]()
        self.filled = asyncio.Event()
        self.taken = asyncio.Event()
        self.ended = False
        self.error: Exception | None = None
        self.large = asyncio.Semaphore(LARGE_AT_ONCE)

    async def put(self, one: _Coming) -> None:
        """Waits while READ_AHEAD are not taken."""
        self.coming.append(one)
        self.filled.set()
        if len(self.coming) >= READ_AHEAD:
            self.taken.clear()
            await self.taken.wait()

    def end(self, error: Exception | None) -> None:
        """Nothing more comes."""
        self.ended, self.error = True, error
        self.filled.set()


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
        self._in_hand = InHand()
        self._tasks = set[asyncio.Task[_Fate]]()

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
        """Write what waits, for at most 5 seconds; returns the ids of all mails that were taken
        and not accepted by then. Who waits for one of them hears of it as NotAccepted.
        """
        self._is_open = False
        waiting = self._in_hand.snapshot()
        await self._opened.aclose()
        return [held.email_id for held in waiting if not held.accepted]

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
        doors = self._ready()
        if violation := check_given(keyed.email, stream):
            raise ValidationError(violation)
        fate = await self._deliver(doors, keyed, stream, self._in_hand.take(self._id_of(keyed)))
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
        run = _Run()
        coming = run.coming
        pump = asyncio.create_task(self._pump(emails, stream, run))
        try:
            while coming or not run.ended:
                if not coming:
                    run.filled.clear()
                    await run.filled.wait()
                    continue
                one = coming.popleft()
                run.taken.set()
                if isinstance(one, Held):
                    yield await self._settled(one)
                elif isinstance(one, asyncio.Task):
                    yield await one
                else:
                    yield one
            if run.error is not None:
                raise run.error
        finally:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
            for one in coming:
                if isinstance(one, Held):
                    self._in_hand.leave(one)

    def _ready(self) -> Doors:
        if not self._is_open:
            raise Closed("the producer is not open: use it inside `async with Producer() as …`")
        if (instead := diverted()) is not None:
            return instead.doors()
        if self._doors is None:
            raise Closed("the producer was opened while an Outbox was in force: open it again")
        return self._doors

    async def _pump(self, emails: Mails, stream: Stream, run: _Run) -> None:
        """Read the mails and hand them over; who takes their fates sets the pace."""
        error: Exception | None = None
        try:
            if isinstance(emails, AsyncIterable):
                async for one in emails:
                    await run.put(await self._begin(one, stream, run.large))
            else:
                for number, one in enumerate(emails):
                    await run.put(await self._begin(one, stream, run.large))
                    if number % TURN == 0:
                        await asyncio.sleep(0)
        except Exception as raised:
            error = raised
        run.end(error)

    async def _begin(self, one: Email | Keyed, stream: Stream, large: asyncio.Semaphore) -> _Coming:
        """Small mail is placed at once; of large mail only so much is in hand."""
        keyed = one if isinstance(one, Keyed) else Keyed(one)
        lane = stream if keyed.stream is None else keyed.stream
        if violation := check_given(keyed.email, lane):
            return Refused(ValidationError(violation))
        doors = self._ready()
        try:
            letter = small(
                *(keyed.email, lane, Arrival(self._tenant)),
                email_id=keyed.email_id,
                idempotency_key=keyed.idempotency_key,
            )
        except ValidationError as error:
            return Refused(error)
        if letter is not None:
            message, outgoing = letter
            return await self._placed(doors, lane, outgoing, self._in_hand.take(message.email_id))
        held = self._in_hand.take(self._id_of(keyed))
        try:
            await large.acquire()
        except BaseException:
            self._in_hand.drop(held)
            raise
        task = asyncio.create_task(self._deliver(doors, keyed, lane, held))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: large.release())
        return task

    async def _deliver(
        self, doors: Doors, keyed: Keyed, stream: Stream, held: Held
    ) -> Accepted | Refused:
        """One mail of any size, to its fate."""
        try:
            _, outgoing = await doors.bodies.accept(
                keyed.email,
                tenant=self._tenant,
                stream=stream,
                email_id=held.email_id if keyed.email_id is None else keyed.email_id,
                idempotency_key=keyed.idempotency_key,
            )
            return await self._settled(await self._placed(doors, stream, outgoing, held))
        except ValidationError as error:
            return Refused(error)
        except CallFailed as failed:
            return Refused(NotAccepted(held.email_id, failed))
        finally:
            self._in_hand.drop(held)

    def _id_of(self, keyed: Keyed) -> str:
        """What the mail will be known as."""
        key = keyed.idempotency_key
        if key is not None and check_idempotency_key(key) is None:
            return keyed_email_id(self._tenant, key)
        return new_email_id() if keyed.email_id is None else keyed.email_id

    async def _placed(self, doors: Doors, stream: Stream, outgoing: Outgoing, held: Held) -> Held:
        try:
            held.fate = await doors.lanes[stream].place(outgoing)
        except BaseException:
            self._in_hand.drop(held)
            raise
        return held

    async def _settled(self, held: Held) -> Accepted | Refused:
        assert held.fate is not None  # noqa: S101 - it was placed
        try:
            fault = await held.fate
        finally:
            self._in_hand.drop(held)
        return (
            Accepted(held.email_id) if fault is None else Refused(NotAccepted(held.email_id, fault))
        )
