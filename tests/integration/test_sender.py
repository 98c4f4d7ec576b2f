"""The sender's handler over the local cloud; SES's answers are scripted."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from ingest.views import status
from mailpipe import records, resources, tenants
from mailpipe.addresses import suppression_hash
from mailpipe.aws.operations import A, Operation, Q
from mailpipe.aws.ses_operations import SendEmail, SendEmailAnswer
from mailpipe.aws.table import Tables
from mailpipe.bodies import Bodies
from mailpipe.lifecycle import Stop
from mailpipe.messages import (
    Attachment,
    EmailMessage,
    OwnEvent,
    email_decoder,
    own_event_decoder,
)
from mailpipe.outbox import MemoryBucket
from mailpipe.outcomes import CallFailed, Dead, Done, Kind, Outcome, Retry
from mailpipe.statements import EmailStatements, insert_into
from mailpipe.tenants import Retention, Tenant, Tenants
from mailpipe.testing import InMemoryQueue
from mailpipe.timing import iso, now_ms
from sender.claims import Doubtful, Live, Won
from sender.handler import Sender
from sender.limiter import LocalLimiter
from sender.pacing import Lead
from sender.settings import SenderSettings
from sender.slots import Slots
from sender.store import SenderStore
from tests.broken_emails import BROKEN
from tests.integration.conftest import HASH_KEY, PREFIX, Parts, message, received

HUGE = [
    ({"subject": "x" * 600_000}, "subject", "max_length"),
    ({"to": ["x" * 600_000]}, "to[0]", "max_length"),
    ({"metadata": {"a": "x" * 600_000}}, "metadata", "max_bytes"),
]
"""More than an item of DynamoDB takes: it ends with its reason all the same."""


INGEST = "AROAINGESTINGESTINGES"
SHOP = "AIDASHOPSHOPSHOPSHOPS"


class ScriptedSes:
    """Answers each send with the next of its script; accepts when there is none."""

    def __init__(self) -> None:
        self.script = list[CallFailed]()
        self.sent = list[SendEmail]()

    async def call(self, operation: Operation[Q, A], request: Q) -> A:
        assert isinstance(request, SendEmail)
        self.sent.append(request)
        if self.script:
            raise self.script.pop(0)
        answer: Any = SendEmailAnswer(message_id=f"ses-{len(self.sent)}")
        return answer


class Rig:
    """A sender with short leases, and what it did."""

    def __init__(self, parts: Parts, *, grace_s: float = 0.0) -> None:
        self.parts = parts
        self.ses = ScriptedSes()
        self.events = InMemoryQueue("ses-events")
        settings = SenderSettings(
            address_hash_key=HASH_KEY.decode(),
            ses_timeout_s=0.3,
            lease_margin_s=0.7,
            in_doubt_grace_s=grace_s,
            lateness_s=0.5,
            trusted_principals=INGEST,
        )
        lead = Lead()
        limiter = LocalLimiter(lead, share=1, spread_s=0.05)
        limiter.allow(1000)
        self.slots = Slots(limiter, "transactional")
        self.store = store(parts.tables, settings)
        self.bucket = MemoryBucket()
        self.sender = Sender(
            settings,
            self.slots,
            self.store,
            bodies=Bodies(self.bucket),
            client=self.ses,
            events=self.events,
            lead=lead,
            tenants=Tenants(parts.tables),
        )

    async def handle(
        self, one: EmailMessage, *, receives: int = 1, sender_id: str | None = INGEST
    ) -> Outcome:
        """Hand the message to the sender."""
        return await self.sender.handle(
            replace(received(one, receives=receives), sender_id=sender_id)
        )

    async def announced(self) -> list[OwnEvent]:
        """Our own events since the last look."""
        messages = await self.events.receive(10, wait_s=0)
        await self.events.delete([one.receipt for one in messages])
        return [own_event_decoder.decode(one.body) for one in messages]


def store(tables: Tables, settings: SenderSettings) -> SenderStore:
    return SenderStore(
        tables,
        PREFIX,
        address_hash_key=settings.address_hash_key.encode(),
        lease_s=settings.lease_s,
        grace_s=settings.in_doubt_grace_s,
        retention=Retention(Tenants(tables), usual_days=90),
    )


@pytest.fixture
async def rig(parts: Parts) -> AsyncIterator[Rig]:
    built, stop = Rig(parts), Stop()
    running = asyncio.create_task(built.slots.run(stop))
    yield built
    stop.set()
    await running


async def suppress(
    parts: Parts, address: str, *, tenant: str = "default", scope: str = "all", ttl: int = 0
) -> None:
    item: records.Attributes = {
        "tenant": tenant,
        "addressHash": suppression_hash(HASH_KEY, address),
        "scope": scope,
    }
    if ttl:
        item["ttl"] = ttl
    await parts.tables.write(insert_into(PREFIX, resources.SUPPRESSION_LIST, item))


async def known(parts: Parts, tenant: Tenant) -> None:
    """A tenant that the table holds."""
    item = tenants.item_of(tenant)
    await parts.tables.write(insert_into(PREFIX, resources.ACCESS, item))


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


@pytest.mark.parametrize("kind", [Kind.THROTTLED, Kind.NOTHING_HAPPENED, Kind.CONFIGURATION])
async def test_what_is_no_fault_of_the_mail_gives_it_back_unfailed(rig: Rig, kind: Kind) -> None:
    one = message()
    rig.ses.script = [CallFailed(kind, "x")]
    outcome = await rig.handle(one)
    assert isinstance(outcome, Retry)
    assert outcome.after_s >= (45 if kind is Kind.CONFIGURATION else 0.5)
    record = await rig.parts.record(one.email_id)
    assert record is not None
    assert (record.status, record.lease_until, record.attempt) == ("pending", 0, 1)
    assert await rig.handle(one, receives=2) == Done()
    tags = {tag.name: tag.value for tag in rig.ses.sent[-1].email_tags}
    assert tags["attempt"] == "2"
    assert not await rig.announced()


async def test_a_send_in_doubt_keeps_its_claim_and_is_sent_again_only_after_the_lease(
    rig: Rig,
) -> None:
    one = message()
    rig.ses.script = [CallFailed(Kind.IN_DOUBT, "ReadTimeoutError")]
    outcome = await rig.handle(one)
    assert isinstance(outcome, Retry)
    assert isinstance(await rig.handle(one), Retry)
    assert len(rig.ses.sent) == 1
    await asyncio.sleep(1.1)
    assert await rig.handle(one) == Done()
    assert len(rig.ses.sent) == 2
    record = await rig.parts.record(one.email_id)
    assert record is not None
    assert (record.attempt, record.possible_duplicate) == (2, True)


async def test_a_refusal_after_a_doubt_is_unknown_not_failed(rig: Rig) -> None:
    one = message()
    rig.ses.script = [
        CallFailed(Kind.IN_DOUBT, "Timeout"),
        CallFailed(Kind.REFUSED, "MessageRejected", "virus"),
    ]
    await rig.handle(one)
    await asyncio.sleep(1.1)
    assert await rig.handle(one) == Done()
    (event,) = await rig.announced()
    assert event.status == "unknown"
    assert "virus" in event.reason


async def test_within_the_grace_a_doubtful_mail_waits_for_its_event(parts: Parts) -> None:
    one, rig = message(), Rig(parts, grace_s=60)
    claim = await rig.store.claim(one)
    assert isinstance(claim, Won)
    await asyncio.sleep(1.1)
    answer = await rig.store.claim(one)
    assert isinstance(answer, Live)
    assert answer.until_ms == claim.lease_until_ms + 60_000
    assert not isinstance(answer, Doubtful)


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


async def test_broken_and_expired_mail_ends_without_ses(rig: Rig) -> None:
    broken = message(subject="")
    expired = msgspec.structs.replace(message(), queued_at=iso(now_ms() - 4 * 86_400_000))
    assert [await rig.handle(broken), await rig.handle(expired)] == [Done(), Done()]
    assert [event.status for event in await rig.announced()] == ["rejected", "expired"]
    assert rig.ses.sent == []


@pytest.mark.parametrize(("changes", "field", "constraint"), [*BROKEN, *HUGE])
async def test_the_rules_of_the_rest_door_hold_on_the_queue(
    rig: Rig, changes: dict[str, object], field: str, constraint: str
) -> None:
    one = message(**changes)
    assert await rig.handle(one) == Done()
    assert rig.ses.sent == []
    (event,) = await rig.announced()
    assert event.status == "rejected"
    assert event.reason.startswith(f"{field}: {constraint}: ")
    record = await rig.parts.record(one.email_id)
    assert record is not None
    shown = status(record, [], now_ms=now_ms())
    assert (shown.status, shown.reason) == ("rejected", event.reason)


async def test_an_id_of_another_tenant_is_quarantined_and_nothing_is_sent(rig: Rig) -> None:
    one = message()
    await rig.handle(one)
    await known(rig.parts, Tenant(tenant="other"))
    thief = msgspec.structs.replace(one, tenant="other")
    assert await rig.handle(thief) == Dead("tenant_mismatch")
    conflict = msgspec.structs.replace(one, fingerprint="other")
    assert await rig.handle(conflict) == Dead("key_conflict")
    assert len(rig.ses.sent) == 1


async def test_another_mail_under_a_key_never_takes_the_place_of_the_recorded_one(
    rig: Rig,
) -> None:
    """Two posts at once: the record promises one of them, and the other's copy comes first."""
    one = msgspec.structs.replace(message(), fingerprint="one", recorded=True)
    other = msgspec.structs.replace(one, fingerprint="other")
    unkeyed = msgspec.structs.replace(one, fingerprint=None)
    born = records.born(
        one.email_id, one.tenant, records.fields_of(one), fingerprint=one.fingerprint
    )
    await rig.parts.tables.write(EmailStatements(PREFIX).insert(born))
    for thief in (other, unkeyed, msgspec.structs.replace(other, recorded=False)):
        assert await rig.handle(thief) == Dead("key_conflict")
    assert rig.ses.sent == []
    assert await rig.handle(one) == Done()
    assert len(rig.ses.sent) == 1


