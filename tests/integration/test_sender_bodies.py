"""Large mail at the sender, over the local cloud."""

import asyncio

import msgspec

from mailpipe.bodies import Bodies
from mailpipe.messages import (
    Attachment,
    EmailMessage,
    email_decoder,
)
from mailpipe.outcomes import Dead, Done, Retry
from mailpipe.tenants import Tenant
from mailpipe.timing import now_ms
from tests.integration.conftest import message
from tests.integration.sender_rig import Rig, known, rig

__all__ = ["rig"]


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
    await known(rig.parts, Tenant(tenant="other"))
    one = await large(rig)
    stolen = msgspec.structs.replace(one, tenant="other")
    outcome = await rig.handle(stolen)
    assert isinstance(outcome, Dead)
    assert outcome.reason.startswith("claim_check: ")
    assert rig.bucket.asked == []
    assert rig.ses.sent == []


async def huge(rig: Rig) -> EmailMessage:
    """A mail above 256 KB."""
    one = message(body_text="x" * 300_000)
    return email_decoder.decode((await Bodies(rig.bucket).outgoing(one)).body)


async def test_mail_above_256_kb_takes_its_own_path_and_its_claim_lives_longer(rig: Rig) -> None:
    one, until_ms = await huge(rig), list[int]()

    async def look() -> None:
        record = await rig.parts.record(one.email_id)
        assert record is not None
        until_ms.append(record.lease_until - now_ms())

    rig.large.before_gate = look
    assert await rig.handle(one) == Done()
    assert (len(rig.large.sent), len(rig.ses.sent)) == (1, 0)
    assert until_ms[0] > 11_000  # ten seconds are the usual, and three are for its upload


async def test_small_mail_does_not_wait_behind_large_mail(rig: Rig) -> None:
    """One large mail may be in hand here: the next one comes back, and small mail goes."""
    uploading, uploaded = asyncio.Event(), asyncio.Event()

    async def upload() -> None:
        uploading.set()
        await uploaded.wait()

    rig.large.before_gate = upload
    first = asyncio.create_task(rig.handle(await huge(rig)))
    await uploading.wait()
    second = await huge(rig)
    put_off = await rig.handle(second)
    assert isinstance(put_off, Retry)
    assert 5 <= put_off.after_s <= 15
    assert await rig.parts.record(second.email_id) is None
    assert await rig.handle(message()) == Done()
    uploaded.set()
    assert await first == Done()
    assert await rig.handle(second) == Done()
    assert len(rig.large.sent) == 2
