"""One contract for both sides of `call`: equal answers and equal errors, on the local cloud."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from infra.local.stack import Stack
from mailpipe.aws import dynamodb_operations as ddb
from mailpipe.aws import ses_operations as ses
from mailpipe.aws import sqs_operations as sqs
from mailpipe.aws.botocore_client import BotocoreClient
from mailpipe.aws.client import Aws, Client, Measured
from mailpipe.aws.transport import TypedClient
from mailpipe.messages import new_email_id
from mailpipe.outcomes import CallFailed, Kind

TABLE = "mailpipe-EmailEvents"
KINDS = {"typed": TypedClient, "botocore": BotocoreClient}


class Both:
    """Every call goes through both sides; the first one's answer is returned, if they agree."""

    def __init__(self, sides: dict[str, dict[str, Client]]) -> None:
        self._sides = sides

    async def __call__(self, operation: Any, *requests: Any) -> Any:
        """One request for both sides, or one each where a second call would see the first's."""
        answers = []
        for (side, clients), request in zip(self._sides.items(), requests * 2, strict=False):
            client = clients[operation.service]
            assert isinstance(client, Measured)
            assert isinstance(client._client, KINDS[side])
            try:
                answers.append(await client.call(operation, request))
            except CallFailed as failed:
                answers.append((failed.kind, failed.code, failed.text, failed.item, failed.reasons))
        assert answers[0] == answers[1]
        return answers[0]

    async def each(self, operation: Any, request: Any) -> list[Any]:
        """The two answers, where they must differ (ids)."""
        return [
            await clients[operation.service].call(operation, request)
            for clients in self._sides.values()
        ]


@pytest.fixture(scope="module")
async def both(ses_cloud: Stack) -> AsyncIterator[Both]:
    sides = dict[str, dict[str, Client]]()
    async with Aws("typed") as typed, Aws("botocore") as botocore:
        for side, opened in (("typed", typed), ("botocore", botocore)):
            sides[side] = {
                service: await opened.client(service, connections=4, timeout_s=5)
                for service in ("sqs", "dynamodb", "sesv2")
            }
        yield Both(sides)


@pytest.fixture(scope="module")
async def url(both: Both, ses_cloud: Stack) -> str:
    answer = await both(sqs.GET_QUEUE_URL, sqs.GetQueueUrl(queue_name="mailpipe-webhooks-slow"))
    return str(answer.queue_url)


def entries(*bodies: str) -> list[sqs.SendEntry]:
    return [sqs.SendEntry(id=str(n), message_body=body) for n, body in enumerate(bodies)]


def event(email_id: str, key: str, **more: Any) -> ddb.Item:
    return {"emailId": {"S": email_id}, "eventKey": {"S": key}, **more}


EVERYTHING: ddb.Item = {
    "text": {"S": 'ü 😀 \\u0000 \x01 " </script>'},
    "number": {"N": "-12345678901234567890"},
    "yes": {"BOOL": True},
    "nothing": {"NULL": True},
    "list": {"L": [{"S": "a"}, {"M": {"deep": {"L": []}}}]},
    "map": {"M": {"": {"S": ""}}},
}


# --- SQS ------------------------------------------------------------------------------------------
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


# --- DynamoDB -------------------------------------------------------------------------------------
async def test_an_item_of_every_type_is_read_as_it_was_written(both: Both) -> None:
    email_id = new_email_id()
    item = event(email_id, "k", **EVERYTHING)
    assert (await both(ddb.PUT_ITEM, ddb.PutItem(table_name=TABLE, item=item))).attributes is None
    key = event(email_id, "k")
    get = ddb.GetItem(table_name=TABLE, key=key, consistent_read=True)
    assert (await both(ddb.GET_ITEM, get)).item == item
    missing = ddb.GetItem(table_name=TABLE, key=event(email_id, "other"))
    assert (await both(ddb.GET_ITEM, missing)).item is None
    batch = ddb.BatchGetItem(request_items={TABLE: ddb.KeysAndAttributes(keys=[key])})
    assert (await both(ddb.BATCH_GET_ITEM, batch)).responses == {TABLE: [item]}


async def test_a_partition_is_read_page_by_page(both: Both) -> None:
    email_id = new_email_id()
    puts = [ddb.Write(put_request=ddb.Put(item=event(email_id, f"k{n}"))) for n in range(5)]
    write = ddb.BatchWriteItem(request_items={TABLE: puts})
    assert (await both(ddb.BATCH_WRITE_ITEM, write)).unprocessed_items == {}
    start, keys = None, list[str]()
    while True:
        query = ddb.Query(
            table_name=TABLE,
            key_condition_expression="#p = :p",
            expression_attribute_names={"#p": "emailId"},
            expression_attribute_values={":p": {"S": email_id}},
            exclusive_start_key=start,
            limit=2,
        )
        page = await both(ddb.QUERY, query)
        keys += [item["eventKey"]["S"] for item in page.items]
        start = page.last_evaluated_key
        if start is None:
            break
    assert keys == ["k0", "k1", "k2", "k3", "k4"]
    gone = [ddb.Write(delete_request=ddb.Delete(key=event(email_id, "k0")))]
    await both(ddb.BATCH_WRITE_ITEM, ddb.BatchWriteItem(request_items={TABLE: gone}))