async def test_of_two_mails_under_a_key_without_a_record_the_first_is_sent(rig: Rig) -> None:
    one = msgspec.structs.replace(message(), fingerprint="one")
    other = msgspec.structs.replace(one, fingerprint="other")
    assert [await rig.handle(one), await rig.handle(other)] == [Done(), Dead("key_conflict")]
    assert [await rig.handle(one), len(rig.ses.sent)] == [Done(), 1]


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


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"type":"email.v9"}', "\u0000"])
async def test_what_is_no_message_is_quarantined(rig: Rig, body: str) -> None:
    outcome = await rig.sender.handle(received(body))
    assert isinstance(outcome, Dead)
    assert outcome.reason.startswith("version" if "v9" in body else "unparseable")


async def large(rig: Rig, **changes: object) -> EmailMessage:
    """A mail that has gone by S3, as it is read from the queue."""
    one = message(body_text="x" * 60_000, **changes)
    return email_decoder.decode((await Bodies(rig.bucket).outgoing(one)).body)


async def test_a_large_mail_is_fetched_sent_whole_and_recorded(rig: Rig) -> None:
    name = Attachment(filename="a.pdf", content_type="application/pdf", content="aGVsbG8=")
    one = await large(rig, attachments=[name], metadata={"a": "1"})
    assert await rig.handle(one) == Done()
    (sent,) = rig.ses.sent
    assert sent.content.simple is not None
    assert sent.content.simple.body.text is not None
    assert len(sent.content.simple.body.text.data) == 60_000
    assert [one.raw_content for one in sent.content.simple.attachments] == [b"hello"]
    record = await rig.parts.record(one.email_id)
    assert record is not None
    assert (record.status, record.subject, record.metadata) == ("sent", "Hi", '{"a":"1"}')


