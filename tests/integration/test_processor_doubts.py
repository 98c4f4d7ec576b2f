"""The processor's part in what is in doubt: both ids of a double send, and the evidence."""

import json
from typing import Any

import pytest

from mailpipe import evidence, records, resources
from mailpipe.aws.queue import Outgoing
from mailpipe.evidence import Figures
from mailpipe.lifecycle import Stop
from mailpipe.messages import webhook_decoder
from mailpipe.outcomes import Done
from mailpipe.statements import EmailStatements
from mailpipe.status import SENT, UNKNOWN
from mailpipe.testing import InMemoryQueue
from mailpipe.timing import iso, now_ms
from processor.publishing import Publisher
from tests.integration.conftest import PREFIX, message
from tests.integration.test_processor import Rig, born, event, failed, rig

__all__ = ["rig"]


async def twice(rig: Rig) -> str:
    """A mail whose first send was in doubt, and that was sent again."""
    one = message()
    attributes = records.USUAL | records.born(one.email_id, one.tenant, records.fields_of(one))
    attributes |= {"possibleDuplicate": True, "attempt": 2, "doubts": 1}
    await rig.parts.tables.write(EmailStatements(PREFIX).insert(attributes))
    return one.email_id


def of_attempt(number: int, body: dict[str, Any]) -> dict[str, Any]:
    body["mail"]["tags"]["attempt"] = [str(number)]
    body["mail"]["messageId"] = f"ses-{number}"
    return body


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
async def test_of_a_mail_that_went_twice_both_of_sess_ids_are_known(
    rig: Rig, order: tuple[int, int]
) -> None:
    email_id = await twice(rig)
    for number in order:
        assert await rig.handle(of_attempt(number, event(email_id, "Send"))) == Done()
        assert await rig.handle(of_attempt(number, event(email_id, "Delivery"))) == Done()
    assert (await rig.record(email_id)).ids == {"a1": "ses-1", "a2": "ses-2"}


async def test_the_send_event_of_an_attempt_is_about_those_whom_it_went_to(rig: Rig) -> None:
    """The second attempt left somebody out who had been suppressed after the first."""
    one = message(to=["out@example.net", "in@example.net"])
    attributes = records.USUAL | records.born(one.email_id, one.tenant, records.fields_of(one))
    attributes |= {"possibleDuplicate": True, "attempt": 2, "doubts": 1}
    attributes["ranks"] = {"r0": UNKNOWN.rank, "r1": 0}
    await rig.parts.tables.write(EmailStatements(PREFIX).insert(attributes))
    send = event(one.email_id, "Send", address="In@Example.net")
    assert await rig.handle(of_attempt(2, send)) == Done()
    assert (await rig.record(one.email_id)).ranks == {"r0": UNKNOWN.rank, "r1": SENT.rank}
    (told,) = await rig.webhooks.receive(10, wait_s=0)
    body = json.loads(bytes(webhook_decoder.decode(told.body).event))
    assert body["recipients"] == ["In@Example.net"]


async def test_webhooks_say_that_it_may_have_gone_twice_and_only_then(rig: Rig) -> None:
    once, doubled = await born(rig.parts, message()), await twice(rig)
    for email_id in (once, doubled):
        await rig.handle(event(email_id, "Delivery"))
    messages = await rig.webhooks.receive(10, wait_s=0)
    bodies = [json.loads(bytes(webhook_decoder.decode(one.body).event)) for one in messages]
    said = {one["emailId"]: one.get("possibleDuplicate") for one in bodies}
    assert said == {once: None, doubled: True}


async def test_events_of_ses_count_as_evidence_and_ours_do_not(rig: Rig) -> None:
    email_id = await born(rig.parts, message())
    await rig.handle(failed(message()))
    assert rig.flow.figures(now_ms=now_ms(), empty_at=0).handled == 0
    await rig.handle(event(email_id, "Delivery"))
    for later_ms in (0, 10_000):
        figures = rig.flow.figures(now_ms=now_ms() + later_ms, empty_at=0)
    assert iso(figures.handled) == "2026-11-24T10:00:02.000Z"
    assert rig.flow.idle


async def test_an_event_without_a_record_neither_proves_nor_hinders(rig: Rig) -> None:
    body = event("nobody", "Delivery")
    for count in (1, 2, 3):
        await rig.handle(body, receives=count)
        figures = rig.flow.figures(now_ms=now_ms(), empty_at=0)
        assert (figures.oldest_in_hand, figures.handled) == (None, 0)


async def test_a_processor_says_what_it_has_handled_and_that_it_has_ended(rig: Rig) -> None:
    tables, clock, queue = rig.parts.tables, [now_ms()], InMemoryQueue("ses-events")
    publisher = Publisher(
        *(tables, PREFIX, "p-test"),
        flow=rig.flow,
        queue=queue,
        polled_empty=lambda: clock[0],
        every_s=1,
        stop=Stop(),
        wall_ms=lambda: clock[0],
    )

    async def told() -> Figures:
        items = await tables.partition(resources.COORDINATION, evidence.KIND)
        (figures,) = evidence.read(one for one in items if one["id"] == "p-test")
        return figures

    async def publish() -> Figures:
        for _ in range(9):
            clock[0] += 1_000
            await publisher.publish()
        return await told()

    await queue.send([Outgoing("x")])
    rig.flow.received("m", 5)
    figures = await publish()
    assert (figures.oldest_in_hand, figures.empty_at) == (5, 0)
    await queue.delete([one.receipt for one in await queue.receive(1, wait_s=0)])
    figures = await publish()
    assert figures.empty_at == figures.stood_at > 0
    await publisher.withdraw()
    assert (await told()).counts(clock[0])  # something is in hand
    rig.flow.handled("m", now_ms=clock[0])
    await publisher.withdraw()
    assert not (await told()).counts(clock[0])
