"""The processor's part in what is in doubt: both ids of a double send, and the evidence."""

import json
from typing import Any

import pytest

from mailpipe import evidence, records, resources
from mailpipe.aws.queue import Outgoing
from mailpipe.evidence import Figures
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
    attributes = records.born(one.email_id, one.tenant, records.fields_of(one))
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
    attributes = records.born(one.email_id, one.tenant, records.fields_of(one))
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
    figures = rig.flow.figures(now_ms=now_ms(), empty_at=0)
    assert iso(figures.handled) == "2026-11-24T10:00:02.000Z"
    assert rig.flow.idle


async def test_a_processor_says_what_it_has_handled_and_that_it_has_ended(rig: Rig) -> None:
    tables, polled, queue = rig.parts.tables, [0], InMemoryQueue("ses-events")
    publisher = Publisher(
        *(tables, PREFIX, "p-test"),
        flow=rig.flow,
        queue=queue,
        polled_empty=lambda: polled[0],
        every_s=1,
    )

    async def told() -> list[Figures]:
        items = await tables.partition(resources.COORDINATION, evidence.KIND)
        return evidence.read(one for one in items if one["id"] == "p-test")

    await queue.send([Outgoing("x")])
    rig.flow.received("m", 5)
    polled[0] = 7
    await publisher.publish()
    (figures,) = await told()
    assert (figures.oldest_in_hand, figures.empty_at) == (5, 0)
    await queue.delete([one.receipt for one in await queue.receive(1, wait_s=0)])
    await publisher.publish()
    assert (await told())[0].empty_at == 0  # no poll has come back empty since
    polled[0] = 9
    await publisher.publish()
    await publisher.withdraw()
    (figures,) = await told()
    assert (figures.counts(now_ms()), figures.empty_at) == (True, 9)  # something is in hand
    rig.flow.handled("m", now_ms=now_ms())
    await publisher.withdraw()
    (figures,) = await told()
    assert not figures.counts(now_ms())
