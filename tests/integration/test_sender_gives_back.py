"""A claim under which nothing was written to SES does not stay, whatever ends the work on its mail:
it would be a doubt, and after three of them the mail would end as unknown.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mailpipe.messages import EmailMessage
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.records import Record
from tests.integration.conftest import message
from tests.integration.sender_rig import Rig, rig, suppress

__all__ = ["rig"]


async def cancelled_at(rig: Rig, place: str) -> Record:
    """The record of a mail that is cut off there, as at the end of a drain."""
    one, there = message(), asyncio.Event()

    async def hook() -> None:
        there.set()
        await asyncio.Event().wait()

    setattr(rig.ses, place, hook)
    work = asyncio.create_task(rig.handle(one))
    await there.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    record = await rig.parts.record(one.email_id)
    assert record is not None
    return record


async def test_cut_off_before_its_instant_it_is_free(rig: Rig) -> None:
    record = await cancelled_at(rig, "before_gate")
    assert (record.status, record.attempt, record.lease_until) == ("pending", 1, 0)


async def test_cut_off_while_ses_may_have_it_it_is_in_doubt(rig: Rig) -> None:
    record = await cancelled_at(rig, "at_write")
    assert (record.attempt, record.lease_until > 0) == (1, True)


async def test_a_bug_before_the_call_is_no_doubt(rig: Rig) -> None:
    one = message()

    async def bug(_: object) -> set[int]:
        raise RuntimeError("a bug")

    rig.store.suppressed = bug  # type: ignore[method-assign]
    for attempt in range(1, 4):
        with pytest.raises(RuntimeError):
            await rig.handle(one, receives=attempt)
        record = await rig.parts.record(one.email_id)
        assert record is not None
        assert (record.attempt, record.lease_until, record.doubts) == (attempt, 0, 0)


async def breaks_a_rule(_: Rig) -> EmailMessage:
    return message(subject="")


async def to_nobody(rig: Rig) -> EmailMessage:
    await suppress(rig.parts, "gives-back@example.com")
    return message(to=["gives-back@example.com"])


@pytest.mark.parametrize("mail", [breaks_a_rule, to_nobody])
async def test_an_end_that_cannot_be_written_is_no_doubt(
    rig: Rig, mail: Callable[[Rig], Awaitable[EmailMessage]]
) -> None:
    one, let_go, times = await mail(rig), rig.store.let_go, list[str]()

    async def noted(email_id: str, token: str) -> None:
        times.append(token)
        await let_go(email_id, token)

    async def fails(*_: object, **__: object) -> None:
        raise CallFailed(Kind.THROTTLED, "ThrottlingException")

    rig.store.end = fails  # type: ignore[method-assign, assignment]
    rig.store.let_go = noted  # type: ignore[method-assign]
    with pytest.raises(CallFailed):
        await rig.handle(one)
    record = await rig.parts.record(one.email_id)
    assert record is not None
    assert (record.status, record.lease_until) == ("pending", 0)
    assert len(times) == 1, "tried for 5 s each time, while the end of a drain waits"
