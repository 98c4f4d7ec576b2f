"""Lets ministack's SQS receive and delete at the same cost at any depth of the queue, and read the
text of a PartiQL statement into tokens once.

It keeps a queue as a list, oldest first, and looks through all of it several times for a receive,
and ten times to delete ten messages. What was received stands near the front, and what is received
next right behind it: to look at the front suffices. Its own functions still decide everything; they
only see less.

They are private, and any release may change them: `quicken` fails where one is gone, and what the
others answer is held by tests. What is pinned in `requirements/cloud.txt` is what it fits.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from time import time
from typing import Any

STATEMENTS = 2048
"""Texts whose tokens are kept."""

Queue = dict[str, Any]


def quicken() -> None:
    """Put our functions around its own. Raises AttributeError where they are no longer there."""
    from ministack.services import (  # type: ignore[import-not-found,unused-ignore]  # of .venv-cloud
        _dynamodb_keywords,
        sqs,
    )

    _dynamodb_keywords._tokenize = lru_cache(STATEMENTS)(_dynamodb_keywords._tokenize)
    quicken_receiving(sqs)
    quicken_deleting(sqs)


@contextmanager
def _only(queue: Queue, front: int) -> Iterator[None]:
    """Meanwhile the queue holds only so many of its oldest messages."""
    messages = queue["messages"]
    queue["messages"] = messages[:front]
    try:
        yield
    finally:
        messages[:front] = queue["messages"]
        queue["messages"] = messages


def quicken_receiving(sqs: Any) -> None:
    """Of ministack's module for SQS: what a receive looks at."""
    expire, sweep, collect = sqs._expire_retained, sqs._dlq_sweep, sqs._collect_msgs

    def expire_if_the_oldest_is_due(queue: Queue) -> None:
        # Of what was moved here an older one may stand behind it, and is kept for longer.
        oldest = {**queue, "messages": queue["messages"][:1]}
        expire(oldest)
        if not oldest["messages"]:
            expire(queue)

    def sweep_and_collect(queue: Queue, most: int, visibility_s: int) -> list[dict[str, Any]]:
        depth = None
        while depth != len(queue["messages"]):  # behind what is moved may stand more of it
            depth = len(queue["messages"])
            with _only(queue, _front_with_visible(queue, most)):
                sweep(queue)
        with _only(queue, _front_with_visible(queue, most)):
            received: list[dict[str, Any]] = collect(queue, most, visibility_s)
        return received

    sqs._expire_retained = expire_if_the_oldest_is_due
    sqs._dlq_sweep = lambda queue: None  # `_collect_msgs` comes right after it, each time
    sqs._collect_msgs = sweep_and_collect


def _front_with_visible(queue: Queue, most: int) -> int:
    """How many of the oldest hold so many that are visible. A FIFO queue is looked at whole."""
    messages = queue["messages"]
    if queue["is_fifo"]:
        return len(messages)
    now = time()
    visible = (place for place, one in enumerate(messages, 1) if one["visible_at"] <= now)
    return next(islice(visible, most - 1, None), len(messages))


def quicken_deleting(sqs: Any) -> None:
    """Of the same: what a DeleteMessageBatch looks at."""
    delete = sqs._act_delete_message_batch

    def delete_at_the_front(data: dict[str, Any], url: str) -> dict[str, Any]:
        queue = sqs._get_q(data.get("QueueUrl", url), "sqs:DeleteMessage")
        handles = {entry.get("ReceiptHandle") for entry in data.get("Entries") or ()} - {None}
        with _only(queue, _front_holding(queue, handles)):
            answer: dict[str, Any] = delete(data, url)
        return answer

    if sqs._HANDLERS["DeleteMessageBatch"] is not delete:
        raise AttributeError("DeleteMessageBatch is handled by another function")
    sqs._act_delete_message_batch = sqs._HANDLERS["DeleteMessageBatch"] = delete_at_the_front


def _front_holding(queue: Queue, handles: set[str]) -> int:
    """How many of the oldest hold all that were received under these handles."""
    places = enumerate(queue["messages"], 1)
    found = (place for place, one in places if one["receipt_handle"] in handles)
    return max(islice(found, len(handles)), default=0)
