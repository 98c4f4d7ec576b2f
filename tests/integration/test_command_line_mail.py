"""The command line over the local cloud: mail and dead letters."""

import asyncio
import json
from pathlib import Path

import pytest

from infra.local.cloud import clients
from infra.local.stack import Stack
from mailpipe import records, resources
from mailpipe.aws.client import Aws
from mailpipe.aws.table import open_tables
from mailpipe.messages import RecordFields, new_email_id
from mailpipe.partiql import insert_into
from mailpipe.timing import iso, now_ms
from tests.integration.command_line import audited, done, refused, run, tenant
from tests.integration.conftest import PREFIX

QUEUE = "webhooks-slow"
"""No other test looks at its dead letters; the queue itself is left empty."""

__all__ = ["tenant"]

pytestmark = pytest.mark.usefixtures("aws")


def test_mail_is_sent_from_options_and_from_json_and_each_hears_its_fate() -> None:
    mail = ("--to", "a@example.net", "--from", "b@example.com", "--subject", "Hi", "--text", "x")
    (sent,) = done("send", *mail, "--metadata", "order=7", "--id", f"cli-{new_email_id()[-12:]}")
    assert sent["emailId"].startswith("cli-")
    twice = [
        done("send", *mail, "--idempotency-key", f"key of {sent['emailId']}") for _ in range(2)
    ]
    assert twice[0] == twice[1] != [sent]
    good = {"to": ["a@example.net"], "from": "b@example.com", "subject": "Hi", "bodyText": "x"}
    lines = "\n".join(map(json.dumps, (good, good | {"to": ["nobody"]}, good)))
    result = run("send", "--file", "-", "--json", given=lines)
    assert result.exit_code == 1
    fates = [json.loads(line) for line in result.stdout.splitlines()]
    assert ["emailId" in fate for fate in fates] == [True, False, True]
    assert (fates[1]["field"], fates[1]["constraint"]) == ("to[0]", "address_syntax")
    assert "1 of 3" in result.stderr


def test_mail_for_later_is_sent_from_options() -> None:
    mail = ("--to", "a@example.net", "--from", "b@example.com", "--subject", "Hi", "--text", "x")
    (sent,) = done("send", *mail, "--send-at", iso(now_ms() + 60_000), "--in-doubt", "unknown")
    assert sent["emailId"]
    result = run("send", *mail, "--expires-at", "tomorrow", "--json")
    assert result.exit_code == 1
    fate = json.loads(result.stdout)
    assert (fate["field"], fate["constraint"]) == ("expiresAt", "time")


def test_a_file_travels_with_its_mail(aws: Stack, tmp_path: Path) -> None:
    file = tmp_path / "hello.txt"
    file.write_text("Hello")
    sqs = clients(aws.cloud_url)("sqs")
    url = sqs.get_queue_url(QueueName=f"{PREFIX}{resources.MAIL_BULK}")["QueueUrl"]
    sqs.purge_queue(QueueUrl=url)
    mail = ("--to", "a@example.net", "--from", "b@example.com", "--subject", "Hi", "--text", "x")
    (sent,) = done("send", *mail, "--stream", "bulk", "--attach", str(file))
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    bodies = [json.loads(one["Body"]) for one in found["Messages"]]
    (email,) = [one["email"] for one in bodies if one["emailId"] == sent["emailId"]]
    assert email["attachments"] == [
        {"filename": "hello.txt", "contentType": "text/plain", "content": "SGVsbG8="}
    ]


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
    """Put messages with these reasons among the dead letters of QUEUE, and leave no others."""
    sqs = clients(aws.cloud_url)("sqs")
    url = sqs.get_queue_url(QueueName=f"{PREFIX}{QUEUE}-dead")["QueueUrl"]
    sqs.purge_queue(QueueUrl=url)
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
    (would,) = done("dlq", "redrive", QUEUE, "--dry-run")
    assert would["reasons"] == {"exhausted": 1, "unparseable": 1, "crash_loop": 1}
    assert depths(aws) == (0, 4)
    (put_back,) = done("dlq", "redrive", QUEUE, "--reason", "exhausted")
    assert (put_back["done"], put_back["failed"], put_back["left"]) == (1, 0, 3)
    assert depths(aws) == (1, 3)

    asked = run("dlq", "purge", QUEUE, given="n\n")
    assert asked.exit_code == 1
    assert depths(aws) == (1, 3)
    (purged,) = done("dlq", "purge", QUEUE, "--yes")
    assert purged["done"] == 3
    assert depths(aws) == (1, 0)
    actions = [one["action"] for one in audited(aws, f"{QUEUE}-dead")]
    assert actions == ["dlq.redriven", "dlq.purged"]
    sqs = clients(aws.cloud_url)("sqs")
    sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName=f"{PREFIX}{QUEUE}")["QueueUrl"])


def test_tables_for_people_hold_what_others_wrote_harmlessly(aws: Stack) -> None:
    bury(aws, ("\u009b31m[red]esc[/red]", "unparseable: [bold]x"))
    result = run("dlq", "show", QUEUE)
    assert result.exit_code == 0
    assert "[red]esc[/red]" in result.stdout
    assert "[bold]x" in result.stdout
    assert "\u009b" not in result.stdout


def record(tenant: str, *, age_s: int, to: str, status: str = "pending") -> str:
    """A mail that is recorded; its id."""
    at_ms, email_id = now_ms() - age_s * 1000, new_email_id()
    fields = RecordFields(stream="bulk", created_at=at_ms, from_="b@example.com", to=[to])
    item = records.USUAL | records.born(email_id, tenant, fields) | {"status": status}

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
