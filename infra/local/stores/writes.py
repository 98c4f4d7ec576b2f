"""Which items a call has written to, and whether each write was applied. Pure.

Of PartiQL statements of the forms that a program makes: names quoted, values as parameters (Amazon
DynamoDB Developer Guide, "PartiQL - a SQL-compatible query language for Amazon DynamoDB"). Values
that are written out are the same in every such statement, and are not told.
"""

import re
from typing import Any

import msgspec

from infra.local.stores.calls import Call

MAX_CHARS = 64
"""Of a value that is told; what is longer is content, and a log has no use for it."""

_INSERT = re.compile(r"'([^']+)'\s*:\s*\?")
_SET = re.compile(r'\bSET\s+("[^=]+")\s*=\s*\?')
_WHERE = re.compile(r'("[\w."]+")\s*(?:<=|>=|<>|=|<|>)\s*\?')

_answers = msgspec.json.Decoder(dict[str, Any])


def told(call: Call, answer: bytes) -> list[dict[str, Any]]:
    """One entry for each statement that writes: verb, table, the names that it set and that its
    condition named, with their values (texts and numbers only), and the code of its error, if any.
    """
    if call.operation != "dynamodb.BatchExecuteStatement":
        return []
    responses = _answers.decode(answer).get("Responses", [])
    found = list[dict[str, Any]]()
    statements = call.request.get("Statements", [])
    for asked, said, (action, table) in zip(statements, responses, call.uses, strict=False):
        verb = action.removeprefix("dynamodb:PartiQL")
        if verb in ("Insert", "Update", "Delete"):
            sets, where = _parts(verb, str(asked["Statement"]), asked.get("Parameters", []))
            code = (said.get("Error") or {}).get("Code")
            found.append({"verb": verb, "table": table, "set": sets, "where": where, "code": code})
    return found


def _parts(
    verb: str, statement: str, parameters: list[dict[str, Any]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is set, and what the condition names."""
    head, _, condition = statement.partition(" WHERE ")
    sets = _INSERT.findall(head) if verb == "Insert" else _SET.findall(head)
    where = _WHERE.findall(condition)
    values = [_value(one) for one in parameters]
    return _named(sets, values[: len(sets)]), _named(where, values[len(sets) :])


def _named(names: list[str], values: list[str | int | None]) -> dict[str, Any]:
    pairs = zip(names, values, strict=False)
    return {name.replace('"', ""): value for name, value in pairs if value is not None}


def _value(parameter: dict[str, Any]) -> str | int | None:
    match parameter:
        case {"S": str(text)} if len(text) <= MAX_CHARS:
            return text
        case {"N": str(number)} if number.lstrip("-").isdigit():
            return int(number)
    return None
