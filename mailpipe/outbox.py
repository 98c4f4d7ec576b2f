"""An outbox for tests: the mail of every producer of this process lands in it, not in AWS.

The rules, the errors and the way of large mail are those of the real doors; only the queue and the
bucket are in memory. `tests/integration/test_producer_contract.py` runs one suite against both.
"""

import asyncio
from contextlib import ExitStack
from typing import NamedTuple, Self

from mailpipe.aws.queue import Fault, Outgoing
from mailpipe.aws.s3 import TooLarge
from mailpipe.bodies import Bodies
from mailpipe.doors import Doors, divert
from mailpipe.messages import Email, email_decoder
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.resources import LANES


class MemoryBucket:
    """A bucket in this process; `asked` has the keys that were looked for."""

    def __init__(self) -> None:
        self.objects = dict[str, bytes]()
        self.asked = list[str]()

    async def put(self, key: str, body: bytes) -> None:
        """See mailpipe.aws.s3.Bucket.put."""
        self.objects[key] = body

    async def get(self, key: str, *, max_bytes: int) -> bytes | None:
        """See mailpipe.aws.s3.Bucket.get."""
        self.asked.append(key)
        found = self.objects.get(key)
        if found is not None and len(found) > max_bytes:
            raise TooLarge(f"{len(found)} bytes")
        return found


class Mail(NamedTuple):
    """A mail that was accepted, as the sender would read it."""

    email: Email
    email_id: str
    tenant: str
    stream: str


class Outbox:
    """While it is open, all producers of this process put their mail here::

        with Outbox() as outbox:
            code_that_sends()
            assert outbox.mails[0].email.subject == "Welcome"

    With pytest: the fixture `outbox`. A producer that was opened before goes on as it was after.
    """

    def __init__(self) -> None:
        self._accepted = dict[str, Mail]()
        self._bucket = MemoryBucket()
        self._failures = list[CallFailed]()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(divert(self))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def mails(self) -> list[Mail]:
        """What was accepted, in order. The same id twice is one mail, as it is for the sender."""
        return list(self._accepted.values())

    def clear(self) -> None:
        """Forget the mails and the failures that are still to come."""
        self._accepted.clear()
        self._failures.clear()

    def fail_next(self, count: int = 1, *, in_doubt: bool = False) -> None:
        """The next `count` mails are NotAccepted, as when SQS does not answer. `in_doubt`: they are
        put into the outbox all the same, as when only the answer is lost.
        """
        kind = Kind.IN_DOUBT if in_doubt else Kind.NOTHING_HAPPENED
        self._failures += [CallFailed(kind, "Outbox", "fail_next") for _ in range(count)]

    def doors(self) -> Doors:
        """See mailpipe.doors.Instead."""
        bodies = Bodies(self._bucket)
        return Doors({stream: _Lane(self, bodies) for stream in LANES}, bodies)

    async def take(self, outgoing: Outgoing, bodies: Bodies) -> Fault:
        """What the queue would say to this message."""
        failure = self._failures.pop(0) if self._failures else None
        if failure is None or failure.kind is Kind.IN_DOUBT:
            message = await bodies.whole(email_decoder.decode(outgoing.body))
            mail = Mail(message.email, message.email_id, message.tenant, message.stream)
            self._accepted.setdefault(mail.email_id, mail)
        return failure


class _Lane:
    def __init__(self, outbox: Outbox, bodies: Bodies) -> None:
        self._outbox = outbox
        self._bodies = bodies

    async def place(self, message: Outgoing) -> asyncio.Future[Fault]:
        """See mailpipe.doors.Lane."""
        fate = asyncio.get_running_loop().create_future()
        fate.set_result(await self._outbox.take(message, self._bodies))
        return fate
