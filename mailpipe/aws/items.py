"""DynamoDB's typed attribute values to plain Python values and back. Pure.

Numbers are integers in all our tables, so none ever becomes a Decimal.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from mailpipe.aws.dynamodb_operations import Item
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.records import Attributes, Value

T = TypeVar("T")


def to_value(value: Value) -> dict[str, Any]:
    """`"x"` to `{"S": "x"}` and so on. `True` is a BOOL, not the number 1."""
    match value:
        case list():
            return {"L": to_values(value) if value else []}
        case dict():
            return {"M": to_item(value) if value else {}}
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case None:
            return {"NULL": True}


def to_values(values: Iterable[Value]) -> list[dict[str, Any]]:
    """Several, in order."""
    # A record has two dozen values, nearly all of them text, numbers or lists.
    return [
        {"S": one}
        if type(one) is str
        else {"N": str(one)}
        if type(one) is int
        else {"L": to_values(one)}
        if type(one) is list
        else to_value(one)
        for one in values
    ]


def from_value(typed: dict[str, Any]) -> Value:
    """`{"N": "7"}` to `7` and so on. Raises ValueError for a type that we never write."""
    ((kind, value),) = typed.items()
    match kind:
        case "S" | "BOOL":
            return value  # type: ignore[no-any-return]
        case "N":
            return int(value)
        case "NULL":
            return None
        case "L":
            return [from_value(element) for element in value] if value else []
        case "M":
            return from_item(value) if value else {}
    raise ValueError(f"unexpected DynamoDB type {kind}")


def to_item(attributes: dict[str, Value]) -> Item:
    """Plain attributes to an item."""
    return dict(zip(attributes, to_values(attributes.values()), strict=True))


def from_item(item: Item) -> dict[str, Value]:
    """An item to plain attributes."""
    # As in `to_values`.
    return {
        name: one["S"] if "S" in one else int(one["N"]) if "N" in one else from_value(one)
        for name, one in item.items()
    }


def to_struct(attributes: Attributes, kind: type[T]) -> T:
    """The attributes of a person's item as a struct.

    Raises CallFailed, CONFIGURATION, when somebody has written it by hand and wrongly: nothing is
    refused for good because of that.
    """
    try:
        return msgspec.convert(attributes, kind)
    except msgspec.ValidationError as error:
        where = f"{attributes.get('kind')} '{attributes.get('id')}' in the table Access"
        text = f"the {where} cannot be read: {error}"
        raise CallFailed(Kind.CONFIGURATION, "UnreadableItem", text) from None
