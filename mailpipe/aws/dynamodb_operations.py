"""The DynamoDB operations that we use (DynamoDB API reference)."""

from typing import Any

from mailpipe.aws.operations import Answer, Operation, Request

Item = dict[str, dict[str, Any]]
"""A DynamoDB item: attribute name to typed value (`{"S": "text"}`)."""


class BatchStatement(Request):
    """One PartiQL statement; on a failed condition AWS returns the item as it is."""

    statement: str
    parameters: list[dict[str, Any]]
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
    unprocessed_keys: dict[str, Any] = {}


class Query(Request):
    """The items of one partition, in the order of the sort key."""

    table_name: str
    key_condition_expression: str
    expression_attribute_names: dict[str, str]
    expression_attribute_values: Item
    exclusive_start_key: Item | None = None
    consistent_read: bool = False
    limit: int | None = None


class QueryAnswer(Answer):
    """A page; `last_evaluated_key` is set when there is more."""

    items: list[Item] = []
    last_evaluated_key: Item | None = None


BATCH_EXECUTE_STATEMENT = Operation[BatchExecuteStatement, BatchStatementAnswer](
    "dynamodb", "BatchExecuteStatement", BatchStatementAnswer
)
GET_ITEM = Operation[GetItem, ItemAnswer]("dynamodb", "GetItem", ItemAnswer)
BATCH_GET_ITEM = Operation[BatchGetItem, BatchGetAnswer]("dynamodb", "BatchGetItem", BatchGetAnswer)
QUERY = Operation[Query, QueryAnswer]("dynamodb", "Query", QueryAnswer)
