"""Mail that is cancelled, or goes at another time, through the running pipeline."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from infra.local.cloud import LOCAL_KEY
from infra.local.mails import Doors, mail_to
from infra.local.stack import Stack
from tests.acceptance.test_pipeline import arrived, ended, eventually, said_sent


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def recall(
    stack: Stack, http: aiohttp.ClientSession, email_id: str, what: str, **body: Any
) -> tuple[int, dict[str, Any]]:
    url = f"{stack.ingest_url}/emails/{email_id}/{what}"
    async with http.post(url, json=body or None, headers={"X-API-Key": LOCAL_KEY}) as answer:
        return answer.status, await answer.json()


async def test_a_cancelled_mail_is_told_to_the_endpoints_and_never_sent(
    stack: Stack, doors: Doors, http: aiohttp.ClientSession
) -> None:
    """1. A mail for later. 2. It is cancelled, twice. 3. It is not to go at another time.

    Expected: `email.cancelled` at each endpoint, once; no word of it at SES.
    """
    mail = {**mail_to("success+cancelled", 1), "sendAt": in_seconds(8)}
    email_id = (await doors.send("rest", mail))["emailId"]
    for _ in range(2):
        status, said = await recall(stack, http, email_id, "cancel")
        assert (status, said["status"]) == (200, "cancelled")
    status, said = await recall(stack, http, email_id, "reschedule", sendAt=in_seconds(1))
    assert (status, said["error"]) == (409, "CONFLICT")
    came = await eventually(lambda: len(found := arrived(stack, email_id)) >= 2 and found)
    assert {line["type"] for line in came} == {"email.cancelled"}
    assert {line["endpoint"] for line in came} == {"one", "two"}
    other = await doors.send("rest", {**mail, "sendAt": in_seconds(8)})
    await ended(doors, other["emailId"], "delivered")  # by then the first would have gone, too
    assert said_sent(stack, email_id) == []
    assert (await doors.status(email_id))["status"] == "cancelled"


async def test_a_mail_goes_at_its_new_time_once(
    stack: Stack, doors: Doors, http: aiohttp.ClientSession
) -> None:
    """1. A mail for the next day. 2. It is to go in five seconds instead.

    Expected: SES gets it then, not before, and once; afterwards it is too late for another time.
    """
    later = {**mail_to("success+moved", 1), "sendAt": in_seconds(86_400)}
    email_id = (await doors.send("sdk", later))["emailId"]
    await ended(doors, email_id, "scheduled")
    begun_ns = time.monotonic_ns()
    status, said = await recall(stack, http, email_id, "reschedule", sendAt=in_seconds(5))
    assert (status, said["status"]) == (200, "scheduled")
    await ended(doors, email_id, "delivered")
    (attempt,) = said_sent(stack, email_id)
    assert attempt["t_ns"] - begun_ns >= 4.99e9
    status, said = await recall(stack, http, email_id, "cancel")
    assert (status, said["error"]) == (409, "CONFLICT")
    assert "delivered" in said["message"]
