"""The DynamoDB operations that we use (DynamoDB API reference)."""

from typing import Any

from msgspec import Raw

from mailpipe.aws.operations import Answer, Operation, Request

Item = dict[str, dict[str, Any]]
"""A DynamoDB item: attribute name to typed value (`{"S": "text"}`)."""


class BatchStatement(Request):
    """One PartiQL statement; its parameters are typed values, or in JSON already. On a failed
    condition AWS returns the item as it is.
    """

    statement: str
    parameters: list[dict[str, Any]] | Raw
    return_values_on_condition_check_failure: str | None = None


class BatchExecuteStatement(Request):
    """At most 25 statements, all reads or all writes."""

    statements: list[BatchStatement]


class StatementError(Answer):
    """Why one statement was not applied."""

    code: str
    message: str = ""
    item: Item | None = None


class StatementAnswer(Answer):
    """The fate of one statement."""

    error: StatementError | None = None
    item: Item | None = None


class BatchStatementAnswer(Answer):
    """In the order of the request."""

    responses: list[StatementAnswer] = []


class GetItem(Request):
    """One item by its key."""

    table_name: str
    key: Item
    consistent_read: bool = False


class ItemAnswer(Answer):
    """None when there is no such item."""

    item: Item | None = None


class KeysAndAttributes(Request):
    """Keys of one table."""

    keys: list[Item]
    consistent_read: bool = False


class BatchGetItem(Request):
    """At most 100 keys."""

    request_items: dict[str, KeysAndAttributes]


class BatchGetAnswer(Answer):
    """Items by table; keys that were not read are in `unprocessed_keys`."""

    responses: dict[str, list[Item]] = {}
    unprocessed_keys: dict[str, KeysAndAttributes] = {}


class Query(Request):
    """The items of one partition of a table or an index, in the order of the sort key."""

    table_name: str
    key_condition_expression: str
    expression_attribute_names: dict[str, str]
    expression_attribute_values: Item
    index_name: str | None = None
    exclusive_start_key: Item | None = None
    consistent_read: bool = False
    scan_index_forward: bool | None = None
    limit: int | None = None


class QueryAnswer(Answer):
    """A page; `last_evaluated_key` is set when there is more."""

    items: list[Item] = []
    last_evaluated_key: Item | None = None


class PutItem(Request):
    """A whole item, unless the condition fails."""

    table_name: str
    item: Item
    condition_expression: str | None = None
    expression_attribute_names: dict[str, str] | None = None
    expression_attribute_values: Item | None = None
    return_values_on_condition_check_failure: str | None = None


class UpdateItem(Request):
    """Changes to one item, unless the condition fails. Without a condition it creates the item."""

    table_name: str
    key: Item
    update_expression: str
    condition_expression: str | None = None
    expression_attribute_names: dict[str, str] | None = None
    expression_attribute_values: Item | None = None
    return_values: str | None = None
    return_values_on_condition_check_failure: str | None = None


class DeleteItem(Request):
    """No longer this item, unless the condition fails."""

    table_name: str
    key: Item
    condition_expression: str | None = None
    expression_attribute_names: dict[str, str] | None = None


class WriteAnswer(Answer):
    """`attributes` as `return_values` asked for them."""

    attributes: Item | None = None


class Put(Request):
    """An item of a BatchWriteItem."""

    item: Item


class Delete(Request):
    """A key of a BatchWriteItem."""

    key: Item


class Write(Request):
    """Exactly one of the two."""

    put_request: Put | None = None
    delete_request: Delete | None = None


class BatchWriteItem(Request):
    """At most 25 writes by table, without conditions, each item once."""

    request_items: dict[str, list[Write]]


class BatchWriteAnswer(Answer):
    """What was not written, in the form of the request."""

    unprocessed_items: dict[str, list[Write]] = {}


class TransactWrite(Request):
    """Exactly one of them."""

    put: PutItem | None = None
    update: UpdateItem | None = None
    delete: DeleteItem | None = None


class TransactWriteItems(Request):
    """At most 100 writes to different items: all or none, at twice the price."""

    transact_items: list[TransactWrite]
    client_request_token: str | None = None


class NoAnswer(Answer):
    """It was done."""


MAX_READ_BYTES = 20_000_000
"""Sixteen megabytes of items (BatchGetItem), as JSON."""

BATCH_EXECUTE_STATEMENT = Operation[BatchExecuteStatement, BatchStatementAnswer](
    "dynamodb", "BatchExecuteStatement", BatchStatementAnswer, max_bytes=MAX_READ_BYTES
)
GET_ITEM = Operation[GetItem, ItemAnswer]("dynamodb", "GetItem", ItemAnswer)
BATCH_GET_ITEM = Operation[BatchGetItem, BatchGetAnswer](
    "dynamodb", "BatchGetItem", BatchGetAnswer, max_bytes=MAX_READ_BYTES
)
QUERY = Operation[Query, QueryAnswer]("dynamodb", "Query", QueryAnswer, max_bytes=MAX_READ_BYTES)
PUT_ITEM = Operation[PutItem, WriteAnswer]("dynamodb", "PutItem", WriteAnswer)
UPDATE_ITEM = Operation[UpdateItem, WriteAnswer]("dynamodb", "UpdateItem", WriteAnswer)
BATCH_WRITE_ITEM = Operation[BatchWriteItem, BatchWriteAnswer](
    "dynamodb", "BatchWriteItem", BatchWriteAnswer, max_bytes=MAX_READ_BYTES
)
TRANSACT_WRITE_ITEMS = Operation[TransactWriteItems, NoAnswer](
    "dynamodb", "TransactWriteItems", NoAnswer
)
