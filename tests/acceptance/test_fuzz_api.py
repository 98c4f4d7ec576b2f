"""schemathesis on the API's own description, in small."""

from infra.local.stack import Stack
from loadtest.fuzz_api import asked, faults


async def test_the_door_does_what_its_description_says(stack: Stack) -> None:
    """1. Every operation is asked what its description allows and forbids, a few times each.

    Expected: only answers that are described, no 500, nothing wrong is taken.
    """
    phases = ("examples", "fuzzing")
    row, said = await asked(stack.ingest_url, stack.folder, examples=4, seed=1, phases=phases)
    assert faults(row) == [], said
    assert row["operations"] >= 11
