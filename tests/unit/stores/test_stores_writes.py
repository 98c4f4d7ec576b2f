"""What the proxy tells of writes to tables, as values."""

import json
from typing import Any

from infra.local.stores.calls import Call
from infra.local.stores.writes import MAX_CHARS, told
from mailpipe.partiql import REMOVE, Statement, delete_from, insert_into, update_in
from mailpipe.records import Attributes, Value
from mailpipe.resources import DUE_ITEMS, EMAIL_TRACKING

KEY: Attributes = {"waitsFor": "T#1#0", "dueKey": "1#m"}


def wire(value: Value) -> dict[str, Any]:
    """A value as DynamoDB takes it."""
    if isinstance(value, int):
        return {"N": str(value)}
    return {"S": value} if isinstance(value, str) else {"M": {}}


def call_of(*statements: Statement) -> Call:
    asked = [
        {"Statement": one.text, "Parameters": [wire(value) for value in one.parameters]}
        for one in statements
    ]
    verbs = [one.text.split(maxsplit=1)[0].capitalize() for one in statements]
    uses = [(f"dynamodb:PartiQL{verb}", "t") for verb in verbs]
    return Call("dynamodb.BatchExecuteStatement", {"Statements": asked}, "sender", tuple(uses))


def answered(*codes: str | None) -> bytes:
    said = [{} if code is None else {"Error": {"Code": code, "Message": "m"}} for code in codes]
    return json.dumps({"Responses": said}).encode()


def test_each_statement_is_told_with_its_values_and_its_fate() -> None:
    born: Attributes = {"emailId": "m1", "attempt": 1, "ids": {}, "subject": "s" * (MAX_CHARS + 1)}
    where = ("attempt", "=", 0), ("rank", "<", 12)
    call = call_of(
        insert_into("p-", EMAIL_TRACKING, born),
        update_in(
            *("p-", EMAIL_TRACKING, {"ids.a1": "x", "open": REMOVE, "attempt": 1}),
            *({"emailId": "m2"}, *where),
        ),
        delete_from("p-", DUE_ITEMS, KEY),
    )
    inserted, updated, deleted = told(call, answered(None, "ConditionalCheckFailed", None))
    assert (inserted["set"], inserted["where"]) == ({"emailId": "m1", "attempt": 1}, {})
    assert updated["set"] == {"ids.a1": "x", "attempt": 1}
    assert updated["where"] == {"emailId": "m2", "attempt": 0, "rank": 12}
    assert (deleted["set"], deleted["where"]) == ({}, KEY)
    codes = [one["code"] for one in (inserted, updated, deleted)]
    assert codes == [None, "ConditionalCheckFailed", None]
    assert [one["verb"] for one in (inserted, updated, deleted)] == ["Insert", "Update", "Delete"]


def test_reads_and_other_calls_are_not_told() -> None:
    call = call_of(Statement('SELECT * FROM "t" WHERE "a"=?', ("x",), ("t",)))
    assert told(call, answered(None)) == []
    assert told(call._replace(operation="dynamodb.UpdateItem"), b"{}") == []
