"""The proof of long waits, in small, and that it finds bugs."""

import json
import sys

from infra.local.stack import ROOT
from loadtest.processes import run


async def test_nothing_is_lost_that_waits_for_six_days() -> None:
    """1. Sixty mails come while the account is paused for six days. 2. A lane is so slow that mail
    lies in it for longer than its queue keeps any.

    Expected: SES takes each of them once, and none expires.
    """
    name = "test-prove-pause"
    code, said = await run(
        [sys.executable, "-m", "loadtest.prove_pause", "--small", "--name", name]
    )
    assert code == 0, said
    rows = json.loads((ROOT / "build" / f"{name}.json").read_text())["runs"]
    assert [(row["lost"], row["doubled"], row["expired"]) for row in rows] == [(0, 0, 0)] * 2


async def test_a_planted_bug_is_found() -> None:
    """1. Nothing gives old messages a new clock.

    Expected: the proof fails, and says by what.
    """
    argv = ["-m", "loadtest.prove_pause", "--small", "--name", "test-prove-pause-planted"]
    code, said = await run([sys.executable, *argv, "--plant", "no-renewal", "--only", "slow"])
    assert code == 1, said
    assert "lost" in said.split("not as it must be", 1)[1]
