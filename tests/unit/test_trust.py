"""Who may speak for a tenant, as values."""

import pytest

from mailpipe import origins
from mailpipe.settings import SettingsError, load
from mailpipe.tenants import Tenant
from sender.settings import SenderSettings
from sender.trust import Distrust, judge

INGEST = "AROAINGESTINGESTINGES"
ROLE = "AROASHOPSHOPSHOPSHOPS"
USER = "AIDASHOPSHOPSHOPSHOPS"
SHOP = Tenant(tenant="shop", principals=[ROLE, USER])
KEY = {"MAILPIPE_ADDRESS_HASH_KEY": "k" * 32}


@pytest.mark.parametrize(
    "sender_id", [USER, f"{ROLE}:i-0123456789abcdef0", f"{ROLE}:a:b", INGEST, f"{INGEST}:x"]
)
def test_principals_of_the_tenant_and_ours_may(sender_id: str) -> None:
    assert judge(SHOP, sender_id, trusted={INGEST}) == SHOP


@pytest.mark.parametrize(
    "sender_id",
    ["", None, ":", f":{ROLE}", f"x:{ROLE}", ROLE[:-1], ROLE + "A", ROLE.lower(), "123456789012"],
)
def test_nobody_else_may(sender_id: str | None) -> None:
    fault = judge(SHOP, sender_id, trusted={INGEST})
    assert isinstance(fault, Distrust)
    assert (fault.kind, fault.reason.partition(":")[0]) == ("forged", "auth")


def test_a_tenant_without_principals_is_spoken_for_by_ours_alone() -> None:
    bare = Tenant(tenant="bare")
    assert judge(bare, INGEST, trusted={INGEST}) == bare
    assert isinstance(judge(bare, USER, trusted={INGEST}), Distrust)


@pytest.mark.parametrize("trusted", [None, {INGEST}])
def test_unknown_and_disabled_tenants_have_no_mail_whoever_sends(trusted: set[str] | None) -> None:
    for tenant, kind in (
        (None, "unknown_tenant"),
        (Tenant(tenant="t", enabled=False), "disabled_tenant"),
    ):
        fault = judge(tenant, INGEST, trusted=trusted)
        assert isinstance(fault, Distrust)
        assert (fault.kind, fault.reason.partition(":")[0]) == (kind, "tenant")


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize(
    ("sender_id", "earlier"),
    [
        (INGEST, ["AIDAFORGERFORGERFORGE"]),
        (INGEST, [INGEST, "AIDAFORGERFORGERFORGE"]),
        (INGEST, [origins.UNKNOWN]),
        ("AIDAFORGERFORGERFORGE", [INGEST]),
        ("AIDAFORGERFORGERFORGE", [ROLE]),
        (None, [INGEST]),
    ],
)
def test_one_sender_who_may_not_is_enough_and_an_attribute_never_lends_trust(
    sender_id: str | None, earlier: list[str], enabled: bool
) -> None:
    tenant = Tenant(tenant="shop", principals=[ROLE], enabled=enabled)
    fault = judge(tenant, sender_id, trusted={INGEST}, earlier=earlier)
    assert isinstance(fault, Distrust)
    assert fault.kind == "forged"


def test_put_back_by_ours_a_message_speaks_for_whom_it_spoke_before() -> None:
    assert judge(SHOP, f"{INGEST}:me", trusted={INGEST}, earlier=[INGEST, USER]) == SHOP


def test_without_the_check_nobody_is_asked() -> None:
    assert judge(SHOP, None, trusted=None) == SHOP


def test_the_settings_name_who_is_trusted() -> None:
    name = "MAILPIPE_SENDER_TRUSTED_PRINCIPALS"
    assert load(SenderSettings, "sender", {**KEY, name: f"{INGEST}, {ROLE}"}).trusted == {
        INGEST,
        ROLE,
    }
    off = {"MAILPIPE_SENDER_TRUST_SENDER_ID": "0"}
    assert load(SenderSettings, "sender", {**KEY, **off}).trusted is None


@pytest.mark.parametrize("text", ["", "arn:aws:iam::123456789012:role/ingest", "AROA", f"{ROLE};x"])
def test_a_check_that_would_quarantine_everything_is_no_configuration(text: str) -> None:
    with pytest.raises(SettingsError, match="MAILPIPE_SENDER_TRUSTED_PRINCIPALS"):
        load(SenderSettings, "sender", {**KEY, "MAILPIPE_SENDER_TRUSTED_PRINCIPALS": text})
