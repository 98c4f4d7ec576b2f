"""One contract for both sides of `call`, on the local cloud: SQS and SES."""

from typing import Any

import aiohttp
import pytest

from infra.local.stack import Stack
from mailpipe.aws import ses_operations as ses
from mailpipe.aws import sqs_operations as sqs
from mailpipe.outcomes import Kind
from tests.integration.both_sides import Both


@pytest.fixture(scope="module")
async def url(both: Both, ses_cloud: Stack) -> str:
    answer = await both(sqs.GET_QUEUE_URL, sqs.GetQueueUrl(queue_name="mailpipe-webhooks-slow"))
    return str(answer.queue_url)


def entries(*bodies: str) -> list[sqs.SendEntry]:
    return [sqs.SendEntry(id=str(n), message_body=body) for n, body in enumerate(bodies)]


async def test_a_message_comes_out_of_either_side_as_it_went_into_the_other(
    both: Both, url: str
) -> None:
    bodies = ["plain", '{"a":"\\u00fc \\ud83d\\ude00"}', "ü 😀 \t\n", "x" * 100_000]
    sent = sqs.SendMessageBatch(queue_url=url, entries=entries(*bodies))
    sent.entries[0].message_attributes = {"reason": sqs.StringAttribute(string_value="ö why")}
    sent.entries[0].message_group_id = "tenant"
    first, second = await both.each(sqs.SEND_MESSAGE_BATCH, sent)
    assert [one.md5_of_message_body for one in first.successful] == [
        one.md5_of_message_body for one in second.successful
    ]
    assert len(first.successful) == 4
    receive = sqs.ReceiveMessage(
        queue_url=url,
        max_number_of_messages=4,
        message_system_attribute_names=["ApproximateReceiveCount", "SentTimestamp"],
        message_attribute_names=["All"],
    )
    got = [m for answer in await both.each(sqs.RECEIVE_MESSAGE, receive) for m in answer.messages]
    assert sorted(message.body for message in got) == sorted(bodies * 2)
    assert all(message.attributes["ApproximateReceiveCount"] == "1" for message in got)
    (one, two) = (m.message_attributes for m in got if m.body == "plain")
    assert one["reason"]["StringValue"] == two["reason"]["StringValue"] == "ö why"
    # One side hides and deletes what the other has received.
    hide = [
        sqs.VisibilityEntry(id=str(n), receipt_handle=m.receipt_handle, visibility_timeout=30)
        for n, m in enumerate(got)
    ]
    request = sqs.ChangeMessageVisibilityBatch(queue_url=url, entries=hide)
    assert (await both(sqs.CHANGE_MESSAGE_VISIBILITY_BATCH, request)).failed == []
    delete = [sqs.DeleteEntry(id=one.id, receipt_handle=one.receipt_handle) for one in hide]
    halves = [
        sqs.DeleteMessageBatch(queue_url=url, entries=half) for half in (delete[:4], delete[4:])
    ]
    assert (await both(sqs.DELETE_MESSAGE_BATCH, *halves)).failed == []
    depth = sqs.GetQueueAttributes(queue_url=url, attribute_names=["All"])
    answer = await both(sqs.GET_QUEUE_ATTRIBUTES, depth)
    assert answer.attributes["ApproximateNumberOfMessagesNotVisible"] == "0"


async def test_an_empty_queue_answers_no_messages(both: Both, url: str) -> None:
    request = sqs.ReceiveMessage(queue_url=url, max_number_of_messages=1)
    assert (await both(sqs.RECEIVE_MESSAGE, request)).messages == []


async def test_a_batch_that_fails_in_part_says_which(both: Both, url: str) -> None:
    deletes = [sqs.DeleteEntry(id="bad", receipt_handle="nonsense")]
    request = sqs.DeleteMessageBatch(queue_url=url, entries=deletes)
    answer = await both(sqs.DELETE_MESSAGE_BATCH, request)
    assert [(one.id, one.sender_fault) for one in answer.failed] == [("bad", True)]


