"""Where a producer puts its mail: the account's queues, or, in a team's tests, an outbox."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import NamedTuple, Protocol

from mailpipe.aws.client import Aws
from mailpipe.aws.queue import Fault, Outgoing
from mailpipe.aws.queues import open_queues
from mailpipe.bodies import Bodies, open_bodies
from mailpipe.resources import LANES


class Lane(Protocol):
    """The queue of a stream."""

    async def place(self, message: Outgoing) -> asyncio.Future[Fault]:
        """Take the message; the future is its fate. Waits while too many wait."""
        ...


class Doors(NamedTuple):
    """The lanes by stream, and where large mail goes first."""

    lanes: Mapping[str, Lane]
    bodies: Bodies


class Instead(Protocol):
    """Takes the mail of every producer of this process."""

    def doors(self) -> Doors:
        """Its doors, for the event loop that runs."""
        ...


_instead = list[Instead]()


@contextmanager
def divert(instead: Instead) -> Iterator[None]:
    """While the block runs all producers, open or not, put their mail there and not into AWS."""
    _instead.append(instead)
    try:
        yield
    finally:
        _instead.remove(instead)


def diverted() -> Instead | None:
    """Where mail goes instead of AWS: the newest that is in force."""
    return _instead[-1] if _instead else None


@asynccontextmanager
async def open_doors(
    prefix: str | None, bodies_bucket: str | None, connections: int
) -> AsyncIterator[Doors]:
    """The account's; None means what the environment says. What waits is written at the end.

    Raises CallFailed when a queue does not exist or may not be used.
    """
    if prefix is None:
        prefix = os.environ.get("MAILPIPE_PREFIX", "mailpipe-")
    if bodies_bucket is None:
        bodies_bucket = os.environ.get("MAILPIPE_BODIES_BUCKET", "")
    async with Aws() as aws:
        queues = await open_queues(aws, prefix, connections=connections)
        lanes = {stream: await queues.open(name) for stream, name in LANES.items()}
        yield Doors(lanes, open_bodies(aws, bodies_bucket))
