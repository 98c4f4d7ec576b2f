"""The sender's handler over the local cloud: claims, suppression."""

import asyncio

import msgspec
import pytest

from mailpipe import records, resources
from mailpipe.lifecycle import Stop
from mailpipe.outcomes import CallFailed, Done, Kind, Retry
from mailpipe.timing import now_ms
from tests.integration.conftest import Parts, message
from tests.integration.sender_rig import Rig, rig, suppress

__all__ = ["rig"]


async def test_a_mail_is_claimed_sent_and_recorded(rig: Rig) -> None:
    one = message()
    assert await rig.handle(one) == Done()
    record = await rig.parts.record(one.email_id)
    assert record is not None
    assert (record.status, record.attempt, record.ids) == ("sent", 1, {"a1": "ses-1"})
    assert record.lease_until == 0


async def test_the_same_message_again_sends_nothing(rig: Rig) -> None:
    one = message()
    assert [await rig.handle(one), await rig.handle(one)] == [Done(), Done()]
    assert len(rig.ses.sent) == 1


async def test_the_same_message_to_two_at_once_is_sent_once(rig: Rig) -> None:
    one = message()
    outcomes = await asyncio.gather(*(rig.handle(one) for _ in range(4)))
    assert len(rig.ses.sent) == 1
    assert all(isinstance(outcome, Done | Retry) for outcome in outcomes)


async def test_a_refusal_for_good_fails_the_mail_and_announces_it_each_time(rig: Rig) -> None:
    one = message()
    rig.ses.script = [CallFailed(Kind.REFUSED, "BadRequestException", "no")]
    assert await rig.handle(one) == Done()
    record = await rig.parts.record(one.email_id)
    assert record is not None
    assert (record.status, record.reason) == ("failed", "BadRequestException: no")
    (event,) = await rig.announced()
    assert (event.status, event.record.to) == ("failed", one.email.to)
    assert await rig.handle(one) == Done()
    assert await rig.announced() == [event]
    assert len(rig.ses.sent) == 1


@pytest.mark.parametrize("kind", [Kind.THROTTLED, Kind.NOTHING_HAPPENED])
async def test_what_is_no_fault_of_the_mail_gives_it_back_unfailed(rig: Rig, kind: Kind) -> None:
    one = message()
    rig.ses.script = [CallFailed(kind, "x")]
    outcome = await rig.handle(one)
    assert isinstance(outcome, Retry)
    assert outcome.after_s >= 0.5
    record = await rig.parts.record(one.email_id)
    assert record is not None
    assert (record.status, record.lease_until, record.attempt) == ("pending", 0, 1)
    assert await rig.handle(one, receives=2) == Done()
    tags = {tag.name: tag.value for tag in rig.ses.sent[-1].email_tags}
    assert tags["attempt"] == "2"
    assert not await rig.announced()


@pytest.mark.parametrize("tenant", ["default", "*"])
async def test_a_suppressed_mail_ends_without_ses(rig: Rig, tenant: str) -> None:
    one = message(to=[f"Who Ever <Gone-{tenant.strip('*')}@Example.net>"])
    await suppress(rig.parts, one.email.to[0].lower(), tenant=tenant)
    assert await rig.handle(one) == Done()
    assert rig.ses.sent == []
    (event,) = await rig.announced()
    assert event.status == "suppressed"


async def test_an_expired_suppression_does_not_count(rig: Rig) -> None:
    one = message(to=["expired@example.net"])
    await suppress(rig.parts, "expired@example.net", ttl=now_ms() // 1000 - 1)
    await rig.handle(one)
    assert len(rig.ses.sent) == 1


async def test_suppressed_recipients_among_others_are_left_out(rig: Rig) -> None:
    one = message(to=["out@example.net", "in@example.net"])
    await suppress(rig.parts, "out@example.net")
    assert await rig.handle(one) == Done()
    assert rig.ses.sent[0].destination.to_addresses == ["in@example.net"]
    record = await rig.parts.record(one.email_id)
    assert record is not None
    assert record.ranks == {"r0": 90, "r1": 0}


async def test_a_record_that_the_sender_makes_has_its_stubs(rig: Rig) -> None:
    one = message(to=["a@example.net", "B@example.net"], cc=["c@example.net"])
    assert await rig.handle(one) == Done()
    keys: list[records.Attributes] = [{"emailId": f"{one.email_id}#{n}"} for n in (1, 2, 3)]
    stubs = await rig.parts.tables.get_all(resources.EMAIL_TRACKING, keys)
    assert {stub["recipientKey"] for stub in stubs} == {
        "default#b@example.net",
        "default#c@example.net",
    }


async def test_an_entry_for_bulk_mail_stops_no_other(rig: Rig) -> None:
    one = message(to=["unsubscribed@example.net"])
    await suppress(rig.parts, "unsubscribed@example.net", scope="bulk")
    assert await rig.handle(msgspec.structs.replace(one, stream="bulk")) == Done()
    assert rig.ses.sent == []
    again = msgspec.structs.replace(message(to=one.email.to), stream="transactional")
    assert await rig.handle(again) == Done()
    assert len(rig.ses.sent) == 1


async def test_while_stopping_a_mail_without_a_slot_is_handed_back_unclaimed(parts: Parts) -> None:
    one, rig, stop = message(), Rig(parts), Stop()
    stop.set()
    await rig.slots.run(stop)
    assert await rig.handle(one) == Retry(0, "stopping")
    assert await parts.record(one.email_id) is None
