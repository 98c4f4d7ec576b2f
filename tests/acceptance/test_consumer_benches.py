"""The benches of processor and notifier, in small: what they measure, not how fast it is."""

import json
import sys

import pytest

from infra.local.stack import ROOT
from loadtest.processes import run


@pytest.mark.parametrize("service", ["processor", "notifier"])
async def test_a_consumer_is_measured_before_a_queue_that_never_runs_empty(service: str) -> None:
    # How much CPU it takes is judged by `make bench-processor` and `bench-notifier`, never here.
    name = f"test-bench-{service}"
    argv = ["--rounds", "1", "--seconds", "0.4", "--warm-up", "0.3", "--name", name]
    proof = ROOT / "build" / f"{name}.json"
    proof.unlink(missing_ok=True)
    _, said = await run([sys.executable, "-m", f"loadtest.bench_{service}", *argv])
    (found,) = json.loads(proof.read_text())["runs"]
    assert all(found[one] > 0 for one in ("us_each", "rss_mb", "per_s")), said
    assert found["neighbours"]["probe_us"] > 0
