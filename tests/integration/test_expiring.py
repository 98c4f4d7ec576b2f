"""Mail with an `expiresAt`: after it nothing is sent, whatever it waits for."""

import asyncio
from collections.abc import Sequence

from mailpipe import records
from mailpipe.messages import EmailMessage, encode
from mailpipe.outcomes import Done, Park, Retry
from mailpipe.timing import iso, now_ms
from tests.integration.conftest import message
from tests.integration.scheduling_rig import (
    HOUR_MS,
    QUEUE,
    Kept,
    kept,
    record,
    whole,
)
from tests.integration.sender_rig import Rig, rig

__all__ = ["kept", "rig"]  # fixtures


def expiring(in_ms: int) -> EmailMessage:
    """A mail that expires so soon."""
    one = message(expires_at=iso(now_ms() + in_ms))
    one.queued_at = iso(now_ms() - HOUR_MS)
    return one


async def test_after_its_expiry_nothing_is_sent(rig: Rig) -> None:
    one = expiring(-1)
    assert await rig.handle(one) == Done()
    found = await record(rig, one)
    assert found.status == "expired"
    assert found.reason is not None
    assert "expiresAt" in found.reason
    assert not rig.ses.sent


async def test_what_expires_while_it_waits_for_its_instant_is_not_sent(rig: Rig) -> None:
    one = expiring(3_000)
    expires_ms = records.fields_of(one).expires_at or 0

    async def too_long() -> None:
        await asyncio.sleep((expires_ms - now_ms() + 1) / 1000)

    rig.ses.before_gate = too_long
    assert isinstance(await rig.handle(one), Retry)
    assert not rig.ses.sent
    rig.ses.before_gate = None
    assert await rig.handle(one) == Done()
    assert (await record(rig, one)).status == "expired"


async def test_a_probe_that_comes_back_again_and_again_leaves_no_copies(
    rig: Rig, kept: Kept
) -> None:
    one = expiring(HOUR_MS)
    expires_ms = records.fields_of(one).expires_at or 0
    for _ in range(3):
        await kept.parking.park(whole(one), QUEUE, Park("account", "paused"))
    bodies: Sequence[str | None] = [item.body for item in await kept.at(expires_ms)]
    assert encode(one) not in bodies
