"""Items of whole numbers that many processes change: one conditional UpdateItem each.

Nothing is repeated here: an addition whose fate is unknown may have happened. A failed condition is
a normal answer, and brings the item as it is.
"""

from collections.abc import Iterator

from mailpipe import resources
from mailpipe.aws import dynamodb_operations as aws
from mailpipe.aws.client import Client
from mailpipe.aws.items import to_value
from mailpipe.changes import Change, Changed, Fate, Numbers, Refused
from mailpipe.outcomes import CallFailed

CONDITION_FAILED = "ConditionalCheckFailedException"


class Counters:
    """The items of one kind in `Coordination`."""

    def __init__(self, client: Client, prefix: str, *, kind: str) -> None:
        self._client = client
        self._table = resources.physical(prefix, resources.COORDINATION)
        self._kind = kind

    async def change(self, name: str, change: Change) -> Fate:
        """Change the item with this id. Raises CallFailed; when IN_DOUBT it may have happened."""
        request = _update(self._table, {"kind": {"S": self._kind}, "id": {"S": name}}, change)
        try:
            answer = await self._client.call(aws.UPDATE_ITEM, request)
        except CallFailed as failure:
            if failure.code != CONDITION_FAILED:
                raise
            return Refused(None if failure.item is None else _numbers(failure.item))
        return Changed(_numbers(answer.attributes or {}))


def _update(table: str, key: aws.Item, change: Change) -> aws.UpdateItem:
    values, names = aws.Item(), dict[str, str]()

    def value(number: int) -> str:
        placeholder = f":v{len(values)}"
        values[placeholder] = to_value(number)
        return placeholder

    def name(attribute: str) -> str:
        names[f"#{attribute}"] = attribute
        return f"#{attribute}"

    def assignments() -> Iterator[str]:
        for attribute, number in change.sets.items():
            yield f"{name(attribute)} = {value(number)}"
        for attribute, number in change.adds.items():
            yield f"{name(attribute)} = {name(attribute)} + {value(number)}"

    def conditions() -> Iterator[str]:
        for where in change.where:
            yield f"{name(where.name)} {where.comparison} {value(where.value)}"
        for attribute in change.absent:
            yield f"attribute_not_exists({name(attribute)})"

    return aws.UpdateItem(
        table_name=table,
        key=key,
        update_expression="SET " + ", ".join(assignments()),
        condition_expression=" AND ".join(conditions()) or None,
        expression_attribute_names=names,
        expression_attribute_values=values,
        return_values="ALL_NEW",
        return_values_on_condition_check_failure="ALL_OLD",
    )


def _numbers(item: aws.Item) -> Numbers:
    """Its whole numbers; what a person has put there besides is left alone."""
    return {
        name: int(typed["N"])
        for name, typed in item.items()
        if "N" in typed and typed["N"].lstrip("-").isdecimal()
    }
