"""One contract for tables, held by those in memory and by DynamoDB in the local cloud."""

from uuid import uuid4

import pytest

from loadtest.virtual.tables import MemoryTables
from mailpipe import records
from mailpipe.aws.table import Applied, Refused, Tables
from mailpipe.partiql import REMOVE, delete_from, insert_into, update_in
from mailpipe.records import Attributes, Value
from mailpipe.resources import COORDINATION, DUE_ITEMS, EMAIL_TRACKING
from mailpipe.statements import EmailStatements
from tests.integration.conftest import PREFIX, Parts, message

WRITES = EmailStatements(PREFIX)


@pytest.fixture(params=["memory", "cloud"])
def tables(request: pytest.FixtureRequest) -> Tables:
    if request.param == "memory":
        return MemoryTables(PREFIX)
    parts: Parts = request.getfixturevalue("parts")
    return parts.tables


def key_of(name: str) -> Attributes:
    return {"kind": "contract", "id": name}


async def born(tables: Tables, **more: Value) -> Attributes:
    """The key of a new item."""
    key = key_of(str(uuid4()))
    item = key | {"number": 1, "text": "a"} | more
    assert await tables.write(insert_into(PREFIX, COORDINATION, item)) == Applied()
    return key


async def test_an_item_is_inserted_once(tables: Tables) -> None:
    key = await born(tables)
    again = await tables.write(insert_into(PREFIX, COORDINATION, key | {"number": 2}))
    assert again == Refused(None, duplicate=True)
    assert await tables.get(COORDINATION, key) == key | {"number": 1, "text": "a"}


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        (("number", "=", 1), True),
        (("number", "<", 2), True),
        (("number", "<", 1), False),
        (("number", "<=", 1), True),
        (("number", "=", "1"), False),
        (("text", "=", "a"), True),
        (("text", "=", "b"), False),
        (("nothing", "=", 1), False),
        (("nothing", "<", 1), False),
    ],
)
async def test_an_update_is_applied_where_its_condition_holds(
    tables: Tables, where: tuple[str, str, Value], holds: bool
) -> None:
    key = await born(tables)
    fate = await tables.write(update_in(PREFIX, COORDINATION, {"number": 5}, key, where))
    found = await tables.get(COORDINATION, key)
    if holds:
        assert fate == Applied()
    else:
        assert fate == Refused(key | {"number": 1, "text": "a"})
    assert found == key | {"number": 5 if holds else 1, "text": "a"}


async def test_attributes_are_added_and_removed(tables: Tables) -> None:
    key = await born(tables)
    changes: Attributes = {"text": REMOVE, "more": 3}
    assert await tables.write(update_in(PREFIX, COORDINATION, changes, key)) == Applied()
    assert await tables.get(COORDINATION, key) == key | {"number": 1, "more": 3}


async def test_an_update_makes_no_item(tables: Tables) -> None:
    key = key_of(str(uuid4()))
    assert await tables.write(update_in(PREFIX, COORDINATION, {"number": 5}, key)) == Refused(None)
    assert await tables.get(COORDINATION, key) is None


async def test_a_delete_of_what_is_not_there_changes_nothing(tables: Tables) -> None:
    key = key_of(str(uuid4()))
    assert await tables.write(delete_from(PREFIX, COORDINATION, key)) == Applied()


async def test_a_delete_may_have_a_condition(tables: Tables) -> None:
    key = await born(tables)
    refused = await tables.write(delete_from(PREFIX, COORDINATION, key, ("number", "=", 2)))
    assert isinstance(refused, Refused)
    fate = await tables.write(delete_from(PREFIX, COORDINATION, key, ("number", "=", 1)))
    assert fate == Applied()
    assert await tables.get(COORDINATION, key) is None


async def test_a_record_is_claimed_sent_and_raised_in_its_maps(tables: Tables) -> None:
    one = message(to=["a@example.net", "b@example.net"])
    attributes = records.born(one.email_id, one.tenant, records.fields_of(one))
    claimed = WRITES.claim(
        *(one.email_id, "default"),
        attempts=0,
        version=0,
        fingerprint=None,
        token="me",
        lease_until_ms=9,
    )
    assert await tables.write(WRITES.insert(attributes)) == Applied()
    assert await tables.write(claimed) == Applied()
    assert isinstance(await tables.write(claimed), Refused)
    assert await tables.write(WRITES.sent(one.email_id, 1, "ses", at_ms=7)) == Applied()
    assert await tables.write(WRITES.raise_recipient(one.email_id, 1, 40)) == Applied()
    assert isinstance(await tables.write(WRITES.raise_recipient(one.email_id, 1, 30)), Refused)
    item = await tables.get(EMAIL_TRACKING, {"emailId": one.email_id})
    assert item is not None
    assert (item["ids"], item["ranks"]) == ({"a1": "ses"}, {"r0": 0, "r1": 40})
    assert (item["status"], item["attempt"], item["leaseUntil"]) == ("sent", 1, 0)


async def test_a_partition_is_read_in_order_and_in_pages(tables: Tables) -> None:
    partition = f"P#{uuid4()}#0"
    keys = [f"{number:03d}#m" for number in (5, 1, 4, 2, 3)]
    items: list[Attributes] = [{"waitsFor": partition, "dueKey": key} for key in keys]
    writes = [insert_into(PREFIX, DUE_ITEMS, item) for item in items]
    assert await tables.write_all(writes) == [Applied()] * 5
    page = await tables.page(DUE_ITEMS, partition, between=("002", "004~"), limit=2)
    assert [item["dueKey"] for item in page.items] == ["002#m", "003#m"]
    assert page.last == {"waitsFor": partition, "dueKey": "003#m"}
    whole = await tables.page(DUE_ITEMS, partition, between=("002", "004~"), limit=100)
    assert [item["dueKey"] for item in whole.items] == ["002#m", "003#m", "004#m"]
    assert whole.last is None
    assert [item["dueKey"] for item in await tables.partition(DUE_ITEMS, partition)] == sorted(keys)
    assert await tables.partition(DUE_ITEMS, f"P#{uuid4()}#0") == []


async def test_of_several_keys_those_that_exist_are_found(tables: Tables) -> None:
    key = await born(tables)
    found = await tables.get_all(COORDINATION, [key, key_of(str(uuid4()))])
    assert found == [key | {"number": 1, "text": "a"}]


async def test_an_index_is_read_in_order_and_in_pages(tables: Tables) -> None:
    state = f"contract#{uuid4()}"
    ids = [f"{state}#{number}" for number in (3, 1, 2)]
    items: list[Attributes] = [
        {"emailId": one, "open": state, "createdAt": int(one[-1])} for one in ids
    ]
    assert await tables.write_all([WRITES.insert(one) for one in items]) == [Applied()] * 3
    found, after = list[Value](), None
    while True:
        page = await tables.page(
            *(EMAIL_TRACKING, state), index="byState", between=(0, 2), after=after, limit=1
        )
        found += [item["emailId"] for item in page.items]
        if (after := page.last) is None:
            break
    assert found == [f"{state}#1", f"{state}#2"]
    key: Attributes = {"emailId": f"{state}#1"}
    await tables.write(update_in(PREFIX, EMAIL_TRACKING, {"open": REMOVE}, key))
    page = await tables.page(EMAIL_TRACKING, state, index="byState", limit=10)
    assert [item["emailId"] for item in page.items] == [f"{state}#2", f"{state}#3"]
