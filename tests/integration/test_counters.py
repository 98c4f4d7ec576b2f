"""Conditional changes of shared items: one contract, here and in DynamoDB."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mailpipe import resources
from mailpipe.aws import dynamodb_operations as aws
from mailpipe.aws.client import Client
from mailpipe.aws.counters import Counters
from mailpipe.aws.queues import Queues
from mailpipe.changes import Change, Changed, Refused, Where
from mailpipe.messages import new_email_id
from sender.items import Items
from tests.integration.conftest import PREFIX
from tests.unit.memory_items import MemoryItems


@pytest.fixture(params=["memory", "dynamodb"])
async def items(
    request: pytest.FixtureRequest, opened: tuple[Client, Queues]
) -> AsyncIterator[Items]:
    """Where items are."""
    if request.param == "memory":
        yield MemoryItems()
    else:
        yield Counters(opened[0], PREFIX, kind="slots")


@pytest.fixture
def name() -> str:
    """Of an item of this test alone."""
    return new_email_id()


async def test_an_item_is_made_once(items: Items, name: str) -> None:
    made = Change({"tat": 5, "factor": 7}, absent=("tat",))
    assert await items.change(name, made) == Changed({"tat": 5, "factor": 7})
    again = Change({"tat": 1}, absent=("tat",))
    assert await items.change(name, again) == Refused({"tat": 5, "factor": 7})


async def test_a_missing_item_meets_no_condition(items: Items, name: str) -> None:
    for comparison in ("=", "<", "<=", ">="):
        change = Change({"tat": 5}, where=(Where("tat", comparison, 0),))
        assert await items.change(name, change) == Refused(None)


async def test_what_is_set_and_added_together_is_answered(items: Items, name: str) -> None:
    await items.change(name, Change({"tat": 1_764_000_000_000_000, "turn": 1}))
    change = Change({"turn": 2}, {"tat": 105}, where=(Where("turn", "=", 1),))
    assert await items.change(name, change) == Changed({"tat": 1_764_000_000_000_105, "turn": 2})
    assert await items.change(name, change) == Refused({"tat": 1_764_000_000_000_105, "turn": 2})


@pytest.mark.parametrize(
    ("comparison", "value", "holds"),
    [
        *(("<", 9, False), ("<", 10, False), ("<", 11, True)),
        *(("<=", 9, False), ("<=", 10, True), (">=", 10, True), (">=", 11, False)),
        *(("=", 10, True), ("=", 9, False)),
    ],
)
async def test_a_condition_compares_numbers(
    items: Items, name: str, comparison: str, value: int, holds: bool
) -> None:
    await items.change(name, Change({"tat": 10}))
    change = Change({"seen": 1}, where=(Where("tat", comparison, value),))  # type: ignore[arg-type]
    fate = await items.change(name, change)
    assert fate == (Changed({"tat": 10, "seen": 1}) if holds else Refused({"tat": 10}))


async def test_of_many_at_once_each_gets_its_own(items: Items, name: str) -> None:
    await items.change(name, Change({"tat": 0}))
    change = Change(adds={"tat": 10}, where=(Where("tat", "<=", 50),))
    fates = await asyncio.gather(*(items.change(name, change) for _ in range(12)))
    got = sorted(one.item["tat"] for one in fates if isinstance(one, Changed))
    assert got == [10, 20, 30, 40, 50, 60]


async def test_what_a_person_has_put_there_besides_is_left_alone(
    opened: tuple[Client, Queues], name: str
) -> None:
    dynamodb, _ = opened
    item = {
        "kind": {"S": "slots"},
        "id": {"S": name},
        "tat": {"N": "3"},
        "why": {"S": "a note"},
        "half": {"N": "0.5"},
    }
    table = resources.physical(PREFIX, resources.COORDINATION)
    await dynamodb.call(aws.PUT_ITEM, aws.PutItem(table_name=table, item=item))
    counters = Counters(dynamodb, PREFIX, kind="slots")
    assert await counters.change(name, Change(adds={"tat": 1})) == Changed({"tat": 4})