async def test_an_update_answers_what_it_is_asked_for(both: Both) -> None:
    key = event(new_email_id(), "k")
    update = ddb.UpdateItem(
        table_name=TABLE,
        key=key,
        update_expression="SET #n = :n",
        expression_attribute_names={"#n": "n"},
        expression_attribute_values={":n": {"N": "7"}},
        return_values="ALL_NEW",
    )
    assert (await both(ddb.UPDATE_ITEM, update)).attributes == {**key, "n": {"N": "7"}}


async def test_a_failed_condition_brings_the_item(both: Both) -> None:
    item = event(new_email_id(), "k", n={"N": "1"})
    await both(ddb.PUT_ITEM, ddb.PutItem(table_name=TABLE, item=item))
    put = ddb.PutItem(
        table_name=TABLE,
        item=item,
        condition_expression="attribute_not_exists(emailId)",
        return_values_on_condition_check_failure="ALL_OLD",
    )
    kind, code, _, found, _ = await both(ddb.PUT_ITEM, put)
    assert (kind, code, found) == (Kind.REFUSED, "ConditionalCheckFailedException", item)


async def test_a_cancelled_transaction_says_whose_condition_failed(both: Both) -> None:
    email_id = new_email_id()
    taken = event(email_id, "taken")
    await both(ddb.PUT_ITEM, ddb.PutItem(table_name=TABLE, item=taken))
    absent = "attribute_not_exists(emailId)"
    puts = [
        ddb.PutItem(table_name=TABLE, item=event(email_id, "free")),
        ddb.PutItem(table_name=TABLE, item=taken, condition_expression=absent),
    ]
    request = ddb.TransactWriteItems(transact_items=[ddb.TransactWrite(put=put) for put in puts])
    kind, code, _, _, reasons = await both(ddb.TRANSACT_WRITE_ITEMS, request)
    assert (kind, code) == (Kind.REFUSED, "TransactionCanceledException")
    assert reasons == ("ConditionalCheckFailed",)
    alone = ddb.TransactWriteItems(transact_items=request.transact_items[:1])
    assert await both(ddb.TRANSACT_WRITE_ITEMS, alone) == ddb.NoAnswer()


async def test_statements_of_a_batch_each_have_their_fate(both: Both) -> None:
    email_id = new_email_id()
    await both(ddb.PUT_ITEM, ddb.PutItem(table_name=TABLE, item=event(email_id, "a", n={"N": "1"})))
    text = f'UPDATE "{TABLE}" SET "n"=? WHERE "emailId"=? AND "eventKey"=? AND "n"<?'  # noqa: S608

    def statement(key: str, least: str) -> ddb.BatchStatement:
        values = [{"N": "1"}, {"S": email_id}, {"S": key}, {"N": least}]
        return ddb.BatchStatement(
            statement=text, parameters=values, return_values_on_condition_check_failure="ALL_OLD"
        )

    batch = [statement("a", "2"), statement("a", "0"), statement("missing", "2")]
    for alone in batch:
        await both(ddb.BATCH_EXECUTE_STATEMENT, ddb.BatchExecuteStatement(statements=[alone]))
    answer = await both(
        ddb.BATCH_EXECUTE_STATEMENT, ddb.BatchExecuteStatement(statements=batch[1:])
    )
    first, second = (response.error for response in answer.responses)
    assert (first.code, first.item["n"]) == ("ConditionalCheckFailed", {"N": "1"})
    assert (second.code, second.item) == ("ConditionalCheckFailed", None)


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        (ddb.GET_ITEM, ddb.GetItem(table_name="nobody", key={"emailId": {"S": "x"}})),
        (ddb.GET_ITEM, ddb.GetItem(table_name=TABLE, key={"emailId": {"S": "x"}})),
        (ddb.PUT_ITEM, ddb.PutItem(table_name=TABLE, item={"emailId": {"S": "x"}})),
        (ddb.BATCH_EXECUTE_STATEMENT, ddb.BatchExecuteStatement(statements=[])),
    ],
)
async def test_dynamodb_refusals_are_equal(both: Both, operation: Any, request_: Any) -> None:
    kind, code, *_ = await both(operation, request_)
    missing = code == "ResourceNotFoundException"
    assert kind is (Kind.CONFIGURATION if missing else Kind.REFUSED)


# --- SES ------------------------------------------------------------------------------------------
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
