"""The proof of deaths at exact instants, in small: one case, judged from outside."""

import json
import sys

from infra.local.stack import ROOT
from loadtest.processes import run


async def test_deaths_at_exact_instants_lose_and_double_nothing() -> None:
    """1. Mails go at 30/s through both doors to eight processes, each armed with a failpoint of the
    seed, which begins with two senders that die soon, one with a claim, one with SES's yes in hand.
    2. For 1.5 s those that die are started again; every second one dies at least. 3. A twentieth of
    the usual durations later everything has come to rest.

    Expected: nothing is lost, nothing is sent twice, every mail has its end and its webhooks.
    """
    name = "test-prove-once"
    argv = ["-m", "loadtest.prove_once", "--cases", "a", "--mails", "45", "--rate", "30"]
    code, said = await run(
        [sys.executable, *argv, "--scale", "0.05", "--seed", "1266", "--name", name]
    )
    assert code == 0, said
    found = json.loads((ROOT / "build" / f"{name}.json").read_text())
    (row,) = found["runs"]
    assert found["pass"] is True
    assert (row["case"], row["lost"], row["duplicates"], row["unknown"]) == ("a", 0, 0, 0)
    assert row["kills"] == sum(row["kills_at"].values()) >= 2
    assert (row["faults"], row["left_in_queues"]) == ({}, {})