async def test_a_large_mail_that_breaks_a_rule_is_rejected_like_a_small_one(rig: Rig) -> None:
    broken = Attachment(filename="a.exe", content_type="a/b", content="A" * 60_000)
    assert await rig.handle(await large(rig, attachments=[broken])) == Done()
    (event,) = await rig.announced()
    assert event.status == "rejected"
    assert event.reason.startswith("attachments[0].filename: file_type: ")
    assert rig.ses.sent == []


async def test_a_missing_body_is_waited_for_and_then_fails_the_mail(rig: Rig) -> None:
    one = await large(rig)
    rig.bucket.objects.clear()
    first, last = await rig.handle(one, receives=1), await rig.handle(one, receives=4)
    assert isinstance(first, Retry)
    assert isinstance(last, Retry)
    assert 3 < first.after_s < last.after_s
    assert await rig.parts.record(one.email_id) is None
    assert await rig.handle(one, receives=5) == Done()
    (event,) = await rig.announced()
    assert (event.status, event.reason[:13]) == ("failed", "body_missing:")
    assert rig.ses.sent == []


async def test_a_pointer_to_what_is_not_ours_is_quarantined_unread(rig: Rig) -> None:
    one = await large(rig)
    stolen = msgspec.structs.replace(one, tenant="other")
    outcome = await rig.handle(stolen)
    assert isinstance(outcome, Dead)
    assert outcome.reason.startswith("claim_check: ")
    assert rig.bucket.asked == []
    assert rig.ses.sent == []


