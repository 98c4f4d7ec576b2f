"""Keys at the REST door, over the local cloud: refused, limited, of a disabled tenant."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from infra.local.stack import Stack
from mailpipe import keys, resources, tenants
from mailpipe.keys import new_key
from mailpipe.messages import new_email_id
from mailpipe.partiql import insert_into
from mailpipe.tenants import Tenant
from mailpipe.timing import now_ms
from tests.integration.conftest import PREFIX
from tests.integration.rest_door import MAIL, Door, open_door


@pytest.fixture(scope="module")
async def door(cloud_environment: Stack) -> AsyncIterator[Door]:
    async with open_door(cloud_environment) as opened:
        yield opened


def tenant(**given: Any) -> Tenant:
    """A tenant that no other test has."""
    return Tenant(tenant=new_email_id(), **given)


async def key_of(door: Door, owner: Tenant | None = None, **changes: Any) -> str:
    """A key of this tenant, or of one of its own."""
    owner = owner or tenant()
    made = new_key(owner.tenant, ["send", "read"], now_ms=now_ms())
    stored = keys.item_of(made.key) | changes
    for item in (tenants.item_of(owner), stored):
        await door.tables.write(insert_into(PREFIX, resources.ACCESS, item))
    return made.text


async def test_every_key_that_does_not_hold_hears_the_same(door: Door) -> None:
    good = await key_of(door)
    assert (await door.ask("GET", "/emails", key=good)).status == 200
    wrong = [
        "",
        "mp_",
        good[:-1] + ("a" if good[-1] != "a" else "b"),
        await key_of(door, enabled=False),
        await key_of(door, expiresAt=1),
        keys.hash_of(good),
    ]
    said = [await door.ask("GET", "/emails", key=key) for key in wrong]
    assert [one.status for one in said] == [401] * len(wrong)
    assert [one.body for one in said] == [said[0].body] * len(wrong)


async def test_the_key_of_a_disabled_tenant_is_forbidden(door: Door) -> None:
    closed = tenant(enabled=False)
    said = await door.ask("POST", "/send-email", json=MAIL, key=await key_of(door, closed))
    assert (said.status, said.body["error"]) == (403, "FORBIDDEN")
    assert "disabled" in said.body["message"]


async def test_beyond_its_rate_a_key_is_told_when_to_come_back_and_others_go_on(
    door: Door,
) -> None:
    busy, calm = await key_of(door, tenant(max_per_second=1)), await key_of(door)
    batch = {"emails": [MAIL] * 50}
    assert (await door.ask("POST", "/send-emails", json=batch, key=busy)).status < 300
    said = await door.ask("POST", "/send-email", json=MAIL, key=busy)
    assert (said.status, said.body["error"]) == (429, "RATE_LIMIT_EXCEEDED")
    assert 1 < said.body["retryAfter"] <= 50
    assert said.headers["Retry-After"] == str(said.body["retryAfter"])
    assert (await door.ask("POST", "/send-email", json=MAIL, key=calm)).status == 202


async def test_a_domain_that_is_not_the_tenants_is_refused(door: Door) -> None:
    key = await key_of(door, tenant(domains=["shop.example"]))
    said = await door.ask("POST", "/send-email", json=MAIL, key=key)
    assert (said.status, said.body["details"]["constraint"]) == (400, "from_domain")
    own = MAIL | {"from": "x@Shop.Example"}
    assert (await door.ask("POST", "/send-email", json=own, key=key)).status == 202
