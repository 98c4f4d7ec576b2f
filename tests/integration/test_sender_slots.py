"""The sender's handler and its instant: what is missed is dropped, and the mail takes another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import REGISTRY

from mailpipe.lifecycle import Stop
from mailpipe.messages import EmailMessage
from mailpipe.outcomes import CallFailed, Done, Kind, Retry
from tests.integration.conftest import Parts, message
from tests.integration.sender_rig import Rig

LATENESS_S = 0.1


@asynccontextmanager
async def punctual(parts: Parts, *, lease_margin_s: float = 9.7) -> AsyncIterator[Rig]:
    """A sender that drops a slot which it misses by a tenth of a second."""
    rig, stop = Rig(parts, lateness_s=LATENESS_S, lease_margin_s=lease_margin_s), Stop()
    running = asyncio.create_task(rig.slots.run(stop))
    yield rig
    stop.set()
    await running


def missed() -> float:
    return REGISTRY.get_sample_value("mailpipe_slots_missed_total") or 0.0


async def test_a_mail_that_misses_its_slot_keeps_its_claim_and_takes_the_next(parts: Parts) -> None:
    async with punctual(parts) as rig:
        one, before = message(), missed()

        async def frozen() -> None:
            await asyncio.sleep(rig.lead.seconds + 2 * LATENESS_S)

        rig.ses.before_gate = frozen
        assert await rig.handle(one) == Done()
    record = await parts.record(one.email_id)
    assert record is not None
    assert (record.status, record.attempt) == ("sent", 1)
    assert missed() > before


async def test_a_mail_for_which_no_slot_comes_is_released_before_its_lease_ends(
    parts: Parts,
) -> None:
    async with punctual(parts, lease_margin_s=2.7) as rig:
        one = message()

        async def paused() -> None:
            rig.rates.per_second = 0.0
            await asyncio.sleep(rig.lead.seconds + 2 * LATENESS_S)

        rig.ses.before_gate = paused
        outcome = await rig.handle(one)
    assert isinstance(outcome, Retry)
    assert outcome.reason == "no slot within the lease"
    record = await parts.record(one.email_id)
    assert record is not None
    assert (record.status, record.lease_until, record.token) == ("pending", 0, "-")
    assert rig.ses.sent == []


async def test_when_the_look_at_suppression_fails_neither_claim_nor_slot_is_kept(
    parts: Parts,
) -> None:
    async with punctual(parts) as rig:
        one, returned = message(), list[float]()

        async def fails(_: EmailMessage) -> list[str]:
            raise CallFailed(Kind.NOTHING_HAPPENED, "Throttled")

        rig.store.suppressed = fails  # type: ignore[method-assign, assignment]
        rig.slots.give_back = returned.append  # type: ignore[method-assign]
        with pytest.raises(CallFailed):
            await rig.handle(one)
    record = await parts.record(one.email_id)
    assert record is not None
    assert (record.status, record.lease_until, record.token) == ("pending", 0, "-")
    assert len(returned) == 1


@pytest.mark.parametrize(
    ("scope", "why"),
    [
        ("tenant#default", "over the tenant cap"),
        ("domain#example.com", "over the domain cap"),
        ("tenant#another", None),
    ],
)
async def test_a_mail_whose_cap_has_no_slot_goes_back_unclaimed(
    parts: Parts, scope: str, why: str | None
) -> None:
    async with punctual(parts) as rig:
        rig.rates.caps[scope] = 0.0
        one = message()
        outcome = await rig.handle(one)
        assert isinstance(outcome, Done if why is None else Retry)
        if isinstance(outcome, Retry):
            assert outcome.reason == why
            assert await rig.store.look(one) is None
