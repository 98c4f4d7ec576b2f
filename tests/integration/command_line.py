"""Runs commands as click does for a process, and reads what they print and audit."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infra.local.cloud import clients
from infra.local.stack import Stack
from mailpipe.commands.group import mailpipe
from mailpipe.messages import new_email_id
from tests.integration.conftest import PREFIX


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


def audited(aws: Stack, on: str, *, exactly: bool = True) -> list[dict[str, Any]]:
    """Entries about this thing, or all that begin so, in the order of time, as boto3 reads them."""
    found = clients(aws.cloud_url)("dynamodb").scan(TableName=f"{PREFIX}Ledger")["Items"]
    entries = [{name: value["S"] for name, value in item.items()} for item in found if "on" in item]
    mine = [one for one in entries if one["on"] == on or (not exactly and one["on"].startswith(on))]
    return sorted(mine, key=lambda one: one["id"])


@pytest.fixture
def tenant(aws: Stack) -> str:
    """A tenant of its own."""
    name = f"t-{new_email_id()[-12:]}"
    done("tenant", "create", name, "--domain", "Bücher.example", "--max-per-second", "7")
    return name
