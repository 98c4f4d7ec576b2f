"""Which way imports point (README, "How the code is laid out")."""

import ast
from pathlib import Path

import pytest

import mailpipe

ROOT = Path(__file__).parents[2]
SERVICES = ("ingest", "sender", "processor", "notifier")
OURS = {*SERVICES, "mailpipe", "infra", "loadtest", "tests"}
INPUT_OUTPUT = {"aiohttp", "aiobotocore", "boto3", "botocore", "socket", "subprocess", "asyncio"}
PURE = [
    *("mailpipe/messages.py", "mailpipe/status.py", "mailpipe/addresses.py", "mailpipe/rules.py"),
    *("mailpipe/constraints.py", "mailpipe/texts.py", "mailpipe/shapes.py"),
    *(
        "mailpipe/records.py",
        "mailpipe/partiql.py",
        "mailpipe/statements.py",
        "mailpipe/unsent.py",
        "mailpipe/resources.py",
        "mailpipe/outcomes.py",
        "mailpipe/timing.py",
    ),
    *("mailpipe/aws/items.py", "mailpipe/aws/errors.py", "mailpipe/aws/operations.py"),
    "mailpipe/aws/capacity.py",
    *("mailpipe/attachments.py", "mailpipe/fates.py", "sender/mime.py"),
    *("mailpipe/aws/sqs_operations.py", "mailpipe/aws/dynamodb_operations.py"),
    *("mailpipe/aws/sigv4.py", "mailpipe/aws/wire.py"),
    *("mailpipe/aws/ses_operations.py",),
    *("mailpipe/changes.py", "sender/reserving.py", "sender/outage.py", "sender/denied.py"),
    *("sender/turns.py", "sender/binding.py", "sender/digging.py"),
    *("sender/pacing.py", "sender/claims.py", "sender/compose.py", "sender/verdicts.py"),
    *("mailpipe/evidence.py", "processor/flow.py"),
    *("mailpipe/origins.py", "mailpipe/board.py", "sender/day.py", "sender/scopes.py"),
    *("sender/clock.py", "mailpipe/aws/dates.py"),
    *("mailpipe/open_states.py", "mailpipe/presence.py", "mailpipe/scopes.py"),
    *("mailpipe/explain.py", "sender/sweeps.py", "sender/sweeping_settings.py"),
    *(
        "mailpipe/parking.py",
        "mailpipe/scheduled.py",
        "mailpipe/times.py",
        "mailpipe/pace.py",
        "sender/waiting_settings.py",
    ),
    *("sender/trust.py", "mailpipe/keys.py", "mailpipe/rates.py", "mailpipe/commands/letters.py"),
    *("ingest/decoding.py", "ingest/strict_json.py"),
    *("ingest/views.py", "processor/events.py", "processor/ses_json.py"),
    *(
        f"ingest/{name}.py"
        for name in (
            "batches",
            "cursors",
            "errors",
            "errors_page",
            "openapi",
            "operations",
            "queries",
            "schemas",
        )
    ),
    *("mailpipe/constraints.py", "mailpipe/suppression.py", "mailpipe/targets.py"),
    *(
        "notifier/signing.py",
        "notifier/schedule.py",
        "mailpipe/keyed.py",
        "mailpipe/http/answer.py",
    ),
    *("loadtest/once.py", "loadtest/once_done.py", "loadtest/instants.py"),
    *("infra/local/template.py", "infra/local/chaos/faults.py", "infra/stacks/policies.py"),
    *(
        f"infra/local/ses/{name}.py"
        for name in (
            *("addresses", "attachments", "events", "mailbox", "outcomes", "quota", "raw"),
            *("reading", "refusals", "requests", "sending"),
        )
    ),
    *(f"infra/local/stores/{name}.py" for name in ("calls", "errors", "partial", "writes")),
]

MEASURING_OURS = {
    ROOT / "loadtest/bench_transport.py",
    ROOT / "loadtest/transport/requests.py",
    ROOT / "loadtest/transport/sdk.py",
    ROOT / "loadtest/quota_senders.py",
    ROOT / "loadtest/quota_world.py",
    *(ROOT / "loadtest/virtual").glob("*.py"),
    ROOT / "loadtest/pause_world.py",
    ROOT / "loadtest/schedule_minute.py",
    ROOT / "loadtest/schedule_world.py",
}
"""They measure a part of ours by itself; no proof of what the product did rests on them."""

BY_THE_SDK = {ROOT / "loadtest/prove_priority.py"}
"""They put mail on the queues as producers do."""


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports."""
    names = set[str]()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def tops(path: Path) -> set[str]:
    """The top-level packages among them."""
    return {name.partition(".")[0] for name in imported(path)}


def files(*folders: str) -> list[Path]:
    """Python files under these folders."""
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_the_shared_package_knows_no_service() -> None:
    for path in files("mailpipe"):
        assert not tops(path) & (OURS - {"mailpipe"}), path


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_knows_only_itself_and_the_shared_package(service: str) -> None:
    for path in files(service):
        assert not tops(path) & (OURS - {service, "mailpipe"}), path


def test_the_local_cloud_knows_only_resources_and_the_public_sdk() -> None:
    public = {f"mailpipe.{name}" for name in mailpipe.__all__}
    allowed = {"mailpipe.resources", "mailpipe", *public}
    for path in files("infra", "loadtest"):
        if path in MEASURING_OURS:
            continue
        ours = {one for one in imported(path) if one.partition(".")[0] in {"mailpipe", *SERVICES}}
        assert ours <= allowed, path


def test_simulator_receiver_and_checkers_know_nothing_of_ours() -> None:
    folders = ("infra/local/ses", "infra/local/chaos", "infra/local/stores", "loadtest")
    outside = [*files(*folders), ROOT / "infra/local/receiver.py"]
    for path in set(outside) - MEASURING_OURS - BY_THE_SDK:
        assert not tops(path) & {"mailpipe", *SERVICES}, path


@pytest.mark.parametrize("path", PURE)
def test_pure_files_do_no_input_or_output(path: str) -> None:
    assert not tops(ROOT / path) & INPUT_OUTPUT


def test_only_the_edge_knows_the_aws_sdk() -> None:
    for path in files("mailpipe", *SERVICES):
        if "aws" not in path.parts:
            assert not tops(path) & {"aiobotocore", "boto3", "botocore"}, path
