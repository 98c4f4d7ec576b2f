"""The proof of priority, in small: real processes, judged from the simulator's log."""

import json
import sys

from infra.local.stack import ROOT
from loadtest.processes import run


async def test_neither_a_campaign_nor_a_large_tenant_holds_others_up() -> None:
    """1. A small tenant sends alone, 2. beside a large one below the rate, 3. beside 300 queued
    bulk mails, 4. beside ten times as much as itself, together more than twice the rate.

    Expected: the p95 of the small tenant's mail stays within three times the bounds of the full
    proof, which has the machine for itself.
    """
    name = "test-prove-priority"
    argv = ["-m", "loadtest.prove_priority", "--seconds", "1.2", "--campaign", "300"]
    argv += ["--slack", "3"]
    code, said = await run([sys.executable, *argv, "--name", name])
    assert code == 0, said
    found = json.loads((ROOT / "build" / f"{name}.json").read_text())
    assert found["pass"] is True
    assert [row["case"] for row in found["runs"]] == ["alone", "below", "urgent", "above"]
    assert [row["lost"] for row in found["runs"]] == [0, 0, 0, 0]
