"""The simulator's faults, each seen at the client, in the log and in the events."""

import asyncio
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from loadtest.checker import read_log
from tests.integration.simulator.conftest import Running


async def fault(running: Running, kind: str, **more: Any) -> None:
    """Set one."""
    await running.control("PUT", "faults", {"faults": [{"kind": kind, **more}]})


async def test_accept_then_drop(running: Running) -> None:
    await fault(running, "drop_after_accept", count=1)
    with pytest.raises(ConnectionClosedError):
        await running.send("a@example.net")
    (attempt,) = running.attempts()
    assert attempt["verdict"] == "accepted"
    assert await running.events(attempt["messageId"], 2)
    assert await running.send()


async def test_accept_then_stall(running: Running) -> None:
    await fault(running, "stall_after_accept", seconds=30)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(running.send(), 3)
    (attempt,) = running.attempts()
    assert (attempt["verdict"], await running.events(attempt["messageId"], 2)) != ("refused", [])
    await running.control("DELETE", "faults")


async def test_an_error_without_accepting_and_a_share_of_throttles(running: Running) -> None:
    await fault(running, "error_before_accept", status=502, count=1)
    with pytest.raises(ClientError) as raised:
        await running.send()
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 502
    await fault(running, "throttle", share=0.5)
    codes = list[str]()
    for _ in range(60):
        try:
            codes.append(await running.send())
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert 15 <= codes.count("TooManyRequestsException") <= 45
    refused, *others = running.attempts()
    assert (refused["verdict"], refused["messageId"]) == ("refused", None)
    assert all("fault" in one for one in others if one["verdict"] == "throttled")


async def test_an_event_before_the_answer(running: Running) -> None:
    await fault(running, "event_before_answer", seconds=4)
    await asyncio.to_thread(running.receive)  # the message about the new destination
    sending = asyncio.create_task(running.send())
    (event,) = await asyncio.to_thread(running.receive)
    assert event["eventType"] == "Send"
    assert not sending.done()
    assert await sending == event["mail"]["messageId"]


async def test_events_doubled_and_withheld(running: Running) -> None:
    await fault(running, "duplicate", operation="Delivery", copies=2, seconds=0.1)
    message_id = await running.send("a@example.net")
    found = await running.events(message_id, 4)
    assert sorted(one["eventType"] for one in found) == ["Delivery"] * 3 + ["Send"]
    await fault(running, "withhold", operation="Delivery", match="late@")
    message_id = await running.send("late@example.net")
    assert [one["eventType"] for one in await running.events(message_id, 1)] == ["Send"]
    await asyncio.sleep(0.4)  # longer than a delivery takes
    told = [line for line in read_log(running.log) if line.get("messageId") == message_id]
    assert [line.get("eventType") for line in told if line["kind"] == "event"] == ["Send"]
    await running.control("DELETE", "faults")
    (delivery,) = await running.events(message_id, 1)
    assert delivery["eventType"] == "Delivery"


async def test_events_delayed_and_reordered(running: Running) -> None:
    faults = [
        {"kind": "delay", "operation": "Send", "seconds": 1.5, "match": "slow@"},
        {"kind": "reorder", "operation": "*", "seconds": 2, "match": "mixed"},
    ]
    await running.control("PUT", "faults", {"faults": faults})
    message_id = await running.send("slow@example.net")
    found = await running.events(message_id, 2)
    assert [one["eventType"] for one in found] == ["Delivery", "Send"]
    several = [await running.send(f"mixed{number}@example.net") for number in range(12)]
    orders = [[one["eventType"] for one in await running.published(sent, 2)] for sent in several]
    assert {tuple(order) for order in orders} == {("Send", "Delivery"), ("Delivery", "Send")}
