"""Mails through the running pipeline, looked at from outside."""

import asyncio
import base64
import json
from collections.abc import Callable
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parseaddr
from typing import Any, Literal

import aiohttp
import pytest

from infra.local.cloud import clients
from infra.local.mails import Doors, mail_to
from infra.local.stack import ROOT, Stack
from loadtest.checker import read_log
from mailpipe import resources
from mailpipe.messages import new_email_id

NEWSLETTER: dict[str, Any] = {
    "to": ["Jörg Müller <success+newsletter@simulator.amazonses.com>"],
    "from": "Bücher, Stifte & Co. <news@example.com>",
    "subject": "Frühling: 20 % auf alles 🌷",
    "bodyText": "Grüße aus Köln 🌷\n" + "ä" * 5000,
    "bodyHtml": "<html><body><h1>Frühling 🌷</h1><p>" + "lang " * 1000 + "</p>\ufffe</body></html>",
    "metadata": {"kunde": "Jörg", "anzahl": 3, "premium": True},
}


async def eventually(check: Callable[[], Any], *, timeout_s: float = 20.0) -> Any:
    """The first true answer of `check`, which may be a coroutine function."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        found = check()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert asyncio.get_running_loop().time() < deadline, f"not within {timeout_s} s: {check}"
        await asyncio.sleep(0.05)


async def ended(doors: Doors, email_id: str, *statuses: str) -> dict[str, Any]:
    """The API's answer once the mail has one of these statuses."""

    async def look() -> dict[str, Any] | None:
        answer = await doors.status(email_id)
        return answer if answer.get("status") in statuses else None

    return dict(await eventually(look))


def by_boto3(stack: Stack, mail: dict[str, Any]) -> str:
    """Onto the queue with plain boto3, by the documented contract."""
    email_id = new_email_id()
    message = {
        "type": "email.v1",
        "emailId": email_id,
        "tenant": "default",
        "stream": "transactional",
        "queuedAt": "2099-01-01T00:00:00.000Z",
        "email": mail,
    }
    sqs = clients(stack.cloud_url)("sqs")
    name = resources.physical(stack.plan.prefix, resources.MAIL_TRANSACTIONAL)
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(message), MessageGroupId="default")
    return email_id


@pytest.mark.parametrize("door", ["rest", "sdk", "boto3"])
async def test_a_newsletter_reaches_ses_exactly_as_composed(
    door: str, stack: Stack, doors: Doors, http: aiohttp.ClientSession
) -> None:
    if door == "boto3":
        email_id = by_boto3(stack, NEWSLETTER)
        await eventually(lambda: said_sent(stack, email_id))
    else:
        email_id = (await doors.send(door, NEWSLETTER))["emailId"]  # type: ignore[arg-type]
    status = await ended(doors, email_id, "delivered")
    assert status["metadata"] == NEWSLETTER["metadata"]
    assert status["subject"] == NEWSLETTER["subject"]
    assert [event["type"] for event in status["events"]] == ["sent", "delivery"]
    url = f"{stack.ses_url}/_control/messages/{status['messageId']}"
    async with http.get(url) as answer:
        request = await answer.json()
    assert request["Content"]["Simple"]["Subject"]["Data"] == NEWSLETTER["subject"]
    body = request["Content"]["Simple"]["Body"]
    assert body["Text"] == {"Data": NEWSLETTER["bodyText"], "Charset": "UTF-8"}
    assert body["Html"] == {"Data": NEWSLETTER["bodyHtml"], "Charset": "UTF-8"}
    assert read_back(request["FromEmailAddress"]) == ("Bücher, Stifte & Co.", "news@example.com")
    (to,) = request["Destination"]["ToAddresses"]
    assert read_back(to) == ("Jörg Müller", "success+newsletter@simulator.amazonses.com")


