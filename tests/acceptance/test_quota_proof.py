"""The proof of the quota, in small: three senders, one of them killed, one stopped for a while."""

import json
import sys

from infra.local.stack import ROOT
from loadtest.processes import run


async def test_three_senders_share_one_quota_through_a_kill_and_a_freeze() -> None:
    """1. Three senders go at 50/s with mail always waiting; SES refuses what is over. 2. One is
    killed and started again. 3. One stands still for half a second.

    Expected: never more than 50 in any second, no throttle, more than half used. How much, and how
    soon after the kill, is judged by `make prove-quota` alone: here others take the CPU.
    """
    name = "test-prove-quota"
    argv = ["--quotas", "50", "--first", "3", "--most", "3", "--last", "3", "--phase", "2.1"]
    more = ["--frozen", "0.5", "--enforced", "on", "--use", "0.6"]
    code, said = await run(
        [sys.executable, "-m", "loadtest.prove_quota", *argv, *more, "--name", name]
    )
    assert code == 0, said
    (row,) = json.loads((ROOT / "build" / f"{name}.json").read_text())["runs"]
    assert row["worst_window"] <= 50
    assert (row["throttles"], row["kills"], row["faults"]) == (0, 1, [])
