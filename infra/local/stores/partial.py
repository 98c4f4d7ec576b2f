"""One entry of a batch fails: it is taken out of the request and its failure put into the answer.
Pure.

SQS API reference, "BatchResultErrorEntry"; DynamoDB API reference, "BatchWriteItem"
(UnprocessedItems), "BatchGetItem" (UnprocessedKeys), "BatchExecuteStatement" (one answer for each
statement, in order).
"""

from collections.abc import Callable
from typing import Any

from infra.local.stores.errors import MESSAGE

Answer = dict[str, Any]
Merge = Callable[[Answer], Answer]
"""From the answer to the rest (an empty one if nothing was left to ask) to the whole answer."""

_SQS = ("SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch")
_SQS_OPERATIONS = frozenset(f"sqs.{one}" for one in _SQS)
_UNPROCESSED = {
    "dynamodb.BatchWriteItem": "UnprocessedItems",
    "dynamodb.BatchGetItem": "UnprocessedKeys",
}
_STATEMENTS = "dynamodb.BatchExecuteStatement"
OPERATIONS = _SQS_OPERATIONS | _UNPROCESSED.keys() | {_STATEMENTS}


def split(operation: str, request: Answer, which: float) -> tuple[Answer | None, Merge] | None:
    """The request without one entry (None when there was only that one), and how to answer for it.
    `which` (0 to 1) chooses the entry. None when the operation is no batch, or an empty one.
    """
    try:
        if operation in _SQS_OPERATIONS:
            return _split_sqs(request, which)
        if operation == _STATEMENTS:
            return _split_statements(request, which)
        if operation in _UNPROCESSED:
            return _split_items(request, which, _UNPROCESSED[operation])
    except (TypeError, KeyError, AttributeError):
        return None  # not of the form that AWS takes: it will say so
    return None


def _place(count: int, which: float) -> int:
    return min(int(which * count), count - 1)


def _split_sqs(request: Answer, which: float) -> tuple[Answer | None, Merge] | None:
    entries = list(request.get("Entries") or [])
    if not entries:
        return None
    taken = entries.pop(_place(len(entries), which))
    failure = {"Id": taken["Id"], "SenderFault": False, "Code": "InternalError", "Message": MESSAGE}

    def merge(answer: Answer) -> Answer:
        whole = {"Successful": [], **answer}
        return {**whole, "Failed": [*answer.get("Failed", []), failure]}

    return ({**request, "Entries": entries} if entries else None), merge


def _split_statements(request: Answer, which: float) -> tuple[Answer | None, Merge] | None:
    statements = list(request.get("Statements") or [])
    if not statements:
        return None
    place = _place(len(statements), which)
    del statements[place]
    failure = {"Error": {"Code": "ThrottlingError", "Message": MESSAGE}}

    def merge(answer: Answer) -> Answer:
        answers = list(answer.get("Responses", []))
        answers.insert(place, failure)
        return {**answer, "Responses": answers}

    return ({**request, "Statements": statements} if statements else None), merge


def _split_items(request: Answer, which: float, member: str) -> tuple[Answer | None, Merge] | None:
    tables = request.get("RequestItems") or {}
    entries = [(table, number) for table, one in tables.items() for number in range(len(_of(one)))]
    if not entries:
        return None
    table, number = entries[_place(len(entries), which)]
    kept = [one for index, one in enumerate(_of(tables[table])) if index != number]
    rest = {**tables, table: _with(tables[table], kept)}
    if not kept:
        del rest[table]
    failed = {table: _with(tables[table], [_of(tables[table])[number]])}

    def merge(answer: Answer) -> Answer:
        also = dict(answer.get(member) or {})
        if table in also:
            also[table] = _with(also[table], [*_of(also[table]), *_of(failed[table])])
        else:
            also |= failed
        return {"Responses": {}, **answer, member: also}

    return ({**request, "RequestItems": rest} if rest else None), merge


def _of(entry: Any) -> list[Any]:
    """Writes are a list, reads have theirs under `Keys`."""
    return list(entry["Keys"]) if isinstance(entry, dict) else list(entry)


def _with(entry: Any, several: list[Any]) -> Any:
    return {**entry, "Keys": several} if isinstance(entry, dict) else several
