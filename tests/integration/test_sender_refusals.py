"""What the sender does not send, and how that ends, over the local cloud."""

import json

import msgspec
import pytest

from ingest.views import status
from mailpipe import records, resources
from mailpipe.outcomes import Dead, Done
from mailpipe.partiql import insert_into
from mailpipe.statements import EmailStatements
from mailpipe.tenants import Tenant
from mailpipe.timing import iso, now_ms
from tests.integration.conftest import PREFIX, message, received
from tests.integration.sender_rig import INGEST, SHOP, Rig, known, rig

__all__ = ["rig"]


BROKEN = [
    ({"from_": "a\r\nBcc: x@y.z <a@example.com>"}, "from", "control_characters"),
    ({"headers": {"Bcc": "x"}}, "headers.Bcc", "reserved"),
    ({"subject": "x" * 600_000}, "subject", "max_length"),
    ({"to": ["x" * 600_000]}, "to[0]", "max_length"),
    ({"metadata": {"a": "x" * 600_000}}, "metadata", "max_bytes"),
]
"""Some are more than an item of DynamoDB takes: they end with their reason all the same. All rules
are held on the queue by the corpus of both doors (`make prove-doors`).
"""


async def test_broken_and_expired_mail_ends_without_ses(rig: Rig) -> None:
    broken = message(subject="")
    expired = msgspec.structs.replace(message(), queued_at=iso(now_ms() - 4 * 86_400_000))
    assert [await rig.handle(broken), await rig.handle(expired)] == [Done(), Done()]
    assert [event.status for event in await rig.announced()] == ["rejected", "expired"]
    assert rig.ses.sent == []


@pytest.mark.parametrize(("changes", "field", "constraint"), BROKEN)
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
    born = records.USUAL | records.born(
        one.email_id, one.tenant, records.fields_of(one), fingerprint=one.fingerprint
    )
    await rig.parts.tables.write(EmailStatements(PREFIX).insert(born))
    for thief in (other, unkeyed, msgspec.structs.replace(other, recorded=False)):
        assert await rig.handle(thief) == Dead("key_conflict")
    assert rig.ses.sent == []
    assert await rig.handle(one) == Done()
    assert len(rig.ses.sent) == 1


async def test_a_record_of_before_fingerprints_is_claimed_by_unkeyed_mail_alone(rig: Rig) -> None:
    one = msgspec.structs.replace(message(), recorded=True)
    born = records.USUAL | records.born(one.email_id, one.tenant, records.fields_of(one))
    del born["fingerprint"]
    await rig.parts.tables.write(insert_into(PREFIX, resources.EMAIL_TRACKING, born))
    keyed = msgspec.structs.replace(one, fingerprint="one")
    assert await rig.handle(keyed) == Dead("key_conflict")
    assert await rig.handle(one) == Done()
    assert len(rig.ses.sent) == 1


async def test_of_two_mails_under_a_key_without_a_record_the_first_is_sent(rig: Rig) -> None:
    one = msgspec.structs.replace(message(), fingerprint="one")
    other = msgspec.structs.replace(one, fingerprint="other")
    assert [await rig.handle(one), await rig.handle(other)] == [Done(), Dead("key_conflict")]
    assert [await rig.handle(one), len(rig.ses.sent)] == [Done(), 1]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        *((body, "unparseable") for body in ("", "[]", "{}", "\u0000")),
        ('{"type":"email.v9"}', "version"),
    ],
)
async def test_what_is_no_message_is_quarantined(rig: Rig, body: str, reason: str) -> None:
    outcome = await rig.sender.handle(received(body))
    assert isinstance(outcome, Dead)
    assert outcome.reason.partition(":")[0] == reason


async def test_a_time_that_is_none_is_quarantined(rig: Rig) -> None:
    raw = json.loads(received(message()).body) | {"queuedAt": "yesterday"}
    assert isinstance(await rig.sender.handle(received(json.dumps(raw))), Dead)


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
