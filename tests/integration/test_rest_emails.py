"""Sending and looking by the REST door, over the local cloud."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from infra.local.stack import Stack
from mailpipe import records, resources
from mailpipe.messages import RecordFields, email_decoder, keyed_email_id
from mailpipe.statements import EmailStatements
from mailpipe.timing import iso, now_ms
from tests.integration.conftest import PREFIX
from tests.integration.rest_door import MAIL, OTHER_KEY, READ_ONLY_KEY, Door, open_door

WRITES = EmailStatements(PREFIX)


@pytest.fixture(scope="module")
async def door(cloud_environment: Stack) -> AsyncIterator[Door]:
    async with open_door(cloud_environment) as opened:
        yield opened


@pytest.fixture(autouse=True)
async def empty(door: Door) -> None:
    for stream in resources.LANES:
        await door.queued(stream)


async def test_a_mail_is_on_its_queue_and_recorded_before_the_yes(door: Door) -> None:
    said = await door.send(stream="bulk", metadata={"a": 1})
    assert (said.status, said.body["status"]) == (202, "pending")
    (one,) = await door.queued("bulk")
    message = email_decoder.decode(one.body)
    assert (message.email_id, message.tenant) == (said.body["emailId"], "default")
    record = await door.record(message.email_id)
    assert record is not None
    assert (record.stream, record.metadata_values(), record.fingerprint) == ("bulk", {"a": 1}, "-")


async def test_mail_for_later_is_scheduled_and_its_status_shows_when(door: Door) -> None:
    send_at, expires_at = (iso(now_ms() + in_ms) for in_ms in (3_600_000, 7_200_000))
    times = {"sendAt": send_at.lower(), "expiresAt": expires_at, "inDoubt": "unknown"}
    said = await door.send(headers={"Prefer": "wait=20"}, **times)
    assert (said.status, said.body["status"]) == (202, "scheduled")
    assert "Preference-Applied" not in said.headers
    shown = (await door.ask("GET", f"/status/{said.body['emailId']}")).body
    found = (shown["status"], shown["sendAt"], shown["expiresAt"])
    assert found == ("scheduled", send_at, expires_at)
    emails = [MAIL | {"sendAt": send_at}, MAIL | {"sendAt": "2020-01-01T00:00:00Z"}]
    batch = await door.ask("POST", "/send-emails", json={"emails": emails})
    assert [one["status"] for one in batch.body["results"]] == ["scheduled", "pending"]


async def test_every_further_recipient_has_a_stub_that_is_no_record(door: Door) -> None:
    several = {"to": ["s1@example.net", "S2@example.net"], "cc": ["Three <s3@example.net>"]}
    said = await door.send(**several)
    email_id = said.body["emailId"]
    for number, address in ((1, "s2@example.net"), (2, "s3@example.net")):
        key = {"emailId": f"{email_id}#{number}"}
        stub = await door.tables.get(resources.EMAIL_TRACKING, key)
        assert stub is not None
        assert stub.keys() == {"emailId", "recipientKey", "createdAt", "ttl"}
        assert stub["recipientKey"] == resources.recipient_key("default", address)
    assert (await door.ask("GET", f"/status/{email_id}%231")).status == 404
    assert (await door.ask("GET", f"/status/{email_id}")).status == 200


@pytest.mark.parametrize(
    ("body", "field", "constraint"),
    [
        ({**MAIL, "subject": ""}, "subject", "required"),
        ({**MAIL, "sendAt": "2026-11-24T10:00:00"}, "sendAt", "time"),
        ({**MAIL, "status": "sent"}, "status", "unknown_field"),
        ({}, "to", "required"),
    ],
)
async def test_a_refusal_names_field_and_constraint_and_stores_nothing(
    door: Door, body: dict[str, Any], field: str, constraint: str
) -> None:
    said = await door.ask("POST", "/send-email", json=body)
    assert (said.status, said.body["error"]) == (400, "VALIDATION_ERROR")
    assert said.body["details"] == {"field": field, "constraint": constraint}
    assert await door.queued("transactional") == []


async def test_a_batch_answers_for_each_entry_in_order(door: Door) -> None:
    entries = [
        MAIL,
        {**MAIL, "to": ["nobody"]},
        {**MAIL, "stream": "transactional"},
        {**MAIL, "extra": 1},
        17,
        {**MAIL, "idempotencyKey": " "},
        {**MAIL, "idempotencyKey": "batch-1"},
        {**MAIL, "idempotencyKey": "batch-1"},
        {**MAIL, "idempotencyKey": "batch-1", "subject": "other"},
    ]
    said = await door.ask("POST", "/send-emails", json={"emails": entries})
    assert (said.status, said.body["success"]) == (202, False)
    results = said.body["results"]
    assert (said.body["accepted"], said.body["refused"]) == (4, 5)
    fields = [one.get("details", {}).get("field") for one in results]
    assert fields == [
        *(None, "emails[1].to[0]", None, "emails[3].extra", "emails[4]"),
        *("emails[5].idempotencyKey", None, None, None),
    ]
    assert [one.get("error") for one in results][-1] == "IDEMPOTENCY_CONFLICT"
    assert results[6]["emailId"] == results[7]["emailId"] == keyed_email_id("default", "batch-1")
    bulk = {email_decoder.decode(one.body).email_id for one in await door.queued("bulk")}
    assert bulk == {results[0]["emailId"], results[6]["emailId"]}
    (fast,) = await door.queued("transactional")
    assert email_decoder.decode(fast.body).email_id == results[2]["emailId"]
    for accepted in (0, 2, 6):
        assert await door.record(results[accepted]["emailId"]) is not None


async def test_a_batch_with_nothing_wrong_in_it_keeps_its_keys_and_lanes(door: Door) -> None:
    """Which is read another way than one with a bad entry."""
    keyed = {**MAIL, "idempotencyKey": "whole-1"}
    entries = [keyed, {**MAIL, "stream": "transactional"}, keyed]
    said = await door.ask("POST", "/send-emails", json={"emails": entries})
    assert (said.status, said.body["success"], said.body["accepted"]) == (202, True, 3)
    first, fast, again = [one["emailId"] for one in said.body["results"]]
    assert first == again == keyed_email_id("default", "whole-1")
    (queued,) = await door.queued("transactional")
    assert email_decoder.decode(queued.body).email_id == fast


@pytest.mark.parametrize(
    ("emails", "status", "error", "constraint"),
    [
        ([], 400, "VALIDATION_ERROR", "min_items"),
        ([{}] * 501, 413, "PAYLOAD_TOO_LARGE", "max_items"),
        ("x", 400, "VALIDATION_ERROR", "type"),
    ],
)
async def test_a_batch_has_1_to_500_entries(
    door: Door, emails: Any, status: int, error: str, constraint: str
) -> None:
    said = await door.ask("POST", "/send-emails", json={"emails": emails})
    assert (said.status, said.body["error"]) == (status, error)
    assert said.body["details"] == {"field": "emails", "constraint": constraint}


async def test_a_batch_of_bad_entries_is_refused_with_the_reason_of_each(door: Door) -> None:
    said = await door.ask("POST", "/send-emails", json={"emails": [{}, {**MAIL, "to": []}]})
    assert (said.status, said.body["accepted"]) == (400, 0)
    constraints = [one["details"]["constraint"] for one in said.body["results"]]
    assert constraints == ["required", "required"]


# --- idempotency ----------------------------------------------------------------------------------


async def test_a_repeat_under_a_key_is_the_same_mail_marked_as_a_replay(door: Door) -> None:
    key = {"Idempotency-Key": "order 1"}
    first = await door.send(headers=key)
    reordered = dict(reversed(MAIL.items()))
    again = await door.ask("POST", "/send-email", json=reordered, headers=list(key.items()))
    assert (first.status, again.status) == (202, 202)
    assert first.body["emailId"] == again.body["emailId"] == keyed_email_id("default", "order 1")
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(await door.queued("transactional")) == 1


async def test_another_mail_under_the_key_is_a_conflict_and_reaches_no_queue(door: Door) -> None:
    key = {"Idempotency-Key": "order-2"}
    assert (await door.send(headers=key)).status == 202
    other = await door.send(headers=key, subject="Other")
    assert (other.status, other.body["error"]) == (409, "IDEMPOTENCY_CONFLICT")
    (message,) = await door.queued("transactional")
    assert email_decoder.decode(message.body).email.subject == "Hi"
    of_another = await door.ask(
        "POST", "/send-email", json=MAIL, key=OTHER_KEY, headers=list(key.items())
    )
    assert of_another.status == 202
    assert of_another.body["emailId"] == keyed_email_id("other", "order-2")


async def test_a_key_whose_id_another_tenant_has_taken_says_so(door: Door) -> None:
    fields = RecordFields(stream="bulk", created_at=now_ms(), from_="b@example.com", to=[])
    taken = records.born(keyed_email_id("default", "taken"), "other", fields, fingerprint="f")
    await door.tables.write(WRITES.insert(taken))
    said = await door.send(headers={"Idempotency-Key": "taken"})
    assert (said.status, said.body["error"]) == (409, "IDEMPOTENCY_CONFLICT")
    assert "taken from outside" in said.body["message"]
    assert await door.queued("transactional") == []


async def test_twenty_at_once_under_a_key_are_one_mail(door: Door) -> None:
    key = {"Idempotency-Key": "at-once"}
    said = await asyncio.gather(*(door.send(headers=key) for _ in range(20)))
    assert {(one.status, one.body["emailId"]) for one in said} == {
        (202, keyed_email_id("default", "at-once"))
    }
    messages = [email_decoder.decode(one.body) for one in await door.queued("transactional")]
    assert len({(one.email_id, one.fingerprint) for one in messages}) == 1


async def test_of_two_mails_at_once_under_a_key_one_is_promised(door: Door) -> None:
    key = {"Idempotency-Key": "two-at-once"}
    said = await asyncio.gather(
        *(door.send(headers=key, subject=subject) for subject in ("A", "B"))
    )
    assert sorted(one.status for one in said) == [202, 409]
    record = await door.record(keyed_email_id("default", "two-at-once"))
    assert record is not None
    assert record.subject == "AB"[[one.status for one in said].index(202)]


@pytest.mark.parametrize("value", ["", "x" * 257, "ä"])
async def test_what_is_no_key_is_refused(door: Door, value: str) -> None:
    said = await door.send(headers={"Idempotency-Key": value})
    assert said.body["details"]["constraint"] == "idempotency_key_syntax"


async def test_two_keys_are_refused(door: Door) -> None:
    twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
    said = await door.ask("POST", "/send-email", json=MAIL, headers=twice)
    assert said.status == 400
    assert said.body["details"] == {"field": "Idempotency-Key", "constraint": "unique"}
    batch = await door.ask("POST", "/send-emails", json={"emails": [MAIL]}, headers=twice[:1])
    assert batch.body["details"]["constraint"] == "not_supported"


# --- waiting --------------------------------------------------------------------------------------


async def test_a_client_that_waits_hears_that_its_mail_was_sent(door: Door) -> None:
    asking = asyncio.create_task(
        door.send(headers={"Prefer": "respond-async, wait=20", "Idempotency-Key": "waits"})
    )
    email_id = keyed_email_id("default", "waits")
    while await door.record(email_id) is None:  # noqa: ASYNC110 - DynamoDB has no events
        await asyncio.sleep(0.02)
    await door.tables.write(WRITES.sent(email_id, 1, "ses-1", at_ms=now_ms()))
    said = await asking
    assert (said.status, said.body["messageId"], said.body["status"]) == (200, "ses-1", "sent")
    assert said.headers["Preference-Applied"] == "wait=20"
    replay = await door.send(headers={"Prefer": "wait=20", "Idempotency-Key": "waits"})
    assert (replay.status, replay.headers["Idempotent-Replayed"]) == (200, "true")


async def test_a_wait_that_is_over_ends_with_202(door: Door) -> None:
    said = await door.send(headers={"Prefer": "wait=1"})
    assert (said.status, said.body["status"]) == (202, "pending")


# --- who may see what -----------------------------------------------------------------------------


async def test_another_tenants_mail_is_not_found(door: Door) -> None:
    email_id = (await door.send()).body["emailId"]
    said = await door.ask("GET", f"/status/{email_id}", key=OTHER_KEY)
    assert (said.status, said.body["error"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("email_id", ["..%2f", "x" * 65, "%00", "٣", "a%20OR%201"])
async def test_what_can_be_no_id_is_not_found(door: Door, email_id: str) -> None:
    assert (await door.ask("GET", f"/status/{email_id}")).status == 404


async def test_a_key_without_the_scope_is_refused(door: Door) -> None:
    said = await door.ask("POST", "/send-email", json=MAIL, key=READ_ONLY_KEY)
    assert (said.status, said.body["error"]) == (403, "FORBIDDEN")
    said = await door.ask("GET", "/emails", key="wrong")
    assert (said.status, said.body["error"]) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("PUT", "/send-email", 405, "POST"),
        ("OPTIONS", "/webhooks", 405, "GET,HEAD,POST"),
        ("GET", "/nothing", 404, None),
    ],
)
async def test_what_the_server_refuses_has_the_apis_shape(
    door: Door, method: str, path: str, status: int, allow: str | None
) -> None:
    said = await door.ask(method, path)
    assert (said.status, said.body["success"]) == (status, False)
    assert said.headers.get("Allow") == allow
    assert "Access-Control-Allow-Origin" not in said.headers


async def test_a_head_is_answered_without_a_body(door: Door) -> None:
    for path, status in (("/health", 200), ("/send-email", 405), ("/nothing", 404)):
        said = await door.ask("HEAD", path)
        assert (said.status, said.body) == (status, None)
