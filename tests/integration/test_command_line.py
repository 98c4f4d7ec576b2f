"""The command line over the local cloud: what it does, prints and answers with."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infra.local.cloud import clients
from infra.local.stack import ROOT, Stack
from mailpipe import records, resources
from mailpipe.aws.client import Aws
from mailpipe.aws.table import open_tables
from mailpipe.commands.group import mailpipe
from mailpipe.messages import RecordFields, new_email_id
from mailpipe.statements import insert_into
from mailpipe.timing import now_ms
from tests.integration.conftest import PREFIX

QUEUE = "webhooks-slow"
"""No other test looks at its dead letters."""

Json = Callable[..., list[dict[str, Any]]]


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(mailpipe, arguments, input=given)


def done(*arguments: str, given: str | None = None) -> list[dict[str, Any]]:
    """What the command prints as JSON."""
    result = run(*arguments, "--json", given=given)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def refused(*arguments: str, code: int = 1) -> str:
    """The sentence that it fails with."""
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    assert result.stdout == ""
    return result.stderr


@pytest.fixture(autouse=True)
def cloud_of_this_process(aws: Stack) -> Stack:
    return aws


@pytest.fixture
def tenant() -> str:
    """A tenant of its own."""
    name = f"t-{new_email_id()[-12:]}"
    done("tenant", "create", name, "--domain", "Bücher.example", "--max-per-second", "7")
    return name


def audited(aws: Stack, on: str) -> list[dict[str, Any]]:
    """Entries about this thing, in the order of time, as boto3 reads them."""
    found = clients(aws.cloud_url)("dynamodb").scan(TableName=f"{PREFIX}Ledger")["Items"]
    entries = [{name: value["S"] for name, value in item.items()} for item in found]
    return sorted((one for one in entries if one["on"] == on), key=lambda one: one["id"])


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


def test_mail_is_sent_from_options_and_from_json_and_each_hears_its_fate() -> None:
    mail = ("--to", "a@example.net", "--from", "b@example.com", "--subject", "Hi", "--text", "x")
    (sent,) = done("send", *mail, "--metadata", "order=7", "--id", f"cli-{new_email_id()[-12:]}")
    assert sent["emailId"].startswith("cli-")
    good = {"to": ["a@example.net"], "from": "b@example.com", "subject": "Hi", "bodyText": "x"}
    lines = "\n".join(map(json.dumps, (good, good | {"to": ["nobody"]}, good)))
    result = run("send", "--file", "-", "--json", given=lines)
    assert result.exit_code == 1
    fates = [json.loads(line) for line in result.stdout.splitlines()]
    assert ["emailId" in fate for fate in fates] == [True, False, True]
    assert (fates[1]["field"], fates[1]["constraint"]) == ("to[0]", "address_syntax")
    assert "1 of 3" in result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"to": ["a@example.net"], "recipient": "x"}', "recipient"),
        ('{"to": 5}', "mail 1: "),
        ('{"to": ["a@b.c"], "from": "a@b.c", "subject": "s"}\n{', "line 2 is no JSON"),
    ],
)
def test_json_that_is_no_mail_says_where(text: str, said: str) -> None:
    result = run("send", "--file", "-", given=text)
    assert result.exit_code == 2
    assert said in result.stderr


def bury(aws: Stack, *letters: tuple[str, str | None]) -> None:
    """Put messages with these reasons among the dead letters of QUEUE."""
    sqs = clients(aws.cloud_url)("sqs")
    url = sqs.get_queue_url(QueueName=f"{PREFIX}{QUEUE}-dead")["QueueUrl"]
    for body, reason in letters:
        said = {"reason": {"DataType": "String", "StringValue": reason}} if reason else {}
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=said)


def depths(aws: Stack) -> tuple[int, int]:
    """Messages of QUEUE, and of its dead letters."""
    sqs = clients(aws.cloud_url)("sqs")
    found = []
    for name in (QUEUE, f"{QUEUE}-dead"):
        url = sqs.get_queue_url(QueueName=f"{PREFIX}{name}")["QueueUrl"]
        wanted = ["ApproximateNumberOfMessages"]
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)
        found.append(int(answer["Attributes"][wanted[0]]))
    return found[0], found[1]


def test_dead_letters_are_looked_at_put_back_and_thrown_away(aws: Stack) -> None:
    mail = '{"emailId":"e1","tenant":"shop"}'
    bury(
        aws, (mail, "exhausted: 500"), ("{raw", "unparseable: x"), ("[1]", None), (mail, "auth: x")
    )
    assert {"queue": QUEUE, "messages": 4, "inHand": 0} in done("dlq", "list")
    shown = done("dlq", "show", QUEUE)
    assert sorted(one["reason"] for one in shown) == sorted(
        ["exhausted: 500", "unparseable: x", "crash_loop", "auth: x"]
    )
    assert [one["emailId"] for one in shown if one["reason"] == "auth: x"] == ["e1"]
    assert len(done("dlq", "show", QUEUE, "--reason", "exhausted")) == 1

    (would,) = done("dlq", "redrive", QUEUE, "--dry-run")
    assert would["reasons"] == {"exhausted": 1, "unparseable": 1, "crash_loop": 1}
    assert depths(aws) == (0, 4)
    (put_back,) = done("dlq", "redrive", QUEUE, "--reason", "exhausted")
    assert (put_back["done"], put_back["failed"]) == (1, 0)
    assert depths(aws) == (1, 3)

    asked = run("dlq", "purge", QUEUE, given="n\n")
    assert asked.exit_code == 1
    (would,) = done("dlq", "purge", QUEUE, "--dry-run")
    assert would["would"] == 3
    assert depths(aws) == (1, 3)
    (purged,) = done("dlq", "purge", QUEUE, "--yes")
    assert purged["done"] == 3
    assert depths(aws) == (1, 0)
    actions = [one["action"] for one in audited(aws, f"{QUEUE}-dead")]
    assert actions == ["dlq.redriven", "dlq.purged"]


def test_tables_for_people_hold_what_others_wrote_harmlessly(aws: Stack) -> None:
    bury(aws, ("\u009b31m[red]esc[/red]", "unparseable: [bold]x"))
    result = run("dlq", "show", QUEUE)
    assert result.exit_code == 0
    assert "[red]esc[/red]" in result.stdout
    assert "[bold]x" in result.stdout
    assert "\u009b" not in result.stdout
    done("dlq", "purge", QUEUE, "--yes")


def record(tenant: str, *, age_s: int, to: str, status: str = "pending") -> str:
    """A mail that is recorded; its id."""
    at_ms, email_id = now_ms() - age_s * 1000, new_email_id()
    fields = RecordFields(stream="bulk", created_at=at_ms, from_="b@example.com", to=[to])
    item = records.born(email_id, tenant, fields) | {"status": status}

    async def write() -> None:
        async with Aws() as opened:
            client = await opened.client("dynamodb", connections=1, timeout_s=5)
            statement = insert_into(PREFIX, resources.EMAIL_TRACKING, item)
            await open_tables(opened, client, PREFIX).write(statement)

    asyncio.run(write())
    return email_id


def test_the_newest_mails_of_a_tenant_are_listed_by_recipient_status_and_age(tenant: str) -> None:
    old = record(tenant, age_s=3 * 86_400, to="ana@example.net")
    mid = record(tenant, age_s=3600, to="Bob <bob@example.net>", status="bounced")
    new = record(tenant, age_s=1, to="ana@example.net")
    record("default", age_s=1, to="ana@example.net")

    def ids(*arguments: str) -> list[str]:
        return [one["emailId"] for one in done("emails", "--tenant", tenant, *arguments)]

    assert ids() == [new, mid, old]
    assert ids("--limit", "2") == [new, mid]
    assert ids("--recipient", "Ana@example.net") == [new, old]
    assert ids("--status", "bounced") == [mid]
    assert ids("--since", "2h") == [new, mid]
    assert ids("--since", "2h", "--recipient", "ana@example.net") == [new]
    (shown,) = done("status", mid)
    assert (shown["status"], shown["recipient"], shown["events"]) == (
        "bounced",
        "bob@example.net",
        [],
    )
    assert "bob@example.net" in run("emails", "--tenant", tenant).stdout


def test_an_id_that_nobody_has_is_said_in_a_sentence() -> None:
    assert "no e-mail with the id 'nothing'" in refused("status", "nothing")
    refused("status", "x" * 3000)
    refused("status", "")


def test_a_deployment_that_is_not_there_is_said_in_a_sentence() -> None:
    said = refused("tenant", "list", "--prefix", "nowhere-")
    assert "'nowhere-'" in said
    assert "'nowhere-'" in refused("dlq", "list", "--prefix", "nowhere-")
    mail = ("--to", "a@example.net", "--from", "b@example.com", "--subject", "Hi", "--text", "x")
    assert "'nowhere-'" in refused("send", *mail, "--prefix", "nowhere-")


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line as a process of its own, with this environment for AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [sys.executable, "-m", "mailpipe", *arguments],
        cwd=ROOT,
        env=kept | {"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_an_account_or_a_cloud_a_process_says_what_is_missing(aws: Stack) -> None:
    ended = process("tenant", "list")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "credentials" in ended.stderr
    unreachable = aws.aws_environment() | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    ended = process("tenant", "list", **unreachable)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("Error: AWS cannot be reached")
    assert "Traceback" not in ended.stderr
    ended = process("tenant", "list", "--json", **aws.aws_environment())
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout.splitlines()[0])["tenant"]
