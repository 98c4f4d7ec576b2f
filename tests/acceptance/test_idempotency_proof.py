"""The proof of idempotency keys, in small: posts at once, `kill -9` of ingest in between."""

import json
import sys

from infra.local.stack import ROOT
from loadtest.processes import run


async def test_a_key_is_one_mail_whatever_is_killed() -> None:
    """1. Ten clients post under each of 12 keys at once; three keys are contested by two bodies.
    2. Meanwhile each of two ingest replicas is killed once, and started again. 3. Every key is
    posted again with either body.

    Expected: one mail for each key, of the body that was promised; 409 for the other body.
    """
    name = "test-prove-idempotency"
    argv = ["-m", "loadtest.prove_idempotency", "--keys", "12", "--posts", "10", "--seed", "3"]
    code, said = await run([sys.executable, *argv, "--name", name])
    assert code == 0, said
    found = json.loads((ROOT / "build" / f"{name}.json").read_text())
    (row,) = found["runs"]
    assert found["pass"] is True
    assert (row["keys"], row["mails"], row["doubled"], row["kills"]) == (12, 12, 0, 2)
