"""Events about a mail's several recipients that come at once, in every order of their writes."""

from collections.abc import Coroutine, Iterator
from contextlib import suppress
from inspect import CORO_CLOSED, getcoroutinestate
from itertools import combinations
from typing import Any, cast

import pytest

from mailpipe import records, resources
from mailpipe.aws.table import Tables
from mailpipe.messages import Email, EmailMessage
from mailpipe.status import DELIVERED, HARD_BOUNCED, SENT, Standing
from mailpipe.tenants import Retention
from mailpipe.timing import iso
from processor.events import Event
from processor.store import ProcessorStore
from tests.unit.claim_parts import Nobody
from tests.unit.memory_tables import MemoryTables

PREFIX, EMAIL_ID, AT_MS = "t-", "e1", 1_795_514_400_000
KEY = PREFIX + resources.EMAIL_TRACKING, EMAIL_ID
TO = ["a@example.com", "b@example.com"]
CALLS = 6
"""As many reads and writes as one event makes at most, and its begin."""


def _sent() -> records.Attributes:
    email = Email(to=TO, from_="c@example.com", subject="Hi", body_text="x")
    message = EmailMessage(
        email_id=EMAIL_ID, tenant="default", stream="bulk", queued_at=iso(AT_MS), email=email
    )
    born = records.USUAL | records.born(EMAIL_ID, "default", records.fields_of(message))
    return born | {"status": SENT.status, "rank": SENT.rank, "sentAt": AT_MS}


def _event(address: str, standing: Standing) -> Event:
    return Event(
        hash="h",
        kind=standing.status,
        webhook_type=None,
        email_id=EMAIL_ID,
        tenant="default",
        occurred_at=iso(AT_MS),
        happened_ms=AT_MS,
        standing=standing,
        recipients=[address],
    )


def _orders() -> Iterator[list[int]]:
    """Whose call is next, in every way in which two can take turns."""
    for places in combinations(range(2 * CALLS), CALLS):
        yield [int(place in places) for place in range(2 * CALLS)]


def _to_next_call(work: Coroutine[Any, Any, None]) -> None:
    """Make the call before which it stands, and stand before the next one or at the end."""
    if getcoroutinestate(work) == CORO_CLOSED:
        return
    with suppress(StopIteration):
        while not work.send(None).startswith("before"):
            pass


@pytest.mark.parametrize("first", [DELIVERED, HARD_BOUNCED])
def test_it_is_closed_when_both_have_their_end_whoever_was_first(first: Standing) -> None:
    for order in _orders():
        tables = MemoryTables(PREFIX, stepwise=True)
        tables.items[KEY] = _sent()
        retention = cast(Retention, Nobody())
        store = ProcessorStore(
            cast(Tables, tables), PREFIX, address_hash_key=b"k" * 32, retention=retention
        )
        record = records.read(tables.items[KEY])
        works = [
            store.raise_status(_event(address, standing), record)
            for address, standing in zip(TO, [first, HARD_BOUNCED], strict=True)
        ]
        for turn in order:
            _to_next_call(works[turn])
        assert {getcoroutinestate(work) for work in works} == {CORO_CLOSED}
        found = records.read(tables.items[KEY])
        assert (found.rank, found.ranks) == (50, {"r0": first.rank, "r1": 50})
        assert not found.is_open, order
        assert "ttl" in tables.items[KEY]
