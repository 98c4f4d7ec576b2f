"""What a request counts against the rate of its key, and where its body is decoded."""

import threading
from typing import Any, cast

import pytest

from ingest.errors import Refusal
from ingest.guard import Guard
from ingest.limits import OFF_LOOP_BYTES, QUICK_BYTES, Intake, Limits
from mailpipe.access import Access, Grant
from mailpipe.tenants import Tenant

GRANT = Grant("t", frozenset({"send"}), "k", Tenant(tenant="t"))
LIMITS = Limits(max_requests=1, max_body_bytes=1, max_bodies_bytes=1, body_timeout_s=1)


class Rated:
    """A key of 100 a second, as an admitted request finds it."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        tables: Any = None
        self.access = Access(tables, local=True, per_second=100, clock=lambda: self.now_s)
        self.guard = Guard(cast(Access, self.access), Intake(LIMITS))

    def batch(self, count: int) -> None:
        """Admit a batch and count its mails. Raises Refusal."""
        assert self.access.allow(GRANT) == 0
        self.guard.spend_batch(GRANT, count)


def test_a_batch_counts_as_its_mails_even_if_they_are_more_than_the_burst() -> None:
    rated = Rated()
    rated.batch(250)
    rated.now_s += 1.5
    assert rated.access.allow(GRANT) > 0
    rated.now_s += 0.011
    assert rated.access.allow(GRANT) == 0


def test_a_batch_that_is_refused_counts_as_one() -> None:
    rated = Rated()
    rated.batch(50)
    for _ in range(50):
        with pytest.raises(Refusal):
            rated.batch(60)
    assert rated.access.allow(GRANT) > 0


class AtHand(Intake):
    """Every request has this body."""

    def __init__(self, body: bytes) -> None:
        super().__init__(LIMITS)
        self._body = body

    def at_hand(self, *_: object) -> bytes:
        """See Intake.at_hand."""
        return self._body


async def test_a_large_body_is_decoded_in_a_thread_and_a_small_one_at_once() -> None:
    nothing: Any = None

    async def thread(body: bytes) -> threading.Thread:
        guard = Guard(nothing, AtHand(body))
        return await guard.decoded(nothing, lambda _: threading.current_thread())

    assert await thread(b"x") is threading.main_thread()
    assert await thread(b"x" * OFF_LOOP_BYTES) is not threading.main_thread()


@pytest.mark.parametrize(
    ("size", "simple", "done_by"),
    [
        (QUICK_BYTES - 1, True, "quick, here"),
        (QUICK_BYTES - 1, False, "decode, in a thread"),
        (QUICK_BYTES, True, "decode, in a thread"),
    ],
)
async def test_in_between_the_quick_way_is_tried_first(
    size: int, simple: bool, done_by: str
) -> None:
    nothing: Any = None

    def told(who: str) -> str:
        here = threading.current_thread() is threading.main_thread()
        return f"{who}, {'here' if here else 'in a thread'}"

    found = await Guard(nothing, Intake(LIMITS)).read(
        b"x" * size, lambda _: told("decode"), lambda _: told("quick") if simple else None
    )
    assert found == done_by
