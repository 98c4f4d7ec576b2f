"""The proofs of the simulator, in small."""

import json
import sys

from infra.local.stack import ROOT
from loadtest.processes import run


async def test_the_simulator_answers_as_aws_documents() -> None:
    name = "test-prove-simulator"
    argv = ["-m", "loadtest.prove_simulator", "--cli-rows", "2", "--name", name]
    code, said = await run([sys.executable, *argv])
    assert code == 0, said
    found = json.loads((ROOT / "build" / f"{name}.json").read_text())
    assert found["pass"] is True
    assert {one["client"] for one in found["runs"]} == {"boto3", "bytes", "aws-cli"}


async def test_the_bench_counts_every_send_and_every_event() -> None:
    # How much CPU a send takes is judged by `make bench-simulator`, never here.
    name = "test-bench-simulator"
    argv = ["-m", "loadtest.bench_simulator", "--sends", "500", "--limit-us", "1e9"]
    code, said = await run([sys.executable, *argv, "--name", name])
    assert code == 0, said
    run_of_it = json.loads((ROOT / "build" / f"{name}.json").read_text())["runs"][0]
    assert (run_of_it["accepted"], run_of_it["events_published"]) == (1500, 3000)
    assert run_of_it["us_per_send"] > 0
