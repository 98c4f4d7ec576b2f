"""`POST /emails/{emailId}/cancel` and `/reschedule`, over HTTP and the local cloud."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from infra.local.stack import Stack
from mailpipe import resources
from mailpipe.aws.table import Tables
from mailpipe.messages import own_event_decoder
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.partiql import Statement
from mailpipe.statements import EmailStatements
from mailpipe.status import DELIVERED
from mailpipe.testing import InMemoryQueue
from mailpipe.timing import iso, now_ms
from tests.integration.conftest import PREFIX
from tests.integration.rest_door import OTHER_KEY, READ_ONLY_KEY, Door, Said, open_door

WRITES = EmailStatements(PREFIX)
TOMORROW = iso(now_ms() + 86_400_000)


@pytest.fixture(scope="module")
async def events() -> InMemoryQueue:
    return InMemoryQueue(resources.SES_EVENTS)


@pytest.fixture(scope="module")
async def door(cloud_environment: Stack, events: InMemoryQueue) -> AsyncIterator[Door]:
    async with open_door(cloud_environment, events=events) as opened:
        yield opened


async def cancel(door: Door, email_id: str, **given: Any) -> Said:
    return await door.ask("POST", f"/emails/{email_id}/cancel", **given)


async def reschedule(door: Door, email_id: str, send_at: Any = TOMORROW, **given: Any) -> Said:
    body = {"sendAt": send_at}
    return await door.ask("POST", f"/emails/{email_id}/reschedule", json=body, **given)


async def sent(door: Door) -> str:
    said = await door.send()
    assert said.status == 202
    return str(said.body["emailId"])


async def test_a_mail_is_cancelled_once_and_twice_is_the_same(
    door: Door, events: InMemoryQueue
) -> None:
    email_id = await sent(door)
    for _ in range(2):
        said = await cancel(door, email_id)
        assert said.status == 200
        assert said.body == {"success": True, "emailId": email_id, "status": "cancelled"}
    status = await door.ask("GET", f"/status/{email_id}")
    assert (status.body["status"], status.body["reason"]) == ("cancelled", "cancelled by its owner")
    (message,) = await events.receive(10, wait_s=0)
    await events.delete([message.receipt])
    event = own_event_decoder.decode(message.body)
    assert (event.email_id, event.status) == (email_id, "cancelled")


async def test_a_mail_gets_another_time_and_loses_it_again(door: Door) -> None:
    email_id = await sent(door)
    for _ in range(2):
        said = await reschedule(door, email_id)
        assert said.status == 200
        assert said.body == {
            "success": True,
            "emailId": email_id,
            "status": "scheduled",
            "sendAt": TOMORROW,
        }
    status = await door.ask("GET", f"/status/{email_id}")
    assert (status.body["status"], status.body["sendAt"]) == ("scheduled", TOMORROW)
    at_once = await reschedule(door, email_id, "1970-01-01T00:00:00+01:00")
    assert (at_once.status, at_once.body["status"]) == (200, "pending")


async def test_what_a_sender_has_had_or_has_ended_is_a_conflict_that_names_its_status(
    door: Door,
) -> None:
    email_id = await sent(door)
    claim = WRITES.claim(
        *(email_id, "default"),
        attempts=0,
        version=0,
        fingerprint=None,
        token="me",
        lease_until_ms=now_ms() + 60_000,
    )
    raised = WRITES.raise_to(
        *(email_id, DELIVERED),
        source="h",
        at_ms=1,
        proves=None,
        sent_at_ms=None,
        ttl=None,
    )
    for write, status in ((claim, "sending"), (WRITES.release(email_id, "me"), "pending")):
        await door.tables.write(write)
        await conflict(door, email_id, status)
    await door.tables.write(raised)
    await conflict(door, email_id, "delivered")
    other = await sent(door)
    await cancel(door, other)
    said = await reschedule(door, other)
    assert (said.status, said.body["error"]) == (409, "CONFLICT")
    assert "cancelled" in said.body["message"]


async def conflict(door: Door, email_id: str, status: str) -> None:
    before = await door.record(email_id)
    for said in (await cancel(door, email_id), await reschedule(door, email_id)):
        assert (said.status, said.body["success"], said.body["error"]) == (409, False, "CONFLICT")
        assert f" is {status}" in said.body["message"]
    assert await door.record(email_id) == before


async def test_nobody_recalls_what_is_not_theirs(door: Door) -> None:
    email_id = await sent(door)
    before = await door.record(email_id)
    for key, status in ((OTHER_KEY, 404), (READ_ONLY_KEY, 403), ("mp_wrong", 401)):
        assert (await cancel(door, email_id, key=key)).status == status
        assert (await reschedule(door, email_id, key=key)).status == status
    assert await door.record(email_id) == before


@pytest.mark.parametrize("email_id", ["nothing", "..%2f", "x" * 3000, "%D9%A1", "a#1", "$ne"])
async def test_an_id_that_nobody_has_is_not_found(door: Door, email_id: str) -> None:
    assert (await cancel(door, email_id.replace("#", "%23"))).status == 404
    assert (await reschedule(door, email_id.replace("#", "%23"))).status == 404


@pytest.mark.parametrize(
    ("body", "field", "constraint"),
    [
        ({}, "sendAt", "required"),
        ({"sendAt": None}, "sendAt", "type"),
        ({"sendAt": 5}, "sendAt", "type"),
        ({"sendAt": ""}, "sendAt", "time"),
        ({"sendAt": "2026-11-24T10:00:00"}, "sendAt", "time"),
        ({"sendAt": "2026-02-30T10:00:00Z"}, "sendAt", "time"),
        ({"sendAt": TOMORROW, "emailId": "x"}, "emailId", "unknown_field"),
        ([], "body", "type"),
    ],
)
async def test_a_time_that_is_none_is_named(
    door: Door, body: Any, field: str, constraint: str
) -> None:
    said = await door.ask("POST", f"/emails/{await sent(door)}/reschedule", json=body)
    assert (said.status, said.body["error"]) == (400, "VALIDATION_ERROR")
    assert said.body["details"] == {"field": field, "constraint": constraint}


class Failing:
    """Tables whose writes happen and are answered with a failure, or never."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.fails: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tables, name)

    async def write(self, statement: Statement) -> Any:
        if self.fails == "throttled":
            raise CallFailed(Kind.THROTTLED, "Throttled")
        fate = await self._tables.write(statement)
        if self.fails == "lost":
            raise CallFailed(Kind.IN_DOUBT, "InternalServerError")
        if self.fails == "silent":
            await asyncio.Event().wait()
        return fate


@pytest.mark.parametrize("fails", ["throttled", "lost", "silent"])
async def test_a_store_that_fails_is_answered_with_503_and_a_repeat_does_the_rest(
    cloud_environment: Stack, fails: str
) -> None:
    stores = list[Failing]()

    def made(tables: Tables) -> Failing:
        stores.append(Failing(tables))
        return stores[0]

    patience = {"answer_timeout_s": 0.3} if fails == "silent" else {}
    async with (
        open_door(cloud_environment) as patient,
        open_door(cloud_environment, stores=made, **patience) as door,
    ):
        email_id, other = await sent(patient), await sent(patient)
        stores[0].fails = fails
        for said in (await cancel(door, email_id), await reschedule(door, other)):
            assert (said.status, said.body["error"]) == (503, "SERVICE_UNAVAILABLE")
            assert said.headers["Retry-After"] == "2"
        assert (await cancel(patient, email_id)).status == 200
        assert (await reschedule(patient, other)).body["sendAt"] == TOMORROW
        record = await door.record(email_id)
        assert record is not None
        assert (record.status, record.is_open) == ("cancelled", False)
