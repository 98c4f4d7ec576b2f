"""The simulator by clients that are not ours: its events and its log."""

import asyncio
import json

import pytest
from botocore.exceptions import ClientError

from infra.local.stack import Stack
from tests.integration.simulator.conftest import Running, taken, topic_and_queue


async def test_a_new_destination_gets_a_message_that_is_no_json(running: Running) -> None:
    first = await asyncio.to_thread(running.receive)
    assert first == [{"text": "Successfully validated SNS topic for Amazon SES event publishing."}]


async def test_events_of_a_mail_reach_its_topic_with_its_tags(running: Running) -> None:
    tags = [{"Name": "email_id", "Value": "e1"}]
    message_id = await running.send("complaint+label@simulator.amazonses.com", EmailTags=tags)
    found = await running.events(message_id, 3)
    assert {one["eventType"] for one in found} == {"Send", "Delivery", "Complaint"}
    assert all(one["mail"]["tags"]["email_id"] == ["e1"] for one in found)


@pytest.mark.parametrize(
    "event_type",
    [
        *("Send", "Reject", "Bounce", "Complaint", "Delivery", "Open", "Click"),
        *("Rendering Failure", "DeliveryDelay", "Subscription"),
    ],
)
async def test_any_event_can_be_published_by_hand(running: Running, event_type: str) -> None:
    message_id = await running.send()
    await running.events(message_id, 2)
    await running.control(
        "POST",
        "events",
        {"messageId": message_id, "eventType": event_type, "recipients": ["a@b.c"]},
    )
    assert [one["eventType"] for one in await running.events(message_id, 1)] == [event_type]


async def test_the_older_form_comes_in_an_envelope_by_the_identity(
    running: Running, aws: Stack
) -> None:
    topic, sqs, queue = topic_and_queue(aws, "simulator-older", raw=False)
    await running.control("PUT", "identities/example.com/notifications", {"Bounce": topic})
    message_id = await running.send("bounce@simulator.amazonses.com")
    (body,) = await asyncio.to_thread(taken, sqs, queue)
    envelope = json.loads(body)
    assert (envelope["Type"], envelope["TopicArn"]) == ("Notification", topic)
    told = json.loads(envelope["Message"])
    assert (told["notificationType"], told["mail"]["messageId"]) == ("Bounce", message_id)


async def test_hard_bounces_and_complaints_suppress_an_address(running: Running) -> None:
    for event_type in ("Bounce", "Complaint"):
        address = f"{event_type.lower()}@example.net"
        message_id = await running.send(address)
        event = {"messageId": message_id, "eventType": event_type}
        await running.control("POST", "events", event)
        found = await running.ses.get_suppressed_destination(EmailAddress=address)
        assert found["SuppressedDestination"]["Reason"] == event_type.upper()
        again = await running.send(address)
        told = await running.published(again, 2)
        assert [one["bounceSubType"] for one in told] == [None, "OnAccountSuppressionList"]


async def test_every_attempt_is_in_the_log_before_it_is_answered(running: Running) -> None:
    message_id = await running.send("Ana <ana@example.net>")
    with pytest.raises(ClientError):
        await running.send(FromEmailAddress="nobody")
    await running.control("PUT", "account", {"maxSendRate": 0})
    with pytest.raises(ClientError):
        await running.send()
    await running.control("PUT", "account", {"enforced": False})
    await running.send()
    async with running.http.post(
        f"{running.url}/v2/email/outbound-emails", data=b"{", headers={"X-Monotonic-Ns": "123"}
    ) as answer:
        assert answer.status == 400
    first, *others = running.attempts()
    assert (first["verdict"], first["messageId"]) == ("accepted", message_id)
    assert (first["recipients"], first["caller"]) == (["ana@example.net"], "someone")
    assert len(first["sha256"]) == 64
    assert [(one["verdict"], one["code"]) for one in others] == [
        ("refused", "BadRequestException"),
        ("throttled", "TooManyRequestsException"),
        ("accepted", None),
        ("refused", "BadRequestException"),
    ]
    assert (others[2]["over"], others[3]["stampNs"]) == ("throttled", 123)
    assert all(one["lag_ms"] >= 0 and one["t"] > 0 < one["t_ns"] for one in running.attempts())
