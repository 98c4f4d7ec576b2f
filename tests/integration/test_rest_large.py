"""Large mail and attachments at the REST door."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest

from infra.local.stack import Stack
from ingest.emails import BATCHES_BYTES
from mailpipe.bodies import Bodies
from mailpipe.messages import email_decoder
from mailpipe.outbox import MemoryBucket
from mailpipe.outcomes import CallFailed, Kind
from tests.integration.rest_door import MAIL, Door, Said, open_door

LARGE = {**MAIL, "bodyText": "ü" * 40_000}
FILE = {
    "filename": "Übersicht.pdf",
    "contentType": "application/pdf",
    "content": base64.b64encode(bytes(60_000)).decode(),
}


class Failing(MemoryBucket):
    """A bucket that fails, or is slow, while it is told so."""

    broken = False

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()
        self.answers.set()
        self.puts = asyncio.Semaphore(0)

    async def put(self, key: str, body: bytes) -> None:
        self.puts.release()
        await self.answers.wait()
        if self.broken:
            raise CallFailed(Kind.IN_DOUBT, "SlowDown")
        await super().put(key, body)


@pytest.fixture(scope="module")
async def bucket() -> Failing:
    return Failing()


@pytest.fixture(scope="module")
async def door(cloud_environment: Stack, bucket: Failing) -> AsyncIterator[Door]:
    async with open_door(cloud_environment, bucket=bucket) as opened:
        yield opened


async def test_a_large_mail_leaves_its_body_in_s3_and_its_record_whole(
    door: Door, bucket: Failing
) -> None:
    said = await door.send(attachments=[FILE], metadata={"a": 1})
    assert said.status == 202
    (one,) = await door.queued("transactional")
    message = email_decoder.decode(one.body)
    assert (message.email.attachments, len(one.body) < 5_000) == ([], True)
    whole = await Bodies(bucket).whole(message)
    assert whole.email.attachments[0].content == FILE["content"]
    record = await door.record(said.body["emailId"])
    assert record is not None
    assert (record.subject, record.metadata_values()) == (MAIL["subject"], {"a": 1})


@pytest.mark.parametrize("text", ["ü" * 40_000, "x" * 40_000])
async def test_a_batch_holds_large_and_small_mail_in_order(
    door: Door, bucket: Failing, text: str
) -> None:
    """The body is read in a thread, or on the event loop."""
    large = {**MAIL, "bodyText": text}
    broken = {**MAIL, "attachments": [{**FILE, "filename": "../x"}]}
    entries = [MAIL, large, broken, {**large, "attachments": [FILE]}, MAIL]
    said = await door.ask("POST", "/send-emails", json={"emails": entries})
    assert (said.status, said.body["accepted"]) == (202, 4)
    refused = said.body["results"][2]["details"]
    assert refused == {"field": "emails[2].attachments[0].filename", "constraint": "file_name"}
    by_id = {
        message.email_id: message.email
        for one in await door.queued("bulk")
        for message in [await Bodies(bucket).whole(email_decoder.decode(one.body))]
    }
    order = [by_id.get(one.get("emailId")) for one in said.body["results"]]
    sizes = [one and len(one.body_text or "") + len(one.attachments) for one in order]
    assert sizes == [len(MAIL["bodyText"]), 40_000, None, 40_001, len(MAIL["bodyText"])]


async def test_while_s3_does_not_answer_only_large_mail_waits(door: Door, bucket: Failing) -> None:
    bucket.broken = True
    try:
        one = await door.ask("POST", "/send-email", json=LARGE)
        assert (one.status, one.body["error"]) == (503, "SERVICE_UNAVAILABLE")
        assert "Retry-After" in one.headers
        many = await door.ask("POST", "/send-emails", json={"emails": [LARGE, MAIL]})
    finally:
        bucket.broken = False
    assert (many.status, [one["success"] for one in many.body["results"]]) == (202, [False, True])
    assert many.body["results"][0]["error"] == "SERVICE_UNAVAILABLE"
    assert len(await door.queued("bulk")) == 1
    assert await door.queued("transactional") == []


async def test_batches_that_wait_for_s3_hold_up_no_other(door: Door, bucket: Failing) -> None:
    async def ask(*entries: object) -> Said:
        return await door.ask("POST", "/send-emails", json={"emails": entries})

    bucket.answers.clear()
    bucket.puts = asyncio.Semaphore(0)
    count = 2 + BATCHES_BYTES // len(json.dumps(LARGE))
    waiting = [asyncio.create_task(ask(LARGE)) for _ in range(count)]
    try:
        async with asyncio.timeout(10):
            for _ in waiting:
                await bucket.puts.acquire()
            assert (await ask(MAIL)).status == 202
    finally:
        bucket.answers.set()
    assert [said.status for said in await asyncio.gather(*waiting)] == [202] * count
    assert len(await door.queued("bulk")) == count + 1


@pytest.mark.parametrize(
    ("changes", "field", "constraint"),
    [
        ({"attachments": [{**FILE, "content": "x" * 60_001}]}, "attachments[0].content", "base64"),
        ({"attachments": [{**FILE, "content": "AAAA"}] * 101}, "attachments", "max_items"),
        ({"attachments": [{"filename": "a"}]}, "attachments[0].contentType", "required"),
        ({"attachments": [{**FILE, "url": "x"}]}, "attachments[0].url", "unknown_field"),
    ],
)
async def test_a_broken_attachment_is_refused_with_its_place(
    door: Door, bucket: Failing, changes: dict[str, object], field: str, constraint: str
) -> None:
    bucket.objects.clear()
    said = await door.ask("POST", "/send-email", json={**MAIL, **changes})
    assert said.status == 400
    assert said.body["details"] == {"field": field, "constraint": constraint}
    assert bucket.objects == {}
