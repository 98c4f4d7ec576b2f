"""The suppression list by the REST door, over the local cloud."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from infra.local.stack import Stack
from mailpipe import records, resources, suppression
from mailpipe.partiql import insert_into
from mailpipe.timing import now_ms
from tests.integration.conftest import HASH_KEY, PREFIX
from tests.integration.rest_door import OTHER_KEY, Door, Said, open_door

NOW = now_ms()


@pytest.fixture(scope="module")
async def door(cloud_environment: Stack) -> AsyncIterator[Door]:
    async with open_door(cloud_environment) as opened:
        yield opened


async def suppress(door: Door, email: str, **more: Any) -> Said:
    return await door.ask("POST", "/suppression/add", json={"email": email, **more})


async def entry(door: Door, email: str) -> records.Attributes | None:
    key = suppression.key_of(HASH_KEY, "default", email)
    return await door.tables.get(resources.SUPPRESSION_LIST, key)


async def test_an_address_is_suppressed_and_freed_in_whatever_case(door: Door) -> None:
    said = await suppress(door, "Gone@Example.net")
    assert (said.status, said.body["suppressed"]["reason"]) == (200, "manual")
    assert said.body["suppressed"]["email"] == "Gone@example.net"
    item = await entry(door, "gone@example.net")
    assert item is not None
    assert (item["scope"], item["reason"]) == ("all", "manual")
    path = f"/suppression/{quote('GONE@example.net')}"
    assert (await door.ask("DELETE", path, key=OTHER_KEY)).status == 404
    assert (await door.ask("DELETE", path)).body == {"success": True}
    assert await entry(door, "gone@example.net") is None
    assert (await door.ask("DELETE", path)).status == 404


async def test_an_entry_is_widened_and_never_narrowed(door: Door) -> None:
    await suppress(door, "wide@example.net", scope="bulk")
    item = await entry(door, "wide@example.net")
    assert item is not None
    assert item["scope"] == "bulk"
    first = (await suppress(door, "wide@example.net", scope="all")).body["suppressed"]
    assert first["scope"] == "all"
    again = (await suppress(door, "wide@example.net", scope="bulk")).body["suppressed"]
    assert again == first


async def test_an_entry_that_expires_stays_when_somebody_asks_for_it(door: Door) -> None:
    expiring = suppression.item_for(
        HASH_KEY, "default", "soft@example.net", reason="bounce", scope="bulk", added_at_ms=NOW
    )
    expiring["ttl"] = NOW // 1000 + 60
    await door.tables.write(insert_into(PREFIX, resources.SUPPRESSION_LIST, expiring))
    said = await suppress(door, "soft@example.net", scope="bulk")
    assert (said.body["suppressed"]["reason"], said.body["suppressed"]["scope"]) == (
        "manual",
        "bulk",
    )
    item = await entry(door, "soft@example.net")
    assert item is not None
    assert "ttl" not in item


async def test_the_list_has_every_address_once_and_none_that_expired(door: Door) -> None:
    wanted = {f"listed{number}@example.net" for number in range(5)}
    for one in wanted:
        await suppress(door, one)
    past = suppression.item_for(
        HASH_KEY, "default", "past@example.net", reason="bounce", added_at_ms=NOW
    )
    await door.tables.write(
        insert_into(PREFIX, resources.SUPPRESSION_LIST, past | {"ttl": NOW // 1000 - 60})
    )
    soft = {"tenant": "default", "addressHash": "soft#1", "address": "counted@example.net"}
    await door.tables.write(insert_into(PREFIX, resources.SUPPRESSION_LIST, {**soft}))
    found, query = list[str](), "limit=2"
    while True:
        said = await door.ask("GET", f"/suppression?{query}")
        found += [one["email"] for one in said.body["suppressed"]]
        if said.body["nextCursor"] is None:
            break
        query = f"limit=2&cursor={quote(said.body['nextCursor'])}"
    assert len(found) == len(set(found))
    assert wanted <= set(found)
    assert not {"past@example.net", "counted@example.net"} & set(found)


@pytest.mark.parametrize(
    ("body", "field", "constraint"),
    [
        ({}, "email", "required"),
        ({"email": "nobody"}, "email", "address_syntax"),
        ({"email": "a@example.net", "scope": "some"}, "scope", "enum"),
        ({"email": "a@example.net", "reason": "x"}, "reason", "unknown_field"),
    ],
)
async def test_a_bad_entry_names_the_field(
    door: Door, body: dict[str, Any], field: str, constraint: str
) -> None:
    said = await door.ask("POST", "/suppression/add", json=body)
    assert (said.status, said.body["details"]) == (400, {"field": field, "constraint": constraint})
