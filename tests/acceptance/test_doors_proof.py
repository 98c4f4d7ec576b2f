"""The proof of both doors, in small: some of the corpus through all of them."""

import json
import sys

from infra.local.stack import ROOT
from loadtest.processes import run


async def test_both_doors_come_to_the_same_verdicts() -> None:
    """1. Forty inputs, chosen by the seed. 2. Each goes through every door that it is for.

    Expected: the verdicts of the corpus, no server error, nothing stored for a refusal.
    """
    name = "test-prove-doors"
    argv = ["-m", "loadtest.prove_doors", "--cases", "40", "--seed", "7", "--name", name]
    code, said = await run([sys.executable, *argv])
    assert code == 0, said
    found = json.loads((ROOT / "build" / f"{name}.json").read_text())
    (row,) = found["runs"]
    assert found["pass"] is True
    assert (row["cases"], row["unequal"]) == (40, 0)
    assert (row["server_errors"], row["stored_after_refusal"]) == (0, 0)
