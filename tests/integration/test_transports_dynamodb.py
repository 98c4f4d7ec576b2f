"""One contract for both sides of `call`, on the local cloud: DynamoDB."""

from typing import Any

import msgspec
import pytest

from mailpipe.aws import dynamodb_operations as ddb
from mailpipe.messages import new_email_id
from mailpipe.outcomes import Kind
from tests.integration.both_sides import Both

TABLE = "mailpipe-EmailEvents"


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
            statement=text,
            parameters=msgspec.Raw(msgspec.json.encode(values)),
            return_values_on_condition_check_failure="ALL_OLD",
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
