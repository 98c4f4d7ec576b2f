"""The demo in small: every simulated outcome through both doors, judged from outside logs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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


def test_an_ended_demo_leaves_nothing_behind() -> None:
    """Ended while the cloud and all services run: they end before it does."""
    argv = [sys.executable, "-m", "infra.local.demo"]
    options = ["--emails", "2000", "--rate", "20", "--name", "demo-ended"]
    demo = subprocess.Popen([*argv, *options], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    listed = Path(f"/proc/{demo.pid}/task/{demo.pid}/children")
    deadline = time.monotonic() + 60
    while len(children := listed.read_text().split()) < 7 and time.monotonic() < deadline:
        time.sleep(0.05)
    demo.send_signal(signal.SIGTERM)
    _, said = demo.communicate(timeout=30)
    assert demo.returncode == 1
    assert said == "demo: ended by SIGTERM\n"
    assert len(children) == 7  # ministack, SES, the receiver, four services
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