@pytest.mark.parametrize(
    ("operation", "request_of"),
    [
        (sqs.GET_QUEUE_URL, lambda _: sqs.GetQueueUrl(queue_name="nobody")),
        (
            sqs.RECEIVE_MESSAGE,
            lambda url: sqs.ReceiveMessage(queue_url=url + "x", max_number_of_messages=1),
        ),
        (sqs.SEND_MESSAGE_BATCH, lambda url: sqs.SendMessageBatch(queue_url=url, entries=[])),
        (
            sqs.SEND_MESSAGE_BATCH,
            lambda url: sqs.SendMessageBatch(
                queue_url=url,
                entries=entries("a") + entries("b"),  # the same id twice
            ),
        ),
        (
            sqs.SEND_MESSAGE_BATCH,
            lambda url: sqs.SendMessageBatch(queue_url=url, entries=entries(*"abcdefghijk")),
        ),
    ],
)
async def test_sqs_refusals_are_equal(
    both: Both, url: str, operation: Any, request_of: Any
) -> None:
    kind, code, *_ = await both(operation, request_of(url))
    gone = code == "AWS.SimpleQueueService.NonExistentQueue"
    assert kind is (Kind.CONFIGURATION if gone else Kind.REFUSED)


def mail(**changes: Any) -> ses.SendEmail:
    fields: dict[str, Any] = {
        "from_email_address": "Shop <noreply@example.com>",
        "destination": ses.Destination(to_addresses=["success@simulator.amazonses.com"]),
        "content": ses.EmailContent(
            simple=ses.Simple(
                subject=ses.Content(data="Grüße 😀"),
                body=ses.Body(text=ses.Content(data="x")),
                headers=[ses.Header(name="X-Email-Id", value="1")],
            )
        ),
        "configuration_set_name": "enterprise-email",
        "email_tags": [ses.Tag(name="email_id", value="1")],
    }
    return ses.SendEmail(**{**fields, **changes})


async def test_ses_takes_a_mail_from_either_side(both: Both) -> None:
    first, second = await both.each(ses.SEND_EMAIL, mail())
    assert first.message_id
    assert first.message_id != second.message_id


@pytest.mark.parametrize("form", ["Simple", "Raw"])
async def test_bytes_reach_ses_the_same_from_either_side(
    both: Both, ses_cloud: Stack, form: str
) -> None:
    data = bytes(range(256))
    content = ses.EmailContent(raw=ses.Raw(data=b"From: noreply@example.com\r\n\r\n" + data[:9]))
    if form == "Simple":
        content = mail().content
        assert content.simple is not None
        content.simple.attachments = [
            ses.Attachment(file_name="a.bin", content_type="a/b", raw_content=data)
        ]
    found = []
    async with aiohttp.ClientSession() as session:
        for answer in await both.each(ses.SEND_EMAIL, mail(content=content)):
            url = f"{ses_cloud.ses_url}/_control/messages/{answer.message_id}"
            async with session.get(url) as kept:
                found.append((await kept.json())["Content"])
    assert found[0] == found[1]
    assert list(found[0]) == [form]


async def test_ses_tells_its_quota(both: Both) -> None:
    answers = await both.each(ses.GET_ACCOUNT, ses.GetAccount())
    assert [answer.send_quota.max_send_rate for answer in answers] == [14.0, 14.0]
    assert all(answer.sending_enabled for answer in answers)


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"configuration_set_name": "none"}, Kind.CONFIGURATION, "NotFoundException"),
        ({"from_email_address": "x@not-ours.example"}, Kind.CONFIGURATION, "MessageRejected"),
        ({"destination": ses.Destination(to_addresses=[])}, Kind.REFUSED, "BadRequestException"),
    ],
)
async def test_ses_refusals_are_equal_and_name_no_address(
    both: Both, changes: dict[str, Any], kind: Kind, code: str
) -> None:
    got_kind, got_code, text, *_ = await both(ses.SEND_EMAIL, mail(**changes))
    assert (got_kind, got_code) == (kind, code)
    assert "@" not in text
