"""Reads and conditional writes of DynamoDB tables.

A failed condition is a normal answer, not an error: `Refused` carries the item as it stands.
Everything here is harmless to repeat (conditional writes), so transient failures are.
"""

from dataclasses import dataclass
from typing import Any

from mailpipe import resources
from mailpipe.aws import dynamodb_operations as aws
from mailpipe.aws.client import Client, call_again
from mailpipe.aws.errors import classify
from mailpipe.aws.items import from_item, to_item, to_value
from mailpipe.outcomes import CallFailed
from mailpipe.records import Attributes, Value
from mailpipe.statements import Statement


@dataclass(frozen=True, slots=True)
class Applied:
    """The write happened."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The condition did not hold. `item` is None when there is none, or for a duplicate INSERT."""

    item: Attributes | None
    duplicate: bool = False


Fate = Applied | Refused


class Tables:
    """The tables of one deployment (names take `prefix`)."""

    def __init__(self, client: Client, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    async def write(self, statement: Statement) -> Fate:
        """Carry out one conditional write. Raises CallFailed."""
        (fate,) = await self.write_all([statement])
        return fate

    async def write_all(self, statements: list[Statement]) -> list[Fate]:
        """Carry out up to 25 writes, each with its own condition, on different items.

        Raises CallFailed if any of them neither was applied nor had its condition fail; repeating
        all of them is then harmless.
        """
        answer = await call_again(
            self._client,
            aws.BATCH_EXECUTE_STATEMENT,
            aws.BatchExecuteStatement(
                statements=[
                    aws.BatchStatement(
                        statement=text,
                        parameters=[to_value(value) for value in parameters],
                        return_values_on_condition_check_failure="ALL_OLD",
                    )
                    for text, parameters in statements
                ]
            ),
        )
        return [_fate(response.error) for response in answer.responses]

    async def get(self, table: str, key: Attributes) -> Attributes | None:
        """One item, read consistently; None when there is none. Raises CallFailed."""
        answer = await call_again(
            self._client,
            aws.GET_ITEM,
            aws.GetItem(table_name=self._name(table), key=to_item(key), consistent_read=True),
        )
        return None if answer.item is None else from_item(answer.item)

    async def get_all(self, table: str, keys: list[Attributes]) -> list[Attributes]:
        """Those of up to 100 distinct keys that exist, read consistently. Raises CallFailed."""
        name, found = self._name(table), list[Attributes]()
        wanted: dict[str, Any] = {
            name: aws.KeysAndAttributes(keys=[to_item(key) for key in keys], consistent_read=True)
        }
        while wanted:
            answer = await call_again(
                self._client, aws.BATCH_GET_ITEM, aws.BatchGetItem(request_items=wanted)
            )
            found += [from_item(item) for item in answer.responses.get(name, [])]
            wanted = answer.unprocessed_keys
        return found

    async def partition(self, table: str, value: Value) -> list[Attributes]:
        """All items of one partition, in the order of the sort key. Raises CallFailed."""
        found, start = list[Attributes](), None
        while True:
            answer = await call_again(
                self._client,
                aws.QUERY,
                aws.Query(
                    table_name=self._name(table),
                    key_condition_expression="#p = :p",
                    expression_attribute_names={"#p": resources.TABLES[table].partition},
                    expression_attribute_values={":p": to_value(value)},
                    exclusive_start_key=start,
                    consistent_read=True,
                ),
            )
            found += [from_item(item) for item in answer.items]
            start = answer.last_evaluated_key
            if start is None:
                return found

    def _name(self, table: str) -> str:
        return resources.physical(self._prefix, table)


def _fate(error: aws.StatementError | None) -> Fate:
    if error is None:
        return Applied()
    if error.code == "DuplicateItem":
        return Refused(None, duplicate=True)
    if error.code == "ConditionalCheckFailed":
        return Refused(None if error.item is None else from_item(error.item))
    # 200 hides throttles and faults of single statements; they carry no HTTP status of their own.
    status = 500 if error.code in ("InternalServerError", "TransactionConflict") else 400
    kind = classify(error.code, error.message, status)
    raise CallFailed(kind, error.code, error.message, operation="BatchExecuteStatement")