async def test_a_time_that_is_none_is_quarantined(rig: Rig) -> None:
    raw = json.loads(received(message()).body) | {"queuedAt": "yesterday"}
    assert isinstance(await rig.sender.handle(received(json.dumps(raw))), Dead)


async def test_while_stopping_a_mail_without_a_slot_is_handed_back_unclaimed(parts: Parts) -> None:
    one, rig, stop = message(), Rig(parts), Stop()
    stop.set()
    await rig.slots.run(stop)
    assert await rig.handle(one) == Retry(0, "stopping")
    assert await parts.record(one.email_id) is None


@pytest.mark.parametrize(
    ("tenant", "sender_id", "reason"),
    [
        ("nobody", INGEST, "tenant"),
        ("closed", INGEST, "tenant"),
        ("shop", "AROASTRANGERSTRANGERS:i-1", "auth"),
        ("shop", None, "auth"),
        ("default", SHOP, "auth"),
    ],
)
async def test_who_may_not_speak_for_a_tenant_is_quarantined_and_leaves_no_trace(
    rig: Rig, tenant: str, sender_id: str | None, reason: str
) -> None:
    await known(rig.parts, Tenant(tenant="closed", enabled=False))
    await known(rig.parts, Tenant(tenant="shop", principals=[SHOP]))
    one = msgspec.structs.replace(message(), tenant=tenant)
    outcome = await rig.handle(one, sender_id=sender_id)
    assert isinstance(outcome, Dead)
    assert outcome.reason.partition(":")[0] == reason
    assert await rig.parts.record(one.email_id) is None
    assert not rig.ses.sent


async def test_a_principal_of_the_tenant_may_send_for_it(rig: Rig) -> None:
    await known(rig.parts, Tenant(tenant="shop", principals=[SHOP]))
    one = msgspec.structs.replace(message(), tenant="shop")
    assert await rig.handle(one, sender_id=SHOP) == Done()
    assert len(rig.ses.sent) == 1


async def test_a_domain_that_is_not_the_tenants_ends_as_rejected(rig: Rig) -> None:
    await known(rig.parts, Tenant(tenant="bound", domains=["bücher.example"]))
    bad, good = (
        msgspec.structs.replace(message(from_=f"x@{domain}"), tenant="bound")
        for domain in ("mail.xn--bcher-kva.example", "xn--bcher-kva.example")
    )
    assert [await rig.handle(bad), await rig.handle(good)] == [Done(), Done()]
    (event,) = await rig.announced()
    assert (event.email_id, event.status) == (bad.email_id, "rejected")
    assert event.reason.startswith("from: from_domain: ")
    assert len(rig.ses.sent) == 1
