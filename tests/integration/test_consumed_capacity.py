"""Computed capacity against the emulator's: PutItem, UpdateItem and DeleteItem agree.

Where ministack 1.5.33 says something else than AWS documents, a test of its own says what, and the
function stays with AWS.
"""

from typing import Any

import pytest

from infra.local.cloud import clients
from infra.local.stack import Stack
from mailpipe import resources
from mailpipe.aws.capacity import WriteUnits, item_bytes, read_units, write_units
from mailpipe.aws.dynamodb_operations import Item
from mailpipe.aws.items import to_item, to_value
from mailpipe.partiql import Statement
from tests import writes_of_a_mail as mail

SIZES = (400, 1023, 1024, 1025, 2048, 2049, 5000)
TRACKING, EVENTS = resources.EMAIL_TRACKING, resources.EMAIL_EVENTS
KEYS: dict[str, Item] = {
    TRACKING: to_item({"emailId": "capacity"}),
    EVENTS: to_item({"emailId": "capacity", "eventKey": "2026-11-24T10:00:00.000Z#h"}),
    resources.SUPPRESSION_LIST: to_item({"tenant": "capacity", "addressHash": "h"}),
}
INDEXED: dict[str, Item] = {
    TRACKING: to_item(
        {"createdAt": 1_763_633_732_901, "recipientKey": "r", "dayKey": "d", "open": "open#1"}
    ),
    EVENTS: to_item({"dayKey": "d"}),
    resources.SUPPRESSION_LIST: {},
}


@pytest.fixture
def dynamodb(aws: Stack) -> Any:
    """A client that is not ours; the items of these tests are gone before and after."""
    client = clients(aws.cloud_url)("dynamodb")
    _clear(client)
    yield client
    _clear(client)


def _clear(client: Any) -> None:
    for table, key in KEYS.items():
        client.delete_item(TableName=physical(table), Key=key)
    key = to_item({"emailId": mail.EMAIL_ID})
    client.delete_item(TableName=physical(TRACKING), Key=key)


def physical(table: str) -> str:
    return resources.physical(mail.PREFIX, table)


def of_bytes(table: str, size: int, indexed: Item) -> Item:
    """An item of exactly this size."""
    item = {**KEYS[table], **indexed, "filler": {"S": ""}}
    item["filler"] = {"S": "x" * (size - item_bytes(item))}
    assert item_bytes(item) == size
    return item


def reported(answer: Any) -> WriteUnits:
    """The emulator's figure, in our form."""
    said = answer["ConsumedCapacity"]
    indexes = said.get("GlobalSecondaryIndexes", {})
    units = WriteUnits(
        said["Table"]["CapacityUnits"],
        {name: one["CapacityUnits"] for name, one in indexes.items()},
    )
    assert said["CapacityUnits"] == units.total
    return units


def put(client: Any, table: str, item: Item) -> WriteUnits:
    return reported(
        client.put_item(TableName=physical(table), Item=item, ReturnConsumedCapacity="INDEXES")
    )


def update(client: Any, table: str, name: str, value: dict[str, Any] | None) -> WriteUnits:
    """UpdateItem of the only item of this table: one attribute set, or removed (None)."""
    change: dict[str, Any] = {"UpdateExpression": "REMOVE #n"}
    if value is not None:
        change = {"UpdateExpression": "SET #n = :v", "ExpressionAttributeValues": {":v": value}}
    answer = client.update_item(
        TableName=physical(table),
        Key=KEYS[table],
        ExpressionAttributeNames={"#n": name},
        ReturnConsumedCapacity="INDEXES",
        **change,
    )
    return reported(answer)


