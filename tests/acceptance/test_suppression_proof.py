"""The proof of suppressions, in small: mail to an address races with its suppression."""

import json
import sys

from infra.local.stack import ROOT
from loadtest.processes import run


async def test_nothing_is_sent_that_was_claimed_after_the_suppression() -> None:
    """1. Forty times three mails go to an address that is suppressed meanwhile; three senders.

    Expected: what SES took had been claimed before the suppression was acknowledged; all else ended
    as suppressed, with a webhook. There was some of both.
    """
    name = "test-prove-suppression"
    argv = ["-m", "loadtest.prove_suppression", "--races", "40", "--name", name]
    code, said = await run([sys.executable, *argv])
    assert code == 0, said
    (row,) = json.loads((ROOT / "build" / f"{name}.json").read_text())["runs"]
    assert (row["races"], row["violations"]) == (40, 0)
    assert row["mails"] == row["sent_before"] + row["sent_after"] + row["suppressed"]
