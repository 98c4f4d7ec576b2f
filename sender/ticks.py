"""Asks AWS for its Date at the right moments, and says what becomes of our clock."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from mailpipe import logs, metrics, resources
from mailpipe.aws.client import Client
from mailpipe.aws.dynamodb_operations import QUERY, Query
from mailpipe.lifecycle import Stop
from mailpipe.outcomes import CallFailed
from sender.clock import Clock, ClockState

LOOK_S = 1.0
HASTE = 10
"""So many rounds, one a second, while the clock is not known; then ten times slower: an exchange
may take longer than the budget is wide."""

Ask = Callable[[], Awaitable[object]]
log = logs.get()


def cheap_read(dynamodb: Client, prefix: str) -> Ask:
    """Of a partition that is empty: half a read unit, and no batch in between."""
    query = Query(
        table_name=resources.physical(prefix, resources.COORDINATION),
        key_condition_expression="#kind = :kind",
        expression_attribute_names={"#kind": "kind"},
        expression_attribute_values={":kind": {"S": "clock"}},
    )

    async def ask() -> object:
        return await dynamodb.call(QUERY, query)

    return ask


async def keep_time(clock: Clock, ask: Ask) -> None:
    """For ever: narrow the offset when too little is known. `ask` makes one cheap call, the Date of
    which the clock gets to see.
    """
    said, contradictions, rounds = None, 0, 0
    while True:
        moments = clock.moments()
        rounds = rounds + 1 if moments else 0
        await asyncio.gather(*(_ask_at(moment_s, ask) for moment_s in moments))
        _show(clock)
        if clock.state is not said:
            said = clock.state
            _say(clock)
        if clock.contradictions > contradictions:
            metrics.CLOCK_CONTRADICTIONS.inc(clock.contradictions - contradictions)
            contradictions = clock.contradictions
        if not moments or clock.offset is None:
            await asyncio.sleep(LOOK_S)
        elif rounds > HASTE:
            await asyncio.sleep(HASTE * LOOK_S)


async def known(clock: Clock, stop: Stop, *, within_s: float) -> None:
    """Returns when something can be said of the clock, or after so long.

    A sender that begins with an unsure clock spreads its mail, and what it takes of the slots is
    lost to those who know the time; meanwhile mail waits for them in the queue, in nobody's hand.
    """
    deadline_s = time.monotonic() + within_s
    while clock.state is ClockState.UNSURE and time.monotonic() < deadline_s:
        if stop.is_set():
            return
        await stop.sleep(0.02)


async def _ask_at(moment_s: float, ask: Ask) -> None:
    await asyncio.sleep(max(0.0, moment_s - time.time()))
    try:
        await ask()
    except CallFailed as failed:
        log.warning("clock_not_asked", code=failed.code, text=failed.text)
        await asyncio.sleep(LOOK_S)


def _show(clock: Clock) -> None:
    for state in ClockState:
        metrics.bound(metrics.CLOCK_STATE, state).set(clock.state is state)
    if offset := clock.offset:
        metrics.CLOCK_OFFSET.set((offset.low_s + offset.high_s) / 2)
        metrics.CLOCK_WIDTH.set(offset.width_s)


def _say(clock: Clock) -> None:
    offset = clock.offset
    bounds = {} if offset is None else {"low_s": offset.low_s, "high_s": offset.high_s}
    rounded = {name: round(value, 4) for name, value in bounds.items()}
    if clock.state is ClockState.WRONG:
        fix = "put the machine's clock right (chrony, Amazon Time Sync); until then bulk waits"
        log.error("clock_wrong", **rounded, fix=fix)
    else:
        log.info("clock", state=clock.state, **rounded)
