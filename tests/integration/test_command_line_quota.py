"""The command line over the local cloud: quota, pauses, caps."""

import asyncio

import pytest

from infra.local.cloud import clients
from infra.local.stack import Stack
from mailpipe.board import Quota
from mailpipe.timing import now_ms
from sender.board import Board
from tests.integration.command_line import audited, done, refused
from tests.integration.conftest import PREFIX, Parts


@pytest.fixture(autouse=True)
def nobody_has_told_anything(aws: Stack) -> None:
    table = clients(aws.cloud_url)("dynamodb")
    for item in table.scan(TableName=f"{PREFIX}Coordination")["Items"]:
        key = {name: item[name] for name in ("kind", "id")}
        table.delete_item(TableName=f"{PREFIX}Coordination", Key=key)


async def test_what_a_person_pauses_the_senders_know_until_it_is_resumed(parts: Parts) -> None:
    known, given = Board(parts.tables, PREFIX), ("tenant:acme:bulk", "--as", "ana")
    (made,) = await asyncio.to_thread(done, "pause", *given, "--reason", "a test")
    assert (made["reason"], made["by"], made["nextProbe"]) == ("a test", "ana", None)
    assert await asyncio.to_thread(done, "paused") == [made]
    await known.refresh()
    assert known.stops(["account", "tenant#acme#bulk"], probe="tenant#acme#bulk") is not None
    await asyncio.to_thread(done, "resume", *given)
    await known.refresh()
    assert known.pauses == {}
    assert "not paused" in await asyncio.to_thread(refused, "resume", *given)


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


@pytest.mark.parametrize("arguments", [("pause", "acount"), ("cap", "tenant:acme", "0")])
def test_what_cannot_be_is_refused_as_used_wrongly(arguments: tuple[str, ...]) -> None:
    refused(*arguments, code=2)


def test_a_quota_that_no_sender_has_read_is_none() -> None:
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
