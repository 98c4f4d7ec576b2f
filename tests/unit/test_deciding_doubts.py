"""How a sender decides what is in doubt: counted once, and not by a wrong clock."""

from typing import cast

import pytest
from prometheus_client import REGISTRY

from loadtest.virtual.tables import MemoryTables
from mailpipe.aws.table import Tables
from mailpipe.messages import Email, EmailMessage
from mailpipe.tenants import Retention
from mailpipe.timing import iso, now_ms
from sender.claims import Doubtful, Finished, Won
from sender.doubts import Doubts
from sender.settings import SenderSettings
from sender.store import SenderStore
from tests.unit.claim_parts import Nobody

PREFIX, NOW = "t-", now_ms()
LEASE_MS, HOUR_MS = 25_000, 3_600_000


class Rig:
    """A mail whose claim ran out hours ago; no processor publishes anything."""

    def __init__(self) -> None:
        self.now_ms, self.right = NOW, True
        tables = cast(Tables, MemoryTables(PREFIX))
        self.store = SenderStore(
            *(tables, PREFIX),
            address_hash_key=b"k" * 32,
            lease_s=LEASE_MS / 1000,
            grace_s=150,
            retention=cast(Retention, Nobody()),
            wall_ms=lambda: self.now_ms,
        )
        self.doubts = Doubts(
            *(SenderSettings(address_hash_key="k" * 32), tables, self.store),
            wall_ms=lambda: self.now_ms,
            time_is_right=lambda: self.right,
        )

    async def doubt(self, message: EmailMessage) -> Doubtful:
        assert isinstance(await self.store.claim(message), Won)
        self.now_ms += 5 * HOUR_MS
        doubt = await self.store.look(message)
        assert isinstance(doubt, Doubtful)
        return doubt


def mail(**changes: object) -> EmailMessage:
    email = Email(to=["a@b.example"], from_="b@b.example", subject="s", body_text="t", **changes)
    return EmailMessage(
        email_id="e", tenant="default", stream="bulk", queued_at=iso(NOW), email=email
    )


def unproved() -> float:
    return REGISTRY.get_sample_value("mailpipe_doubts_without_evidence_total") or 0.0


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_a_verdict_without_evidence_counts_when_it_is_carried_out(rig: Rig) -> None:
    one, before = mail(), unproved()
    doubt = await rig.doubt(one)
    assert await rig.doubts.judged(doubt, one) is None  # and then it gets no slot
    assert await rig.doubts.judged(doubt, one) is None
    assert unproved() == before
    assert isinstance(await rig.doubts.settled(doubt, one), Won)
    assert unproved() == before + 1


async def test_so_does_an_end(rig: Rig) -> None:
    one, before = mail(in_doubt="unknown"), unproved()
    assert isinstance(await rig.doubts.judged(await rig.doubt(one), one), Finished)
    assert unproved() == before + 1


@pytest.mark.parametrize("policy", ["resend", "unknown"])
async def test_a_sender_whose_clock_is_wrong_decides_nothing(rig: Rig, policy: str) -> None:
    one = mail(in_doubt=policy)
    doubt = await rig.doubt(one)
    rig.right = False
    put_off = Doubtful(doubt.record, rig.now_ms + 30_000)
    assert await rig.doubts.judged(doubt, one) == put_off
    assert await rig.doubts.settled(doubt, one) == put_off
    rig.right = True
    assert isinstance(await rig.doubts.settled(doubt, one), Won | Finished)
