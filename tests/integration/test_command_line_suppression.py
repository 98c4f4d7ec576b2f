"""The command line over the local cloud: the suppression list."""

import pytest

from infra.local.stack import Stack
from tests.integration.command_line import audited, done, refused, run, tenant
from tests.integration.conftest import HASH_KEY

__all__ = ["tenant"]

ANA = "Ana@Example.net"


@pytest.fixture(autouse=True)
def secret(aws: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILPIPE_ADDRESS_HASH_KEY", HASH_KEY.decode())


def test_an_address_is_added_found_by_any_form_listed_and_removed(tenant: str, aws: Stack) -> None:
    mine = ("--tenant", tenant)
    (made,) = done("suppression", "add", ANA, *mine, "--scope", "bulk")
    assert (made["email"], made["reason"], made["scope"]) == ("Ana@example.net", "manual", "bulk")
    (found,) = done("suppression", "check", "ana@EXAMPLE.net", *mine)
    assert (found["suppressed"], found["entries"]) == (True, [made])
    assert done("suppression", "list", *mine) == [made]
    (other,) = done("suppression", "check", ANA)
    assert other["suppressed"] is False

    (wider,) = done("suppression", "add", ANA, *mine)
    assert wider["scope"] == "all"
    (kept,) = done("suppression", "add", ANA, *mine, "--scope", "bulk")
    assert kept == wider
    done("suppression", "remove", ANA, *mine)
    assert done("suppression", "list", *mine) == []
    assert "not on the list" in refused("suppression", "remove", ANA, *mine)

    entries = audited(aws, tenant, exactly=False)
    actions = ["tenant.created", *["suppression.added"] * 2, "suppression.removed"]
    assert [one["action"] for one in entries] == actions
    assert "example.net" not in repr(entries).lower()


def test_an_address_for_everyone_stops_every_tenant(tenant: str) -> None:
    address = f"{tenant}@example.net"
    done("suppression", "add", address, "--all-tenants")
    (found,) = done("suppression", "check", address, "--tenant", tenant)
    assert [one["tenant"] for one in found["entries"]] == ["*"]
    done("suppression", "remove", address, "--all-tenants")


def test_without_the_secret_nothing_is_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAILPIPE_ADDRESS_HASH_KEY")
    assert "MAILPIPE_ADDRESS_HASH_KEY is missing" in refused("suppression", "check", ANA)
    assert "'nobody'" in refused("suppression", "check", "nobody", code=2)
    assert run("suppression", "list").exit_code == 0
