"""schemathesis on the API's own description, in small."""

import asyncio

from infra.local.grants import add_doors, key_of
from infra.local.stack import Stack
from loadtest.fuzz_api import asked, faults


async def test_the_door_does_what_its_description_says(stack: Stack) -> None:
    """1. Every operation is asked what its description allows and forbids, a few times each.

    Expected: only answers that are described, no 500, nothing wrong is taken.
    """
    phases, tenant = ("examples", "fuzzing"), "doors-other"
    # A tenant of its own: what is made here must not reach the other tests' endpoints.
    await asyncio.to_thread(add_doors, stack)
    row, said = await asked(
        *(stack.ingest_url, stack.folder), examples=4, seed=1, key=key_of(tenant), phases=phases
    )
    assert faults(row) == [], said
    assert row["operations"] >= 13
