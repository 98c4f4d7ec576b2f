"""When a mail may go, or is too late, by its record and by the time that all senders share."""

from typing import Any, cast

import pytest
from msgspec.structs import replace

from mailpipe import resources
from mailpipe.aws.queue import Received
from mailpipe.aws.table import Tables
from mailpipe.messages import Email, EmailMessage
from mailpipe.outcomes import Retry
from mailpipe.parking import SCHEDULED
from mailpipe.tenants import Retention
from mailpipe.times import Times
from mailpipe.timing import iso, now_ms
from sender.claims import Answer, Open, Won
from sender.claims import Scheduled as Waits
from sender.scheduling import Scheduling
from sender.slots import Slots
from sender.store import SenderStore
from tests.unit.claim_parts import Nobody
from tests.unit.memory_tables import MemoryTables

PREFIX, HOUR_MS = "t-", 3_600_000
DAY_MS, EXPIRE_AFTER_S = 24 * HOUR_MS, 259_200.0
NOW = now_ms() + 2 * HOUR_MS
"""The time that senders share: this machine's clock is hours behind."""


class Rig:
    """A sender whose own clock is wrong."""

    def __init__(self) -> None:
        self.tables = MemoryTables(PREFIX)
        self.store = SenderStore(
            *(cast(Tables, self.tables), PREFIX),
            address_hash_key=b"k" * 32,
            lease_s=25,
            grace_s=150,
            retention=cast(Retention, Nobody()),
            wall_ms=lambda: NOW,
        )
        self.scheduling = Scheduling(
            *(self.store, cast(Slots, None)),
            kept_s=1.5,
            expire_after_s=EXPIRE_AFTER_S,
            wall_ms=lambda: NOW,
        )

    async def look(self, mail: EmailMessage, **attributes: str) -> Times | Answer | Retry:
        received = Received("m", "r", "", receives=1, sent_at_ms=NOW)
        return await self.scheduling.look(mail, replace(received, attributes=attributes), [])

    async def moved(self, mail: EmailMessage, to_ms: int) -> None:
        """Its owner gives it another time."""
        await self.store.make(mail)
        item: Any = self.tables.items[PREFIX + resources.EMAIL_TRACKING, "e"]
        item |= {"sendAt": to_ms, "version": item["version"] + 1}


def mail(accepted_ms: int = NOW - HOUR_MS, send_at_ms: int | None = None) -> EmailMessage:
    email = Email(to=["a@b.example"], from_="b@b.example", subject="s", body_text="t")
    email.send_at = None if send_at_ms is None else iso(send_at_ms)
    return EmailMessage(
        email_id="e", tenant="default", stream="bulk", queued_at=iso(accepted_ms), email=email
    )


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_what_is_due_goes_although_our_clock_is_behind(rig: Rig) -> None:
    one = mail(send_at_ms=NOW - 1)
    assert await rig.look(one, **{SCHEDULED: "1"}) == Times(NOW - HOUR_MS, NOW - 1, None)


async def test_what_is_not_due_waits_although_our_clock_is_ahead(rig: Rig) -> None:
    one = mail(NOW - 9 * HOUR_MS, send_at_ms=NOW + HOUR_MS)
    looked = await rig.look(one, **{SCHEDULED: "1"})
    assert isinstance(looked, Waits)
    assert looked.send_at_ms == NOW + HOUR_MS


async def test_what_its_message_takes_for_expired_is_judged_by_its_record(rig: Rig) -> None:
    """It never waited, and was given another time in its queue."""
    one = mail(accepted_ms := NOW - 3 * DAY_MS - HOUR_MS)
    assert await rig.look(one) == Times(accepted_ms, None, None)
    await rig.moved(one, NOW - HOUR_MS)
    assert await rig.look(one) == Times(accepted_ms, NOW - HOUR_MS, None)
    assert one.version == 1


async def test_a_mail_that_is_moved_before_it_is_ended_by_its_times_is_not_claimed(
    rig: Rig,
) -> None:
    one = mail(NOW - 3 * DAY_MS - HOUR_MS)
    await rig.moved(one, NOW - HOUR_MS)
    assert isinstance(await rig.store.claim(one, same_times=True), Open)
    one.version = 1
    assert isinstance(await rig.store.claim(one, same_times=True), Won)


async def test_for_a_send_it_is_claimed_as_it_stands(rig: Rig) -> None:
    one = mail()
    await rig.moved(one, NOW - 1)
    assert isinstance(await rig.store.claim(one), Won)
