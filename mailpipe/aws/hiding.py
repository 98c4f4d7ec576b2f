"""Hides messages of any queue: what the heartbeat's thread needs of SQS."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mailpipe.aws import errors
from mailpipe.aws import sqs_operations as aws
from mailpipe.aws.client import Aws, Side
from mailpipe.heartbeat import Hide
from mailpipe.outcomes import CallFailed


def visibility_of(url: str, hidden: list[tuple[str, int]]) -> aws.ChangeMessageVisibilityBatch:
    """The request for up to ten (receipt, seconds)."""
    entries = [
        aws.VisibilityEntry(id=str(index), receipt_handle=receipt, visibility_timeout=seconds)
        for index, (receipt, seconds) in enumerate(hidden)
    ]
    return aws.ChangeMessageVisibilityBatch(queue_url=url, entries=entries)


def with_failed(
    faults: list[CallFailed | None], failed: list[aws.Failed], operation: str
) -> list[CallFailed | None]:
    """The fates, with those that SQS names as failed."""
    for one in failed:
        faults[int(one.id)] = errors.entry_failed(
            operation, one.code, one.message, sender_fault=one.sender_fault
        )
    return faults


@asynccontextmanager
async def open_hide(side: Side, *, visibility_s: float) -> AsyncIterator[Hide]:
    """What the heartbeat's thread needs: a client of its own, on its own event loop. It does not
    repeat: the next beat does.
    """
    async with Aws(side) as opened:
        client = await opened.client("sqs", connections=4, timeout_s=min(10, visibility_s / 6))
        operation = aws.CHANGE_MESSAGE_VISIBILITY_BATCH

        async def hide(url: str, entries: list[tuple[str, int]]) -> list[CallFailed | None]:
            faults = list[CallFailed | None]()
            for start in range(0, len(entries), aws.MAX_ENTRIES):
                batch = entries[start : start + aws.MAX_ENTRIES]
                try:
                    answer = await client.call(operation, visibility_of(url, batch))
                    faults += with_failed([None] * len(batch), answer.failed, operation.name)
                except CallFailed as failed:
                    faults += [failed] * len(batch)
            return faults

        yield hide
