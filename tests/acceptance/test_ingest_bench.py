"""The bench of the two doors, in small: what it measures, not how fast it is."""

import json
import sys

from infra.local.stack import ROOT
from loadtest.bench_ingest import WAVES
from loadtest.processes import run


async def test_both_doors_and_uploads_are_measured() -> None:
    # How much CPU a mail takes is judged by `make bench-ingest`, never here.
    name = "test-bench-ingest"
    argv = ["--mails", "100", "--rounds", "1", "--uploads", "2", "--name", name]
    proof = ROOT / "build" / f"{name}.json"
    proof.unlink(missing_ok=True)
    _, said = await run([sys.executable, "-m", "loadtest.bench_ingest", *argv])
    (found,) = json.loads(proof.read_text())["runs"]
    measured = ("single_us", "batch_us_per_mail", "sdk_us_per_mail", "p99_ms")
    assert all(found[one] > 0 for one in measured), said
    assert len(found["rss_mb"]) == WAVES, said
    assert found["neighbours"]["probe_us"] > 0
