"""The bench of the sender, in small: what it measures, not how fast it is."""

import json
import sys

from infra.local.stack import ROOT
from loadtest.processes import run


async def test_the_sender_is_measured_at_a_backlog() -> None:
    # How much CPU a mail takes is judged by `make bench-sender`, never here.
    name = "test-bench-sender"
    argv = ["--backlogs", "50", "--rounds", "1", "--seconds", "0.5", "--warm-up", "0.5"]
    proof = ROOT / "build" / f"{name}.json"
    proof.unlink(missing_ok=True)
    _, said = await run([sys.executable, "-m", "loadtest.bench_sender", *argv, "--name", name])
    (found,) = json.loads(proof.read_text())["runs"]
    assert found["backlog"] == 50, said
    assert all(found[one] > 0 for one in ("us_per_mail", "rss_mb", "mails_per_s"))
    assert found["neighbours"]["probe_us"] > 0