@pytest.mark.parametrize("door", ["rest", "sdk"])
async def test_large_mail_with_attachments_reaches_ses_by_way_of_s3(
    door: Literal["rest", "sdk"], stack: Stack, doors: Doors, http: aiohttp.ClientSession
) -> None:
    content = base64.b64encode(bytes(range(256)) * 1_000).decode()
    attached = {"contentType": "application/pdf", "content": content}
    for name, form in (("invoice.pdf", "Simple"), ("Rechnung für Köln.pdf", "Raw")):
        mail = {**NEWSLETTER, "attachments": [{**attached, "filename": name}]}
        sent = await doors.send(door, mail)
        status = await ended(doors, sent["emailId"], "delivered")
        url = f"{stack.ses_url}/_control/messages/{status['messageId']}"
        async with http.get(url) as answer:
            request = (await answer.json())["Content"][form]
        if form == "Simple":
            (one,) = request["Attachments"]
            assert (one["FileName"], one["RawContent"]) == (name, content)
            assert request["Body"]["Text"]["Data"] == NEWSLETTER["bodyText"]
            continue
        built = BytesParser(policy=policy.default).parsebytes(base64.b64decode(request["Data"]))
        assert isinstance(built, EmailMessage)
        (part,) = built.iter_attachments()
        assert part.get_filename() == name
        assert part.get_payload(decode=True) == base64.b64decode(content)
        assert (built["subject"], built["X-Email-Id"]) == (NEWSLETTER["subject"], sent["emailId"])


def read_back(header: str) -> tuple[str, str]:
    """Name and address of a header in ASCII, as a mail program reads them."""
    assert header.isascii()
    name, address = parseaddr(header)
    return str(make_header(decode_header(name))), address


def said_sent(stack: Stack, email_id: str) -> list[dict[str, Any]]:
    """Accepted attempts of this mail in the simulator's log."""
    return [
        line
        for line in read_log(stack.ses_log)
        if line.get("verdict") == "accepted" and line["tags"].get("email_id") == email_id
    ]


def arrived(stack: Stack, email_id: str) -> list[dict[str, Any]]:
    """Webhooks about this mail in the receiver's log."""
    return [line for line in read_log(stack.receiver_log) if line.get("emailId") == email_id]


async def test_mail_that_breaks_a_rule_on_the_queue_is_rejected_with_the_reason(
    stack: Stack, doors: Doors
) -> None:
    email_id = by_boto3(stack, {**mail_to("success", 1), "subject": "a\r\nBcc: x@example.net"})
    await eventually(lambda: arrived(stack, email_id))
    status = await ended(doors, email_id, "rejected")
    assert status["reason"].startswith("subject: control_characters")
    assert said_sent(stack, email_id) == []
    assert {one["type"] for one in arrived(stack, email_id)} == {"email.rejected"}


async def test_what_is_no_message_is_kept_with_the_reason_and_blocks_nothing(
    stack: Stack, doors: Doors
) -> None:
    sqs = clients(stack.cloud_url)("sqs")
    prefix, name = stack.plan.prefix, resources.MAIL_TRANSACTIONAL
    url = sqs.get_queue_url(QueueName=resources.physical(prefix, name))["QueueUrl"]
    dead = sqs.get_queue_url(QueueName=resources.physical(prefix, resources.dead(name)))["QueueUrl"]
    poison = json.dumps({"type": "email.v1", "tenant": new_email_id()})
    sqs.send_message(QueueUrl=url, MessageBody=poison)

    def buried() -> list[dict[str, Any]]:  # others leave dead letters here, too
        answer = sqs.receive_message(
            QueueUrl=dead, MessageAttributeNames=["All"], MaxNumberOfMessages=10
        )
        return [one for one in answer.get("Messages", []) if one["Body"] == poison]

    (message,) = await eventually(buried)
    reason = message["MessageAttributes"]["reason"]["StringValue"]
    assert reason.startswith("unparseable")
    assert "emailId" in reason
    ack = await doors.send("sdk", mail_to("success+after-poison", 1))
    await ended(doors, ack["emailId"], "delivered")


async def test_a_mail_to_several_ends_when_the_last_recipient_has_and_shows_the_highest(
    stack: Stack, doors: Doors
) -> None:
    domain = "simulator.amazonses.com"
    several = [f"{one}@{domain}" for one in ("success+m1", "bounce+m2", "success+m3")]
    ack = await doors.send("rest", {**mail_to("x", 1), "to": several})
    status = await ended(doors, ack["emailId"], "bounced")
    await eventually(lambda: len(arrived(stack, ack["emailId"])) >= 8)
    table = clients(stack.cloud_url)("dynamodb")
    name = resources.physical(stack.plan.prefix, resources.EMAIL_TRACKING)

    def closed() -> dict[str, Any] | None:
        item = table.get_item(TableName=name, Key={"emailId": {"S": ack["emailId"]}})["Item"]
        return item if "ttl" in item else None

    item = await eventually(closed)
    assert item["ranks"]["M"] == {"r0": {"N": "40"}, "r1": {"N": "50"}, "r2": {"N": "40"}}
    assert item["open"]["S"].startswith("bounced#")
    assert status["recipient"] == several[0]

    again = await doors.send("rest", {**mail_to("x", 1), "to": several})
    await ended(doors, again["emailId"], "delivered")
    (attempt,) = said_sent(stack, again["emailId"])
    assert attempt["recipients"] == [several[0], several[2]]


