"""What a key allows, for how long an old answer counts, and how fast it may be used."""

import asyncio
from typing import Any

import pytest

from mailpipe import keys, tenants
from mailpipe.access import FRESH_S, MAX_REMEMBERED, Grant
from mailpipe.keys import Scope, new_key
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.tenants import Tenant
from tests.unit.access_rig import Rig

SEND: list[Scope] = ["send"]


def key_in(rig: Rig, *, tenant: str = "default", expires_at: int = 0) -> str:
    """A key that the table holds."""
    made = new_key(tenant, SEND, now_ms=0, expires_at=expires_at)
    rig.items.put(keys.item_of(made.key))
    return made.text


def revoke(rig: Rig, text: str) -> None:
    rig.items.items["key", keys.hash_of(text)]["enabled"] = False


async def granted(rig: Rig, text: str) -> Grant:
    found = await rig.access.grant(text)
    assert found is not None
    return found


async def test_a_key_stands_for_its_tenant_its_scopes_and_what_the_tenant_may_do() -> None:
    rig = Rig()
    text = key_in(rig, tenant="shop")
    shop = Tenant(tenant="shop", domains=["shop.example"])
    rig.items.put(tenants.item_of(shop))
    assert await rig.access.grant(text) == Grant("shop", frozenset(SEND), text[:11], shop)


async def test_the_item_that_was_written_before_there_was_a_command_line_still_works() -> None:
    rig = Rig(local=True)
    item = {"tenant": "default", "scopes": ["send", "read"], "enabled": True, "local": True}
    rig.items.put({"kind": "key", "id": keys.hash_of("mp_local_key"), **item})
    found = await granted(rig, "mp_local_key")
    assert (found.tenant, found.scopes) == ("default", {"send", "read"})
    assert found.settings == Tenant(tenant="default")


async def test_the_local_key_is_nothing_in_a_real_account() -> None:
    rig = Rig(local=False)
    item = {"tenant": "default", "scopes": ["send"], "enabled": True, "local": True}
    rig.items.put({"kind": "key", "id": keys.hash_of("mp_local_key"), **item})
    assert await rig.access.grant("mp_local_key") is None


@pytest.mark.parametrize("text", ["", "mp_wrong", "x" * 257, "mp_\udcff", "mp_\u00e9"])
async def test_what_is_no_key_of_ours_is_refused(text: str) -> None:
    assert await Rig().access.grant(text) is None


async def test_a_key_with_another_last_character_is_refused() -> None:
    rig = Rig()
    text = key_in(rig)
    assert await rig.access.grant(text[:-1] + ("a" if text[-1] != "a" else "b")) is None


async def test_a_revoked_key_works_for_at_most_five_seconds() -> None:
    rig = Rig()
    text = key_in(rig)
    await granted(rig, text)
    revoke(rig, text)
    rig.now_s += FRESH_S - 0.01
    await granted(rig, text)
    rig.now_s += 0.01
    assert await rig.access.grant(text) is None


async def test_an_answer_is_as_old_as_the_begin_of_its_read() -> None:
    rig = Rig()
    text = key_in(rig)
    reading = asyncio.create_task(rig.access.grant(text))
    await asyncio.sleep(0)
    rig.now_s += 2  # the read takes that long
    assert await reading is not None
    revoke(rig, text)
    rig.now_s += 3
    assert await rig.access.grant(text) is None


async def test_an_expired_key_stops_at_its_instant_however_fresh_the_answer() -> None:
    rig = Rig()
    text = key_in(rig, expires_at=round((rig.now_s + 1) * 1000))
    await granted(rig, text)
    rig.now_s += 1
    assert await rig.access.grant(text) is None
    assert rig.items.reads == 2  # the key and its tenant, once


async def test_all_who_miss_at_once_share_one_read() -> None:
    rig = Rig()
    text = key_in(rig)
    assert None not in await asyncio.gather(*(rig.access.grant(text) for _ in range(50)))
    assert rig.items.reads == 2


async def test_a_caller_who_gives_up_takes_nothing_from_the_others() -> None:
    rig = Rig()
    text = key_in(rig)
    first, second = (asyncio.create_task(rig.access.grant(text)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second is not None


async def test_a_table_that_does_not_answer_is_no_answer_and_is_asked_again() -> None:
    rig = Rig()
    text = key_in(rig)
    rig.items.fault = CallFailed(Kind.IN_DOUBT, "Timeout")
    with pytest.raises(CallFailed):
        await rig.access.grant(text)
    rig.items.fault = None
    await granted(rig, text)


async def test_wrong_keys_are_remembered_within_bounds_and_push_no_key_in_use_out() -> None:
    rig = Rig()
    text = key_in(rig)
    await granted(rig, text)
    await rig.access.grant("mp_wrong")
    await rig.access.grant("mp_wrong")
    assert rig.items.reads == 3
    for index in range(MAX_REMEMBERED + 10):
        await rig.access.grant(f"mp_{index}")
        if index % 1000 == 0:
            await granted(rig, text)
    assert rig.items.reads == 3 + MAX_REMEMBERED + 10


@pytest.mark.parametrize("changes", [{"scopes": "send"}, {"tenant": 7}, {"enabled": "yes"}])
async def test_an_item_that_was_written_wrongly_refuses_nothing_for_good(
    changes: dict[str, Any],
) -> None:
    rig = Rig()
    made = new_key("default", SEND, now_ms=0)
    rig.items.put(keys.item_of(made.key) | changes)
    with pytest.raises(CallFailed, match="cannot be read") as failed:
        await rig.access.grant(made.text)
    assert failed.value.kind is Kind.CONFIGURATION


@pytest.mark.parametrize("known", [True, False])
async def test_the_key_of_a_disabled_or_missing_tenant_says_so(known: bool) -> None:
    rig = Rig()
    text = key_in(rig, tenant="gone")
    if known:
        rig.items.put(tenants.item_of(Tenant(tenant="gone", enabled=False)))
    assert (await granted(rig, text)).settings.enabled is False


async def test_a_key_has_its_rate_and_hears_how_long_to_wait() -> None:
    rig = Rig(per_second=10)
    grant = await granted(rig, key_in(rig))
    assert [rig.access.allow(grant) for _ in range(10)] == [0.0] * 10
    assert rig.access.allow(grant) == pytest.approx(0.1)
    rig.now_s += 0.1
    assert rig.access.allow(grant) == 0.0
    other = await granted(rig, key_in(rig))
    assert rig.access.allow(other, 10) == 0.0


async def test_the_lower_limit_of_a_tenant_is_for_all_of_its_keys_together() -> None:
    rig = Rig()
    rig.items.put(tenants.item_of(Tenant(tenant="small", max_per_second=2)))
    first, second = [await granted(rig, key_in(rig, tenant="small")) for _ in range(2)]
    assert [rig.access.allow(first), rig.access.allow(second)] == [0.0, 0.0]
    assert rig.access.allow(second) == pytest.approx(0.5)
