"""Mail for later, and where it waits."""

import pytest

from mailpipe import records
from mailpipe.aws.queue import Received
from mailpipe.bodies import Bodies
from mailpipe.due import DueItems
from mailpipe.messages import EmailMessage, encode
from mailpipe.outcomes import Outcome, Park
from mailpipe.parking import MINUTE_MS, Parked, Waits
from mailpipe.partiql import update_in
from mailpipe.records import Attributes, Record
from mailpipe.resources import EMAIL_TRACKING, LANES, SHARDS, waits_for_time
from mailpipe.scheduled import key_of_time, scheduled_name
from mailpipe.testing import InMemoryQueue
from mailpipe.timing import iso, now_ms
from sender.scheduling import TimedParking
from tests.integration.conftest import PREFIX, message
from tests.integration.sender_rig import INGEST, Rig

QUEUE = LANES["transactional"]
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def later(*, in_ms: int = HOUR_MS, **changes: object) -> EmailMessage:
    """A mail for later, that no door has recorded."""
    return message(send_at=iso(now_ms() + in_ms), **changes)


class Kept:
    """What waits for a time, and comes back."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.queue = InMemoryQueue(QUEUE)
        queues = {QUEUE: self.queue}
        self.due = DueItems(rig.parts.tables, PREFIX, queues, bucket=rig.bucket, waits=Waits())
        self.parking = TimedParking(self.due, rig.parts.tables, Bodies(rig.bucket))

    async def park(self, one: EmailMessage, outcome: Outcome) -> None:
        """As the consumer does it before it deletes the message."""
        assert isinstance(outcome, Park)
        await self.parking.park(whole(one), QUEUE, outcome)

    async def at(self, at_ms: int) -> list[Parked]:
        """What lies in the minute of this time."""
        found = list[Parked]()
        for number in range(SHARDS):
            partition = waits_for_time(at_ms // MINUTE_MS, number)
            found += (await self.due.page(partition, ("0", "~"), limit=100))[0]
        return found

    async def of(self, one: EmailMessage, at_ms: int) -> Parked | None:
        """The item of this mail at this time."""
        key = key_of_time(scheduled_name(one.tenant, one.email_id), at_ms)
        return next((item for item in await self.at(at_ms) if item.key == key), None)


def whole(one: EmailMessage) -> Received:
    """As the queue hands it out, each copy under its own message id."""
    return Received(
        *(f"m-{now_ms()}", "r", encode(one)), receives=1, sent_at_ms=now_ms(), sender_id=INGEST
    )


@pytest.fixture
def kept(rig: Rig) -> Kept:
    return Kept(rig)


async def record(rig: Rig, one: EmailMessage) -> Record:
    item = await rig.parts.tables.get(EMAIL_TRACKING, {"emailId": one.email_id})
    assert item is not None
    return records.read(item)


async def change(rig: Rig, one: EmailMessage, **changes: records.Value) -> None:
    """As whoever cancels or reschedules writes it."""
    key: Attributes = {"emailId": one.email_id}
    await rig.parts.tables.write(update_in(PREFIX, EMAIL_TRACKING, changes, key))


def at_ms(one: EmailMessage) -> int:
    fields = records.fields_of(one)
    assert fields.send_at is not None
    return fields.send_at