async def test_a_throttled_mail_is_given_back_and_never_failed(
    stack: Stack, doors: Doors, http: aiohttp.ClientSession
) -> None:
    # Not by an account whose rate is 0: a sender that reads that first asks nothing.
    fault = {"kind": "throttle", "match": "success+throttled", "count": 2}
    url = f"{stack.ses_url}/_control/faults"
    async with http.post(url, json={"faults": [fault]}) as answer:
        assert answer.ok, await answer.text()
    ack = await doors.send("rest", mail_to("success+throttled", 1))
    await ended(doors, ack["emailId"], "delivered")
    tried = [
        line["verdict"]
        for line in read_log(stack.ses_log)
        if "verdict" in line and line["tags"].get("email_id") == ack["emailId"]
    ]
    assert tried == ["throttled", "throttled", "accepted"]


async def test_a_failing_endpoint_is_tried_again_under_the_same_id_and_the_other_is_not_disturbed(
    stack: Stack, doors: Doors, http: aiohttp.ClientSession
) -> None:
    control = f"{stack.receiver_url}/control/one"
    fault = {"status": 500, "times": 2, "match": "success+retry"}
    async with http.put(control, json=fault) as answer:
        assert answer.status == 204
    ack = await doors.send("sdk", mail_to("success+retry", 1))
    await eventually(lambda: len(arrived(stack, ack["emailId"])) >= 6)
    came = arrived(stack, ack["emailId"])
    assert all(line["verified"] for line in came)
    one = [line for line in came if line["endpoint"] == "one"]
    assert sorted(line["answered"] for line in one) == [204, 204, 500, 500]
    assert len({line["webhook_id"] for line in one}) == 2
    two = [line["answered"] for line in came if line["endpoint"] == "two"]
    assert two == [204, 204]


async def test_an_exhausted_webhook_is_kept_with_the_reason(
    stack: Stack, doors: Doors, http: aiohttp.ClientSession
) -> None:
    control = f"{stack.receiver_url}/control/two"
    fault = {"status": 503, "times": 12, "match": "success+exhausted"}
    async with http.put(control, json=fault) as answer:
        assert answer.status == 204
    ack = await doors.send("sdk", mail_to("success+exhausted", 1))
    sqs = clients(stack.cloud_url)("sqs")
    name = resources.physical(stack.plan.prefix, resources.dead(resources.WEBHOOKS))
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    kept = dict[str, dict[str, Any]]()

    def buried() -> bool:
        answer = sqs.receive_message(
            QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10
        )
        found = [one for one in answer.get("Messages", []) if ack["emailId"] in one["Body"]]
        kept.update({one["MessageId"]: one for one in found})
        return len(kept) == 2

    await eventually(buried)
    reasons = {one["MessageAttributes"]["reason"]["StringValue"] for one in kept.values()}
    assert reasons == {"exhausted: http 503"}
    tries = [line for line in arrived(stack, ack["emailId"]) if line["endpoint"] == "two"]
    assert len(tries) == 12


async def test_the_simulators_log_says_when_the_sender_sent(stack: Stack, doors: Doors) -> None:
    ack = await doors.send("sdk", mail_to("success+stamp", 1))
    await ended(doors, ack["emailId"], "delivered")
    (attempt,) = said_sent(stack, ack["emailId"])
    assert attempt["caller"] == "sender"
    assert 0 < attempt["t_ns"] - attempt["stampNs"] < 1e9


async def test_the_private_ports_answer(stack: Stack, http: aiohttp.ClientSession) -> None:
    for children in stack.services.values():
        for path in ("live", "ready", "metrics"):
            url = f"http://127.0.0.1:{children[0].admin_port}/{path}"
            async with http.get(url) as answer:
                assert answer.status == 200, url


async def test_logs_are_structured_and_hold_no_address(stack: Stack, doors: Doors) -> None:
    ack = await doors.send("rest", mail_to("success+secret-canary", 1))
    await ended(doors, ack["emailId"], "delivered")
    for name, children in stack.services.items():
        text = (ROOT / children[0].log).read_text()
        assert "secret-canary" not in text, name
        for line in text.splitlines():
            assert {"event", "level", "timestamp", "service"} <= set(json.loads(line)), line
