"""The processor's handler over the local cloud: repeated, reordered and lonely events."""

import itertools
import json
from typing import Any

import pytest

from infra.local.cloud import add_endpoint
from infra.local.stack import Stack
from mailpipe import records, resources, suppression
from mailpipe.addresses import suppression_hash
from mailpipe.endpoints import Endpoints
from mailpipe.messages import EmailMessage, own_event, webhook_decoder
from mailpipe.outcomes import Dead, Done, Outcome, Retry
from mailpipe.records import Record
from mailpipe.statements import EmailStatements
from mailpipe.suppression import SuppressionStatements
from mailpipe.tenants import Retention, Tenants
from mailpipe.testing import InMemoryQueue
from mailpipe.timing import iso, now_ms
from processor.flow import Flow
from processor.handler import Processor
from processor.store import ProcessorStore
from processor.webhooks import Webhooks
from tests.integration.conftest import HASH_KEY, PREFIX, Parts, message, received

ADDRESS = "a@example.net"


class Rig:
    """A processor, and the webhooks that it owes."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.webhooks = InMemoryQueue("webhooks")
        store = ProcessorStore(
            parts.tables,
            PREFIX,
            address_hash_key=HASH_KEY,
            retention=Retention(Tenants(parts.tables), usual_days=90),
        )
        self.flow = Flow(every_ms=1_000, visibility_ms=60_000)
        webhooks = Webhooks(self.webhooks, Endpoints(parts.tables))
        self.processor = Processor(store, webhooks, self.flow)

    async def handle(self, body: Any, *, receives: int = 1) -> Outcome:
        """Hand an event to the processor."""
        text = json.dumps(body) if isinstance(body, dict) else body
        return await self.processor.handle(received(text, receives=receives))

    async def owed(self) -> list[tuple[str, str]]:
        """(type, webhook id) of the webhooks since the last look."""
        messages = await self.webhooks.receive(10, wait_s=0)
        await self.webhooks.delete([one.receipt for one in messages])
        found = [webhook_decoder.decode(one.body) for one in messages]
        return sorted((one.event_type, one.webhook_id) for one in found)

    async def record(self, email_id: str) -> Record:
        """The record, which must be there."""
        found = await self.parts.record(email_id)
        assert found is not None
        return found


@pytest.fixture
def rig(parts: Parts, aws: Stack) -> Rig:
    types = ["email.sent", "email.delivered", "email.bounced", "email.failed"]
    add_endpoint(
        *(aws.cloud_url, PREFIX), name="hook", url="http://x", secret="whsec_eA==", types=types
    )
    return Rig(parts)


async def born(parts: Parts, one: EmailMessage) -> str:
    attributes = records.USUAL | records.born(one.email_id, one.tenant, records.fields_of(one))
    await parts.tables.write(EmailStatements(PREFIX).insert(attributes))
    return one.email_id


def event(email_id: str, kind: str, *, address: str = ADDRESS, **facts: Any) -> dict[str, Any]:
    """An event of SES."""
    at, name = "2026-11-24T10:00:02.000Z", {"Send": "send"}.get(kind, kind.lower())
    who = {
        "Delivery": {"recipients": [address]},
        "Bounce": {"bouncedRecipients": [{"emailAddress": address}], "bounceSubType": "General"},
        "Complaint": {"complainedRecipients": [{"emailAddress": address}]},
    }.get(kind, {})
    mail = {
        "timestamp": "2026-11-24T10:00:01.000Z",
        "messageId": "ses-1",
        "destination": [address],
        "tags": {"email_id": [email_id], "attempt": ["1"], "tenant": ["default"]},
    }
    return {"eventType": kind, "mail": mail, name: {"timestamp": at, **who, **facts}}


def failed(one: EmailMessage) -> str:
    """Our own event: this mail has failed."""
    fields = records.fields_of(one)
    what = {"status": "failed", "attempt": 1, "at": iso(now_ms()), "reason": "no"}
    ours = own_event(one.email_id, "default", record=fields, **what)
    return received(ours).body


async def test_a_delivery_raises_fills_the_timeline_and_owes_a_webhook(rig: Rig) -> None:
    email_id = await born(rig.parts, message())
    assert await rig.handle(event(email_id, "Delivery", smtpResponse="250 ok")) == Done()
    record = await rig.record(email_id)
    assert (record.status, record.ids) == ("delivered", {"a1": "ses-1"})
    assert record.sent_at == 1_795_514_401_000
    (item,) = await rig.parts.tables.partition(resources.EMAIL_EVENTS, email_id)
    assert (item["type"], item["details"]) == ("delivery", '{"smtpResponse":"250 ok"}')
    assert [kind for kind, _ in await rig.owed()] == ["email.delivered"]


async def test_a_repeat_changes_nothing_but_owes_the_same_webhook_again(rig: Rig) -> None:
    email_id = await born(rig.parts, message())
    body = event(email_id, "Delivery")
    await rig.handle(body)
    first, before = await rig.owed(), await rig.record(email_id)
    await rig.handle(body)
    assert await rig.owed() == first
    assert await rig.record(email_id) == before
    assert len(await rig.parts.tables.partition(resources.EMAIL_EVENTS, email_id)) == 1


async def test_every_order_of_the_same_events_ends_the_same(rig: Rig) -> None:
    kinds = {
        "Send": {},
        "Delivery": {},
        "Bounce": {"bounceType": "Transient"},
    }
    ends = set()
    for order in itertools.permutations(kinds):
        email_id = await born(rig.parts, message())
        for kind in order:
            assert await rig.handle(event(email_id, kind, **kinds[kind])) == Done()
        record = await rig.record(email_id)
        ends.add((record.status, record.rank, record.sent_at, tuple(record.ids.items())))
    assert ends == {("delivered", 40, 1_795_514_401_000, (("a1", "ses-1"),))}


@pytest.mark.parametrize(
    ("kind", "facts", "suppressed"),
    [
        ("Bounce", {"bounceType": "Permanent"}, True),
        ("Bounce", {"bounceType": "Transient"}, False),
        ("Complaint", {"complaintFeedbackType": "abuse"}, True),
        ("Complaint", {"complaintFeedbackType": "not-spam"}, False),
    ],
)
async def test_hard_bounces_and_complaints_suppress(
    rig: Rig, kind: str, facts: dict[str, str], suppressed: bool
) -> None:
    address = f"{kind}-{'-'.join(facts.values())}@Example.NET"
    email_id = await born(rig.parts, message(to=[address]))
    await rig.handle(event(email_id, kind, address=address.lower(), **facts))
    key: records.Attributes = {
        "tenant": "default",
        "addressHash": suppression_hash(HASH_KEY, address),
    }
    found = await rig.parts.tables.get(resources.SUPPRESSION_LIST, key)
    assert (found is not None) == suppressed


async def test_a_bounce_widens_an_entry_for_bulk_mail(rig: Rig) -> None:
    manual = suppression.item_for(
        HASH_KEY, "default", "wide@example.net", reason="manual", scope="bulk", added_at_ms=1
    )
    await rig.parts.tables.write(SuppressionStatements(PREFIX).add(manual | {"ttl": 2**40}))
    email_id = await born(rig.parts, message(to=["wide@example.net"]))
    body = event(email_id, "Bounce", address="wide@example.net", bounceType="Permanent")
    assert await rig.handle(body) == Done()
    key = suppression.key_of(HASH_KEY, "default", "wide@example.net")
    found = await rig.parts.tables.get(resources.SUPPRESSION_LIST, key)
    assert found is not None
    assert (found["scope"], found["reason"], found["addedAt"]) == ("all", "bounce", 1)
    assert "ttl" not in found


async def test_an_event_of_another_tenant_is_quarantined(rig: Rig) -> None:
    email_id = await born(rig.parts, message())
    body = event(email_id, "Bounce", bounceType="Permanent")
    body["mail"]["tags"]["tenant"] = ["other"]
    assert await rig.handle(body) == Dead("tenant_mismatch")
    assert (await rig.record(email_id)).status == "pending"


async def test_an_event_without_a_record_waits_then_is_an_orphan(rig: Rig) -> None:
    body = event("nobody", "Delivery")
    waits = [await rig.handle(body, receives=count) for count in (1, 2, 3)]
    assert [one.after_s for one in waits if isinstance(one, Retry)] == [60, 240, 900]
    assert await rig.handle(body, receives=4) == Dead("orphan")


async def test_our_own_event_makes_a_missing_record_and_owes_its_webhook(rig: Rig) -> None:
    one = message()
    text = failed(one)
    assert [await rig.handle(text), await rig.handle(text)] == [Done(), Done()]
    record = await rig.record(one.email_id)
    assert (record.status, record.reason, record.to) == ("failed", "no", one.email.to)
    owed = await rig.owed()
    assert len(owed) == 2
    assert len(set(owed)) == 1
    (item,) = await rig.parts.tables.partition(resources.EMAIL_EVENTS, one.email_id)
    assert item["type"] == "failed"


@pytest.mark.parametrize("to", [[], ["nobody"], ["x" * 9000]])
async def test_the_end_of_a_mail_without_a_good_address_is_told(rig: Rig, to: list[str]) -> None:
    one = message(to=to)
    assert await rig.handle(failed(one)) == Done()
    assert [kind for kind, _ in await rig.owed()] == ["email.failed"]


async def test_events_of_an_erased_mail_are_dropped(rig: Rig) -> None:
    one = message()
    erased = (
        records.USUAL | records.born(one.email_id, "default", records.fields_of(one)) | {"rank": 99}
    )
    await rig.parts.tables.write(EmailStatements(PREFIX).insert(erased))
    assert await rig.handle(event(one.email_id, "Delivery")) == Done()
    assert await rig.parts.tables.partition(resources.EMAIL_EVENTS, one.email_id) == []
    assert await rig.owed() == []


async def test_what_is_no_event_is_quarantined(rig: Rig) -> None:
    assert isinstance(await rig.handle("nope"), Dead)
    assert isinstance(await rig.handle({"type": "event.v2"}), Dead)
