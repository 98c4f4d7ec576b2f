"""The bench of the calls to AWS, in small: what it compares, not how fast it is."""

import json
import sys

from infra.local.stack import ROOT
from loadtest.processes import run


async def test_every_operation_is_answered_alike_and_measured_on_both_sides() -> None:
    # How much CPU a call takes is judged by `make bench-transport`, never here.
    name = "test-bench-transport"
    argv = ["-m", "loadtest.bench_transport", "--rounds", "1", "--calls", "5", "--name", name]
    _, said = await run([sys.executable, *argv])
    (found,) = json.loads((ROOT / "build" / f"{name}.json").read_text())["runs"]
    assert len(found["operations"]) == 15, said
    for row in found["operations"].values():
        assert min(row["botocore_us"], row["typed_us"], row["ratio"]) > 0
    assert found["update_in_full_batch_us"] > 0
    assert found["update_in_group_commit_us"] > 0
