"""The command line over the local cloud: quota, pauses, caps."""

import asyncio

import pytest

from infra.local.cloud import clients
from infra.local.stack import Stack
from mailpipe.board import Quota
from mailpipe.timing import now_ms
from sender.board import Board
from tests.integration.command_line import audited, done, refused, run
from tests.integration.conftest import PREFIX, Parts


@pytest.fixture(autouse=True)
def nobody_has_told_anything(aws: Stack) -> None:
    table = clients(aws.cloud_url)("dynamodb")
    for item in table.scan(TableName=f"{PREFIX}Coordination")["Items"]:
        key = {name: item[name] for name in ("kind", "id")}
        table.delete_item(TableName=f"{PREFIX}Coordination", Key=key)


@pytest.mark.parametrize(
    ("given", "scope"),
    [
        ("account", "account"),
        ("set:enterprise-email", "set#enterprise-email"),
        ("identity:News@Shop.example", "identity#news@shop.example"),
        ("identity:a#b@shop.example", "identity#a#b@shop.example"),
        ("identity:shop.example", "identity#shop.example"),
        ("domain:BÜCHER.example", "domain#xn--bcher-kva.example"),
        ("tenant:acme:bulk", "tenant#acme#bulk"),
    ],
)
def test_what_a_person_pauses_the_senders_know_until_it_is_resumed(
    given: str, scope: str, aws: Stack
) -> None:
    (made,) = done("pause", given, "--reason", "a test", "--as", "ana")
    assert (made["reason"], made["by"], made["nextProbe"]) == ("a test", "ana", None)
    assert done("paused") == [made]
    held = clients(aws.cloud_url)("dynamodb").get_item(
        TableName=f"{PREFIX}Coordination",
        Key={"kind": {"S": "board"}, "id": {"S": f"pause#{scope}"}},
    )["Item"]
    assert held["scope"] == {"S": scope}
    done("resume", made["scope"], "--as", "ana")
    assert done("paused") == []
    assert "not paused" in refused("resume", given)


def test_a_person_s_pause_takes_the_place_of_the_senders_(aws: Stack) -> None:
    done("pause", "account", "--as", "ana")
    (second,) = done("pause", "account", "--reason", "longer", "--as", "bob")
    assert done("paused") == [second]
    entries = audited(aws, "account")
    assert [(one["who"], one["action"]) for one in entries[-2:]] == [
        ("ana", "scope.paused"),
        ("bob", "scope.paused"),
    ]


def test_no_address_gets_into_the_audit(aws: Stack) -> None:
    done("pause", "identity:secret@shop.example")
    done("resume", "identity:secret@shop.example")
    entries = audited(aws, "identity#", exactly=False)
    assert entries
    assert "secret" not in repr(entries)


def test_caps_are_set_changed_and_taken_away() -> None:
    assert done("cap", "tenant:acme", "10") == [{"scope": "tenant:acme", "perSecond": 10.0}]
    assert done("cap", "tenant:acme", "0.5") == [{"scope": "tenant:acme", "perSecond": 0.5}]
    done("uncap", "tenant:acme")
    assert "no cap" in refused("uncap", "tenant:acme")


@pytest.mark.parametrize(
    "wrong", ["", "acount", "tenant:acme", "tenant:acme:x", "identity:", "a:b"]
)
def test_what_is_no_scope_is_refused_with_what_there_is(wrong: str) -> None:
    assert "identity:ADDRESS-OR-DOMAIN" in refused("pause", wrong, code=2)


@pytest.mark.parametrize("arguments", [("account", "1"), ("tenant:acme", "0"), ("domain:-", "1")])
def test_a_cap_that_is_none_is_refused(arguments: tuple[str, str]) -> None:
    assert run("cap", *arguments).exit_code == 2


def test_the_quota_is_shown_as_senders_have_read_it() -> None:
    assert "No sender" in refused("quota")


async def test_the_quota_that_a_sender_has_read(parts: Parts) -> None:
    known = Quota(
        max_send_rate_milli=14_000,
        max_24_hour=50_000,
        sent_24_hours=12,
        sending_enabled=True,
        enforcement="HEALTHY",
        senders=3,
        read_at=now_ms(),
    )
    await Board(parts.tables, PREFIX).tell(known)

    await asyncio.to_thread(done, "cap", "domain:shop.example", "5")
    (shown,) = await asyncio.to_thread(done, "quota")
    assert (shown["perSecond"], shown["sentIn24Hours"], shown["senders"]) == (14.0, 12, 3)
    assert shown["caps"] == [{"scope": "domain:shop.example", "perSecond": 5.0}]
