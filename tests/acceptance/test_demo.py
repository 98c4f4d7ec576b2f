"""The demo in small: every simulated outcome through both doors, judged from outside logs."""

import json
import os
import subprocess
import sys

import pytest

from infra.local.stack import ROOT


@pytest.mark.parametrize("side", ["typed", "botocore"])
def test_the_demo_passes_and_writes_its_proof(side: str) -> None:
    """All four services over each side of the calls to AWS."""
    argv = [sys.executable, "-m", "infra.local.demo"]
    options = ["--emails", "60", "--rate", "30", "--seed", "7", "--name", "demo-small"]
    ended = subprocess.run(
        [*argv, *options],
        cwd=ROOT,
        env={**os.environ, "MAILPIPE_AWS_CLIENT": side},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    proof = json.loads((ROOT / "build" / "demo-small.json").read_text())
    assert (proof["target"], proof["seed"], proof["pass"]) == ("demo-small", 7, True)
    (run,) = proof["runs"]
    assert (run["emails"], run["terminal"], run["lost"], run["duplicates"]) == (60, 60, 0, 0)
    assert set(run["by_status"]) == {"delivered", "bounced", "complained", "suppressed"}
    assert run["webhooks"]["verified"] == run["webhooks"]["expected"] > 120
    assert set(run["latency_ms"]) == {"accept_to_ses", "event_to_status", "event_to_webhook"}
    assert all(used > 0 for used in run["cpu_us_per_email"].values())
    assert all(calls > 0 for calls in run["aws_calls_per_email"].values())
    assert all(0 < mb < 200 for mb in run["memory_mb"].values())
