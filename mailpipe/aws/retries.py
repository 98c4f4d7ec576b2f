"""Repeats what is harmless to repeat: never a send (SES has no idempotency token).

Only after a plain attempt has failed: tenacity costs some 20 µs even where nothing fails.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from random import random
from typing import Any, TypeVar

import tenacity

from mailpipe.aws.client import Client
from mailpipe.aws.operations import A, Operation, Q
from mailpipe.outcomes import CallFailed, Kind

E = TypeVar("E")
T = TypeVar("T")

FIRST_WAIT_S = 0.05
ENDING = ("Closed", "the process is ending")

_again = tenacity.AsyncRetrying(
    retry=tenacity.retry_if_exception(
        lambda error: isinstance(error, CallFailed) and error.repeatable
    ),
    wait=tenacity.wait_random_exponential(multiplier=FIRST_WAIT_S, max=1.0),
    stop=tenacity.stop_after_attempt(4),
    reraise=True,
)


def told(tries: list[CallFailed]) -> CallFailed:
    """What the failures of one request say together: the last, unless that is to say that nothing
    happened, and an earlier one may have arrived.
    """
    doubts = [one for one in tries if one.kind is Kind.IN_DOUBT]
    return doubts[-1] if doubts and tries[-1].repeatable else tries[-1]


async def again(attempt: Callable[[], Coroutine[Any, Any, T]], tries: list[CallFailed]) -> T:
    """Up to four more attempts with jittered waits between them. `tries`: how earlier ones failed;
    those that fail here are added. Raises CallFailed, as `told`.
    """

    async def noted() -> T:
        try:
            return await attempt()
        except CallFailed as failed:
            tries.append(failed)
            raise

    try:
        return await _again.copy()(noted)
    except CallFailed:
        raise told(tries) from None


def call_again(client: Client, operation: Operation[Q, A], request: Q) -> Coroutine[Any, Any, A]:
    """Call an operation that is harmless to repeat: a plain attempt, then up to four more.

    Raises CallFailed, as `told`.
    """
    return repeated(partial(client.call, operation, request))


async def repeated(attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """A plain attempt, then up to four more. Raises CallFailed, as `told`."""
    try:
        return await attempt()
    except CallFailed as error:
        if not error.repeatable:
            raise
        tries = [error]
    await asyncio.sleep(random() * FIRST_WAIT_S)  # noqa: S311
    return await again(attempt, tries)


async def alone(
    commit: Callable[[list[E]], Awaitable[Sequence[T | CallFailed]]], entry: E, first: CallFailed
) -> T | CallFailed:
    """The fate of an entry that failed in a call of many, tried again by itself, in the end four
    times; what a whole call meets is repeated by the call. Who cancels it at the end of the process
    gets a fate, too.
    """

    async def attempt() -> T | CallFailed:
        try:
            (fate,) = await commit([entry])
        except CallFailed as failed:
            return failed
        except asyncio.CancelledError:
            return CallFailed(Kind.IN_DOUBT, *ENDING)
        if isinstance(fate, CallFailed) and fate.repeatable:
            raise fate
        return fate

    tries = [first]
    try:
        await asyncio.sleep(random() * FIRST_WAIT_S)  # noqa: S311
        fate = await again(attempt, tries)
    except asyncio.CancelledError:
        return told(tries)
    except CallFailed as failed:
        return failed
    return told([*tries, fate]) if isinstance(fate, CallFailed) else fate
