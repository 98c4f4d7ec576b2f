"""The command line over the local cloud: mail that is cancelled, or goes at another time."""

import json

import pytest

from infra.local.stack import Stack
from mailpipe.timing import iso, now_ms
from tests.integration.command_line import audited, done, refused, run, tenant
from tests.integration.test_command_line_mail import record

__all__ = ["tenant"]

pytestmark = pytest.mark.usefixtures("aws")


def test_mails_are_cancelled_each_with_its_fate(aws: Stack, tenant: str) -> None:
    one, two = (record(tenant, age_s=1, to="ana@example.net") for _ in range(2))
    result = run("cancel", one, "nothing", two, one, "--json", "--as", "kim")
    assert result.exit_code == 1
    assert "1 of 3 mails were not cancelled." in result.stderr
    fates = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(fate["emailId"], fate.get("status")) for fate in fates] == [
        *((one, "cancelled"), ("nothing", None)),
        (two, "cancelled"),
    ]
    assert "no e-mail with the id 'nothing'" in fates[1]["message"]
    (again,) = done("cancel", one)
    assert again["status"] == "cancelled"
    (shown,) = done("status", one)
    assert (shown["status"], shown["reason"]) == ("cancelled", "cancelled by an operator")
    first = audited(aws, one)[0]
    assert (first["action"], first["who"]) == ("email.cancel", "kim")
    assert json.loads(first["what"])["tenant"] == tenant
    assert audited(aws, "nothing") == []


def test_a_mail_goes_at_another_time_until_it_has_ended(aws: Stack, tenant: str) -> None:
    email_id, at = record(tenant, age_s=1, to="ana@example.net"), iso(now_ms() + 3_600_000)
    (moved,) = done("reschedule", email_id, "--at", at)
    assert (moved["status"], moved["sendAt"]) == ("scheduled", at)
    (entry,) = audited(aws, email_id)
    assert (entry["action"], json.loads(entry["what"])["sendAt"]) == ("email.reschedule", at)
    done("cancel", email_id)
    assert "cancelled already" in refused("reschedule", email_id, "--at", "1h")
    assert "no e-mail" in refused("reschedule", "nothing", "--at", "1h")
    for never in ("soon", "never"):
        refused("reschedule", email_id, "--at", never, code=2)
    refused("reschedule", email_id, code=2)
    refused("cancel", code=2)
