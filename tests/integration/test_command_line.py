"""The command line over the local cloud: tenants, keys, and how it says what is wrong."""

import json
import os
import subprocess
import sys

import pytest

from infra.local.stack import ROOT, Stack
from tests.integration.command_line import audited, done, refused, run, tenant

__all__ = ["tenant"]

pytestmark = pytest.mark.usefixtures("aws")


def test_a_tenant_is_made_changed_disabled_and_enabled(tenant: str, aws: Stack) -> None:
    (made,) = done("tenant", "show", tenant)
    assert made["domains"] == ["xn--bcher-kva.example"]
    assert (made["enabled"], made["maxPerSecond"], made["principals"]) == (True, 7, [])
    role = "AROAEXAMPLEEXAMPLE123"
    done("tenant", "set", tenant, "--principal", f"{role}:i-1", "--retention-days", "30")
    done("tenant", "set", tenant, "--domain", "")
    done("tenant", "disable", tenant, "--as", "ana")
    (changed,) = [one for one in done("tenant", "list") if one["tenant"] == tenant]
    assert changed == made | {
        "domains": [],
        "principals": [role],
        "retentionDays": 30,
        "enabled": False,
    }
    (enabled,) = done("tenant", "enable", tenant)
    assert enabled["enabled"] is True
    entries = audited(aws, tenant)
    assert [one["action"] for one in entries] == ["tenant.created"] + ["tenant.changed"] * 4
    assert (entries[3]["who"], json.loads(entries[3]["what"])) == ("ana", {"enabled": False})
    assert f"There is a tenant '{tenant}' already." in refused("tenant", "create", tenant)


def test_the_default_tenant_is_there_from_the_start() -> None:
    assert "default" in [one["tenant"] for one in done("tenant", "list")]


def test_a_key_is_shown_once_listed_by_its_start_expired_and_revoked(
    tenant: str, aws: Stack
) -> None:
    (made,) = done("keys", "create", "--tenant", tenant, "--scope", "send", "--note", "web")
    secret, start = made["apiKey"], made["key"]
    assert secret.startswith(start)
    listed = run("keys", "list", "--tenant", tenant, "--json").stdout
    assert secret not in listed
    assert json.loads(listed) == {name: made[name] for name in made if name != "apiKey"}
    (later,) = done("keys", "expire", start, "30d")
    assert later["state"] == "active"
    (past,) = done("keys", "expire", start, "2026-01-01T00:00:00Z")
    assert (past["state"], past["expiresAt"]) == ("expired", "2026-01-01T00:00:00.000Z")
    (revoked,) = done("keys", "revoke", secret)
    assert revoked["state"] == "revoked"
    entries = audited(aws, start)
    actions = [one["action"] for one in entries]
    assert actions == ["key.created", "key.expiry_set", "key.expiry_set", "key.revoked"]
    assert secret not in repr(entries)


def test_keys_are_for_tenants_that_exist_and_are_named_exactly() -> None:
    assert "no tenant 'nobody'" in refused("keys", "create", "--tenant", "nobody")
    assert "no such key" in refused("keys", "revoke", "mp_00000000")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tenant", "create", "a b"), "A-Z a-z 0-9"),
        (("tenant", "set", "default"), "Say what to change"),
        (("tenant", "create", "x", "--domain", "a b"), "'a b'"),
        (("tenant", "create", "x", "--principal", "arn:aws:iam::1:role/x"), "AIDA"),
        (("keys", "create", "--scope", "all"), "'all'"),
        (("keys", "create", "--expires", "soon"), "30d"),
        (("keys", "create", "--expires", "2020-01-01T00:00:00Z"), "past"),
        (("dlq", "show", "nothing"), "'nothing'"),
        (("send", "--to", "a@example.net"), "Missing --from, --subject"),
        (
            ("send", "--tag", "x", "--to", "a@b.c", "--from", "a@b.c", "--subject", "s"),
            "NAME=VALUE",
        ),
        (("nonsense",), "nonsense"),
    ],
)
def test_what_is_used_wrongly_is_said_in_a_sentence(arguments: tuple[str, ...], said: str) -> None:
    assert said in refused(*arguments, code=2)


def test_a_deployment_that_is_not_there_is_said_in_a_sentence() -> None:
    said = refused("tenant", "list", "--prefix", "nowhere-")
    assert "'nowhere-'" in said
    assert "'nowhere-'" in refused("dlq", "list", "--prefix", "nowhere-")
    mail = ("--to", "a@example.net", "--from", "b@example.com", "--subject", "Hi", "--text", "x")
    assert "'nowhere-'" in refused("send", *mail, "--prefix", "nowhere-")


def test_without_an_account_or_a_cloud_a_command_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        assert refused("tenant", "list").startswith("Error: AWS cannot be reached")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "/nonexistent")
    assert "credentials" in refused("tenant", "list")


def test_a_process_of_its_own_prints_json_and_nothing_else(aws: Stack) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "mailpipe", "tenant", "list", "--json"],
        cwd=ROOT,
        env=os.environ | aws.aws_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout.splitlines()[0])["tenant"]
