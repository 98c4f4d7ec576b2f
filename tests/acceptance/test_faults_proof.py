"""The proof of faults, in small: two of them, judged from outside."""

import json
import sys

from infra.local.stack import ROOT
from loadtest.processes import run


async def test_a_revoked_identity_and_a_used_up_day_fail_no_mail() -> None:
    """1. Mail goes at 20/s from two domains, through both doors, to two senders. 2. For 1 s the
    identity of one domain is revoked; for 0.5 s the day's quota is used up. 3. A fiftieth of the
    usual durations later all mail was accepted.

    Expected: nothing failed, nothing lost, the other domain flowed, metrics name both.
    """
    name = "test-prove-faults"
    argv = ["-m", "loadtest.prove_faults", "--seconds", "1", "--scale", "0.02"]
    argv += ["--only", "identity", "day's", "--name", name]
    code, said = await run([sys.executable, *argv])
    assert code == 0, said
    found = json.loads((ROOT / "build" / f"{name}.json").read_text())
    assert found["pass"] is True
    assert [row["fault"] for row in found["runs"]] == ["identity revoked", "day's quota used up"]
    for row in found["runs"]:
        assert (row["failed"], row["lost"], row["twice"]) == (0, 0, 0)
        assert row["named"]
    assert found["runs"][0]["accepted_beside"] > 0
