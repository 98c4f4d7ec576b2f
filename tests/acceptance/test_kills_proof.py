"""The proof of kills, in small: `kill -9` of random replicas under load, judged from outside."""

import json
import sys

from infra.local.stack import ROOT
from loadtest.processes import run


async def test_kills_of_random_replicas_lose_nothing() -> None:
    """1. Mails go at 25/s through both doors. 2. For 4.5 s a replica is killed every 1 to 2 s and
    started again; the seed begins with a sender, whose claims are in doubt for longest. 3. A tenth
    of the usual durations later everything has come to rest.

    Expected: no mail and no webhook is lost, no status is wrong; what was doubled is listed.
    """
    name = "test-prove-kills"
    argv = ["-m", "loadtest.prove_kills", "--seconds", "4.5", "--rate", "25", "--scale", "0.1"]
    code, said = await run([sys.executable, *argv, "--seed", "91", "--name", name])
    assert code == 0, said
    found = json.loads((ROOT / "build" / f"{name}.json").read_text())
    (row,) = found["runs"]
    assert found["pass"] is True
    assert row["kills"] == sum(row["kills_by_service"].values()) >= 2
    assert (row["lost"], row["faults"], row["left_in_queues"]) == (0, {}, {})
    assert len(row["doubled"]) == row["duplicates"]