def batch(client: Any, *statements: Statement) -> Any:
    """BatchExecuteStatement."""
    return client.batch_execute_statement(
        Statements=[
            {"Statement": one.text, "Parameters": [to_value(value) for value in one.parameters]}
            for one in statements
        ],
        ReturnConsumedCapacity="INDEXES",
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("table", KEYS)
def test_puts_updates_and_deletes_cost_what_is_computed(
    dynamodb: Any, table: str, size: int
) -> None:
    item, small = of_bytes(table, size, INDEXED[table]), of_bytes(table, 300, INDEXED[table])
    changed = item | {"filler": {"S": "y" + item["filler"]["S"][1:]}}
    assert put(dynamodb, table, item) == write_units(table, None, item)
    steps: list[tuple[Item, Item]] = [(item, changed), (changed, small), (small, item)]
    for before, after in steps:
        said = update(dynamodb, table, "filler", after["filler"])
        assert said == write_units(table, before, after)
    answer = dynamodb.delete_item(
        TableName=physical(table), Key=KEYS[table], ReturnConsumedCapacity="INDEXES"
    )
    assert reported(answer) == write_units(table, item, None)


@pytest.mark.parametrize("size", [400, 1025])
def test_an_index_key_that_moves_goes_and_comes_costs_what_is_computed(
    dynamodb: Any, size: int
) -> None:
    one = of_bytes(TRACKING, size, INDEXED[TRACKING])
    moved = one | {"open": {"S": "failed#2026-11-24#1"}}
    gone = {name: value for name, value in one.items() if name != "open"}
    put(dynamodb, TRACKING, one)
    for before, after in ((one, moved), (moved, gone), (gone, gone), (gone, one), (one, one)):
        said = update(dynamodb, TRACKING, "open", after.get("open"))
        assert said == write_units(TRACKING, before, after)


def test_a_total_is_the_sum(dynamodb: Any) -> None:
    item = of_bytes(TRACKING, 1025, INDEXED[TRACKING])
    answer = dynamodb.put_item(
        TableName=physical(TRACKING), Item=item, ReturnConsumedCapacity="TOTAL"
    )
    assert answer["ConsumedCapacity"]["CapacityUnits"] == write_units(TRACKING, None, item).total


async def test_the_writes_of_a_mail_cost_what_the_decision_says(dynamodb: Any) -> None:
    """The statements make the very items that the decision's table counts."""
    for life, writes in (await mail.lives()).items():
        _clear(dynamodb)
        for write in writes:
            if write.table != TRACKING:
                continue
            answer = batch(dynamodb, write.statement)
            assert "Error" not in answer["Responses"][0], (life, write.name)
            # ministack: every PartiQL write is one unit, and no index is named.
            assert answer["ConsumedCapacity"] == [
                {"TableName": physical(TRACKING), "CapacityUnits": 1.0}
            ]
            after = to_item(write.after or {})
            key = {"emailId": after["emailId"]}
            found = dynamodb.get_item(TableName=physical(TRACKING), Key=key, ConsistentRead=True)
            assert found["Item"] == after, (life, write.name)
            before = None if write.before is None else to_item(write.before)
            if before is None:
                dynamodb.delete_item(TableName=physical(TRACKING), Key=key)
            else:
                put(dynamodb, TRACKING, before)
            assert put(dynamodb, TRACKING, after) == write_units(TRACKING, before, after)


def test_a_transaction_doubles_the_write_of_the_table_and_no_index(dynamodb: Any) -> None:
    """AWS says it of items and nothing of indexes; ministack reads that as we do."""
    item = of_bytes(TRACKING, 1025, INDEXED[TRACKING])
    answer = dynamodb.transact_write_items(
        TransactItems=[{"Put": {"TableName": physical(TRACKING), "Item": item}}],
        ReturnConsumedCapacity="INDEXES",
    )
    computed = write_units(TRACKING, None, item, transactional=True)
    assert computed == WriteUnits(4, {"byRecipient": 1, "byDay": 1, "byState": 1})
    assert answer["ConsumedCapacity"][0]["CapacityUnits"] == computed.total


def test_a_refused_update_says_nothing_of_its_cost(dynamodb: Any) -> None:
    """The error has no room for it, on AWS neither: there is nothing to hold the figure against."""
    put(dynamodb, TRACKING, of_bytes(TRACKING, 1025, {}))
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as refused:
        dynamodb.update_item(
            TableName=physical(TRACKING),
            Key=KEYS[TRACKING],
            UpdateExpression="SET filler = :f",
            ConditionExpression="filler = :f",
            ExpressionAttributeValues={":f": {"S": "other"}},
            ReturnConsumedCapacity="INDEXES",
        )
    assert "ConsumedCapacity" not in refused.value.response


# Where ministack 1.5.33 differs from what AWS documents.


def test_ministack_counts_one_for_every_partiql_write(dynamodb: Any) -> None:
    """AWS: a PartiQL write costs what the same write costs otherwise, a refused one too."""
    large = mail.born(mail.ANA) | {"subject": "x" * 5000}
    insert = mail.WRITES.insert(large)
    said = [{"TableName": physical(TRACKING), "CapacityUnits": 1.0}]
    assert batch(dynamodb, insert)["ConsumedCapacity"] == said
    refused = batch(dynamodb, insert)
    assert refused["Responses"][0]["Error"]["Code"] == "DuplicateItem"
    assert refused["ConsumedCapacity"] == said
    item = to_item(large)
    assert write_units(TRACKING, None, item).total == 6 + 3
    assert write_units(TRACKING, item, item, applied=False) == WriteUnits(6, {})


def test_ministack_counts_every_read_as_the_smallest(dynamodb: Any) -> None:
    """AWS: by 4 KiB begun."""
    item = of_bytes(TRACKING, 8193, INDEXED[TRACKING])
    put(dynamodb, TRACKING, item)
    for consistent, said, documented in ((True, 1.0, 3.0), (False, 0.5, 1.5)):
        answer = dynamodb.get_item(
            TableName=physical(TRACKING),
            Key=KEYS[TRACKING],
            ConsistentRead=consistent,
            ReturnConsumedCapacity="TOTAL",
        )
        assert answer["ConsumedCapacity"]["CapacityUnits"] == said
        assert read_units(item_bytes(item), consistent=consistent) == documented


@pytest.mark.parametrize(("number", "more"), [("12", 0), ("120", 1), ("-12", 1), ("-120", 2)])
def test_ministack_gives_some_numbers_a_byte_more(dynamodb: Any, number: str, more: int) -> None:
    """AWS calls its own rule for numbers approximate: zeros trimmed, no word of a sign.

    ministack pairs digits from the decimal point, so a trimmed zero may stay, and adds a byte for
    a minus. An item on the edge of a unit shows it.
    """
    indexed = {"number": {"N": number}}
    edge = of_bytes(TRACKING, 1024 - more, indexed)
    assert put(dynamodb, TRACKING, edge) == WriteUnits(1, {}) == write_units(TRACKING, None, edge)
    over = of_bytes(TRACKING, 1025 - more, indexed)
    assert put(dynamodb, TRACKING, over) == WriteUnits(2, {})
    assert write_units(TRACKING, None, over) == WriteUnits(1 if more else 2, {})
