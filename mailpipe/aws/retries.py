"""Repeats what is harmless to repeat: never a send (SES has no idempotency token).

Whole calls are repeated here, single entries of a batch by `batcher.py`, and only after a plain
attempt has failed: tenacity costs some 20 µs even where nothing fails.
"""

import asyncio
from collections.abc import Callable, Coroutine
from random import random
from typing import Any, TypeVar

import tenacity

from mailpipe.aws.client import Client
from mailpipe.aws.operations import A, Operation, Q
from mailpipe.outcomes import CallFailed

T = TypeVar("T")

FIRST_WAIT_S = 0.05

_again = tenacity.AsyncRetrying(
    retry=tenacity.retry_if_exception(
        lambda error: isinstance(error, CallFailed) and error.repeatable
    ),
    wait=tenacity.wait_random_exponential(multiplier=FIRST_WAIT_S, max=1.0),
    stop=tenacity.stop_after_attempt(4),
    reraise=True,
)


async def again(attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Up to four attempts with jittered waits between them. Raises the last CallFailed."""
    return await _again.copy()(attempt)


async def call_again(client: Client, operation: Operation[Q, A], request: Q) -> A:
    """Call an operation that is harmless to repeat: a plain attempt, then up to four more.

    Raises the last CallFailed.
    """

    async def attempt() -> A:
        return await client.call(operation, request)

    return await repeated(attempt)


async def repeated(attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """A plain attempt, then up to four more. Raises the last CallFailed."""
    try:
        return await attempt()
    except CallFailed as error:
        if not error.repeatable:
            raise
    await asyncio.sleep(random() * FIRST_WAIT_S)  # noqa: S311
    return await again(attempt)
