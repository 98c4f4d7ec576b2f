"""What a batch's entries become, before anything is stored."""

import asyncio
import json

import msgspec
import pytest

from ingest import batches
from ingest.letters import TOGETHER, Letters, Made
from mailpipe.access import Grant
from mailpipe.bodies import Bodies
from mailpipe.outcomes import CallFailed
from mailpipe.rules import Violation
from mailpipe.tenants import Tenant

GRANT = Grant("acme", frozenset({"send"}), "k", Tenant(tenant="acme", domains=["shop.example"]))
LARGE = "x" * 60_000


def entry(**changes: object) -> msgspec.Raw:
    """A good entry, changed, as it comes."""
    good = {"to": ["a@example.com"], "from": "b@shop.example", "subject": "Hi", "bodyText": "Hello"}
    return msgspec.Raw(json.dumps(good | changes).encode())


def read(given: msgspec.Raw) -> batches.Entry:
    """The same, read."""
    found = batches.entry(given)
    assert not isinstance(found, Violation)
    return found


def told(made: Made | None) -> str | None:
    """What has become of an entry."""
    if made is None or isinstance(made, CallFailed):
        return None
    return made.constraint if isinstance(made, Violation) else made[0].email.subject


ENTRIES = [
    entry(subject="one"),
    entry(subject=""),
    entry(subject="two"),
    entry(subject="", bodyText=LARGE),
    entry(**{"from": "b@other.example"}),
    entry(subject="three"),
]


@pytest.mark.parametrize("entries", [ENTRIES, [*map(read, ENTRIES)]], ids=["raw", "read"])
async def test_each_is_at_its_place_and_what_is_large_is_not_looked_at(
    entries: list[batches.Entry],
) -> None:
    made = await Letters(Bodies(None)).of_small(entries, GRANT)
    assert [*map(told, made)] == ["one", "required", "two", None, "from_domain", "three"]


async def test_others_have_their_turn_within_a_batch() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    made = await Letters(Bodies(None)).of_small([entry()] * (2 * TOGETHER + 1), GRANT)
    task.cancel()
    assert (len(made), turns) == (2 * TOGETHER + 1, 2)
