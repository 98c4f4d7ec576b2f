"""A change and its entry in the audit: both or neither, over the local cloud."""

from collections.abc import AsyncIterator

import pytest

from mailpipe import resources, tenants
from mailpipe.audit import Audited, NotDone, entry, partition
from mailpipe.aws.client import Aws
from mailpipe.aws.together import Remove, Save
from mailpipe.messages import new_email_id
from mailpipe.records import Attributes
from mailpipe.tenants import Tenant
from mailpipe.timing import iso, now_ms
from tests.integration.conftest import PREFIX, Parts


@pytest.fixture
async def audited(parts: Parts) -> AsyncIterator[Audited]:
    async with Aws() as opened:
        client = await opened.client("dynamodb", connections=4, timeout_s=5)
        yield Audited(client, PREFIX, who="ana")


def tenant() -> Attributes:
    return tenants.item_of(Tenant(tenant=new_email_id(), domains=["a.example"], max_per_second=3))


async def stored(parts: Parts, item: Attributes) -> Attributes | None:
    return await parts.tables.get(resources.ACCESS, {"kind": item["kind"], "id": item["id"]})


async def actions(parts: Parts, on: object) -> list[str]:
    """What the audit says of today about this thing."""
    found = await parts.tables.partition(resources.LEDGER, partition(iso(now_ms())[:10]))
    return [str(one["action"]) for one in found if one["on"] == on]


async def test_of_two_who_change_the_same_at_once_one_is_told(
    parts: Parts, audited: Audited
) -> None:
    first = tenant()
    name = str(first["id"])
    await audited.write("made", name, [Save(resources.ACCESS, first)], what={})
    changed = first | {"domains": []}
    await audited.write("changed", name, [Save(resources.ACCESS, changed, first)], what={})
    stale = Save(resources.ACCESS, first | {"enabled": False}, first)
    with pytest.raises(NotDone, match="same moment"):
        await audited.write("late", name, [stale], what={})
    assert await stored(parts, first) == changed
    assert await actions(parts, name) == ["made", "changed"]


async def test_what_is_there_is_not_made_and_what_is_not_there_is_not_removed(
    parts: Parts, audited: Audited
) -> None:
    first = tenant()
    name, key = str(first["id"]), {"kind": first["kind"], "id": first["id"]}
    await audited.write("made", name, [Save(resources.ACCESS, first)], what={})
    again = [Save(resources.ACCESS, first | {"enabled": False})]
    with pytest.raises(NotDone, match="taken"):
        await audited.write("again", name, again, what={}, otherwise="taken")
    gone = [Remove(resources.ACCESS, key)]
    await audited.write("removed", name, gone, what={})
    with pytest.raises(NotDone, match="gone"):
        await audited.write("gone", name, gone, what={}, otherwise="gone")
    assert await stored(parts, first) is None
    assert await actions(parts, name) == ["made", "removed"]


def test_entries_of_a_day_sort_by_time() -> None:
    made = [entry("ana", "made", "x", at_ms=at_ms, what={}) for at_ms in (5, 1_000, 60_000)]
    assert sorted(str(one["id"]) for one in made) == [one["id"] for one in made]
