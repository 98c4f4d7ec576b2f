"""Several writes of which all happen or none: a change and the entry that says who made it.

At twice the price of single writes (DynamoDB Developer Guide, "Amazon DynamoDB Transactions"): for
what people do by hand, never for mail.
"""

import uuid
from dataclasses import dataclass, field

from mailpipe import resources
from mailpipe.aws import dynamodb_operations as aws
from mailpipe.aws.client import Client
from mailpipe.aws.items import to_item, to_value
from mailpipe.aws.retries import call_again
from mailpipe.outcomes import CallFailed
from mailpipe.records import Attributes

CANCELLED = "TransactionCanceledException"
CONDITION_FAILED = "ConditionalCheckFailed"


@dataclass(frozen=True)
class Save:
    """A whole item, in the place of the one that was read as `instead_of`; without: a new one."""

    table: str
    item: Attributes
    instead_of: Attributes = field(default_factory=dict)


@dataclass(frozen=True)
class Remove:
    """Take an item away; there must be one."""

    table: str
    key: Attributes


class Changed(Exception):
    """An item is not as it was thought to be: nothing was written."""


async def write_together(client: Client, prefix: str, writes: list[Save | Remove]) -> None:
    """All of them or none. Raises Changed and CallFailed."""
    members = [_member(prefix, write) for write in writes]
    # The token makes the repeat of a call in doubt harmless.
    token = str(uuid.uuid4())
    request = aws.TransactWriteItems(transact_items=members, client_request_token=token)
    try:
        await call_again(client, aws.TRANSACT_WRITE_ITEMS, request)
    except CallFailed as failed:
        if failed.code == CANCELLED and CONDITION_FAILED in failed.reasons:
            raise Changed from None
        raise


def _member(prefix: str, write: Save | Remove) -> aws.TransactWrite:
    name = resources.physical(prefix, write.table)
    partition = resources.TABLES[write.table].partition
    if isinstance(write, Remove):
        deleted = aws.DeleteItem(
            table_name=name,
            key=to_item(write.key),
            condition_expression="attribute_exists(#k)",
            expression_attribute_names={"#k": partition},
        )
        return aws.TransactWrite(delete=deleted)
    put = aws.PutItem(table_name=name, item=to_item(write.item))
    if not write.instead_of:
        put.condition_expression = "attribute_not_exists(#k)"
        put.expression_attribute_names = {"#k": partition}
        return aws.TransactWrite(put=put)
    old = list(write.instead_of.items())
    put.condition_expression = " AND ".join(f"#n{index} = :v{index}" for index in range(len(old)))
    put.expression_attribute_names = {f"#n{index}": one for index, (one, _) in enumerate(old)}
    put.expression_attribute_values = {
        f":v{index}": to_value(value) for index, (_, value) in enumerate(old)
    }
    return aws.TransactWrite(put=put)
