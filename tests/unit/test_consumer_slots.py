"""Slots of the consume loop: whatever goes wrong on the way, each is free again once, and only when
its message is settled.
"""

import asyncio
from collections.abc import Callable

import pytest
import structlog

from mailpipe.aws.queue import Fault
from mailpipe.outcomes import CallFailed, Done, Kind, Outcome, Retry
from tests.unit.consumer_rig import Rig, answering


def full(*_: object) -> str:
    """A log on a disk that is full."""
    raise OSError("no space left on device")


GONE = CallFailed(Kind.REFUSED, "ReceiptHandleIsInvalid")


@pytest.mark.parametrize("outcome", [Done(), Retry(30, "later"), RuntimeError("a bug"), GONE])
async def test_a_log_that_cannot_be_written_costs_no_slot(outcome: Outcome | Exception) -> None:
    handled = asyncio.Event()
    rig = Rig(["m"], answering(outcome, handled), concurrency=1)

    def refuse(_: str, told: Callable[[Fault], None]) -> None:
        told(GONE)

    async def refuse_all(_: object) -> list[Fault]:
        return [GONE]

    rig.queue.delete_soon = refuse  # type: ignore[method-assign]
    rig.queue.hide = refuse_all  # type: ignore[method-assign]
    running = asyncio.create_task(rig.run(handled))
    await asyncio.sleep(0)
    structlog.configure(processors=[full])
    try:
        await handled.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        assert rig.consumer.in_hand == 0
        assert not rig.heartbeat.held
    finally:
        structlog.reset_defaults()
    await running


async def test_a_slot_is_taken_until_the_delete_is_told() -> None:
    handled, told = asyncio.Event(), list[Callable[[Fault], None]]()
    rig = Rig(["m", "n"], answering(Done(), handled), concurrency=1)
    rig.queue.delete_soon = lambda _, tell: told.append(tell)  # type: ignore[method-assign]
    running = asyncio.create_task(rig.run(handled, drain_s=1))
    await handled.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    assert (rig.consumer.in_hand, len(told), len(rig.heartbeat.held)) == (1, 1, 1)
    told[0](None)
    assert (rig.consumer.in_hand, len(rig.heartbeat.held)) == (0, 0)
    told[0](None)  # a second word frees nothing
    assert rig.consumer.in_hand == 0
    await running
