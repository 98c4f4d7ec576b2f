"""The local cloud may be one that runs already."""

from pathlib import Path

import pytest

from infra.local.children import Child, environment
from infra.local.cloud import TEMPLATE, DeploymentFailed, address_hash_key, clients, deploy
from infra.local.run import plan_from
from infra.local.stack import ROOT, Plan, Stack

CLOUD_PYTHON = ROOT / ".venv-cloud" / "bin" / "python"


async def test_localstack_host_is_used_instead_of_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = [str(CLOUD_PYTHON), "-m", "infra.local.ministack_server", "0"]
    running = Child("running", argv, environment=environment(), log=tmp_path / "running.log")
    await running.start()
    monkeypatch.setenv("LOCALSTACK_HOST", f"127.0.0.1:{running.port}")
    assert plan_from([]).cloud_host == f"127.0.0.1:{running.port}"
    monkeypatch.delenv("LOCALSTACK_HOST")
    try:
        keys = set[str]()
        for _ in range(2):  # the second time the stack is there already
            stack = Stack(Plan(name="test-running", cloud_host=f"127.0.0.1:{running.port}"))
            await stack.start_cloud()
            assert stack.children == []
            keys.add(address_hash_key(stack.cloud_url, "mailpipe-"))
        assert len(keys) == 1
        assert clients(stack.cloud_url)("dynamodb").list_tables()["TableNames"]
    finally:
        await running.stop(timeout_s=5)


def test_a_template_that_the_cloud_refuses_is_told_with_its_reason(
    aws: Stack, tmp_path: Path
) -> None:
    broken = tmp_path / "data.json"
    text = TEMPLATE.read_text()
    broken.write_text(text.replace('"AWS::SES::EmailIdentity"', '"AWS::SES::Nonsense"'))
    with pytest.raises(DeploymentFailed, match="Nonsense"):
        deploy(aws.cloud_url, "refused-", broken)
