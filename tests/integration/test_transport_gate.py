"""Both sides of `call` and a gate: when the write may come, and what happened if it did not."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from mailpipe import metrics
from mailpipe.aws import dynamodb_operations as ddb
from mailpipe.aws import ses_operations as ses
from mailpipe.aws.client import Aws, Side
from mailpipe.outcomes import MISSED, CallFailed, Kind
from tests.integration.scripted_aws import GET, SEND, SIDES, Serve, Sides, answer, request_of

TIMEOUT_S = 1.5


class Asks:
    """A gate that says what it is told."""

    def __init__(self, ask: Callable[[], Awaitable[bool]]) -> None:
        self._ask = ask
        self.opened_s: float | None = None

    async def __call__(self) -> bool:
        passed = await self._ask()
        if passed:
            self.opened_s = time.perf_counter()
        return passed


async def opens() -> bool:
    return True


async def stays_shut() -> bool:
    return False


def counting(seen: list[dict[str, str]], body: bytes = b"{}") -> Serve:
    """Answer everything, and keep the headers of each request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                headers, _ = await request_of(reader)
                seen.append(headers)
                writer.write(answer(body))

    return serve


@pytest.mark.parametrize("side", SIDES)
async def test_nothing_is_written_before_the_gate_opens(sides: Sides, side: Side) -> None:
    seen = list[dict[str, str]]()
    sides.serve = counting(seen)
    client, asked, open_now = await sides.client(side), asyncio.Event(), asyncio.Event()

    async def gate() -> bool:
        asked.set()
        return await open_now.wait()

    call = asyncio.create_task(client.call(ddb.GET_ITEM, GET, gate=Asks(gate)))
    await asked.wait()
    assert sides.connections == (1 if side == "typed" else 0)
    assert seen == []
    open_now.set()
    assert (await call).item is None
    assert len(seen) == 1


@pytest.mark.parametrize("side", SIDES)
async def test_when_the_gate_stays_shut_nothing_has_happened(sides: Sides, side: Side) -> None:
    seen = list[dict[str, str]]()
    sides.serve = counting(seen)
    client = await sides.client(side)
    for _ in range(3):
        with pytest.raises(CallFailed) as failed:
            await client.call(ddb.GET_ITEM, GET, gate=Asks(stays_shut))
        assert (failed.value.kind, failed.value.code) == (Kind.NOTHING_HAPPENED, MISSED)
    assert seen == []
    await client.call(ddb.GET_ITEM, GET)
    assert (len(seen), sides.connections) == (1, 1)


async def test_no_other_task_comes_between_the_gates_yes_and_the_write(sides: Sides) -> None:
    """The stamp is put in last: it is older than whatever ran next."""
    seen, between = list[dict[str, str]](), list[int]()
    sides.serve = counting(seen, b'{"MessageId":"m"}')

    async def gate() -> bool:
        asyncio.get_running_loop().call_soon(lambda: between.append(time.monotonic_ns()))
        opened_ns.append(time.monotonic_ns())
        return True

    opened_ns = list[int]()
    async with Aws(stamped=True) as aws:
        client = await aws.client("sesv2", connections=1, timeout_s=1.5)
        for _ in range(20):
            await client.call(ses.SEND_EMAIL, SEND, gate=Asks(gate))
    stamps = [int(headers["x-monotonic-ns"]) for headers in seen]
    assert len(stamps) == 20
    for opened, stamp, other in zip(opened_ns, stamps, between, strict=True):
        assert opened < stamp < other


async def test_a_connection_that_is_lost_at_the_gate_is_replaced(sides: Sides) -> None:
    seen, asked = list[dict[str, str]](), 0
    sides.serve = counting(seen)

    async def gate() -> bool:
        nonlocal asked
        asked += 1
        if asked == 1:
            await sides.hang_up()
        return True

    client = await sides.client("typed")
    assert (await client.call(ddb.GET_ITEM, GET, gate=Asks(gate))).item is None
    assert (asked, len(seen), sides.connections) == (2, 1, 2)


async def test_a_connection_that_cannot_be_replaced_leaves_no_doubt(sides: Sides) -> None:
    seen = list[dict[str, str]]()
    sides.serve = counting(seen)
    client = await sides.client("typed", "sesv2")

    async def gate() -> bool:
        await sides.hang_up(for_good=True)
        return True

    with pytest.raises(CallFailed) as failed:
        await client.call(ses.SEND_EMAIL, SEND, gate=Asks(gate))
    assert failed.value.kind is Kind.NOTHING_HAPPENED
    assert seen == []


@pytest.mark.parametrize("side", SIDES)
async def test_what_waits_at_the_gate_costs_the_call_none_of_its_time(
    sides: Sides, side: Side
) -> None:
    sides.serve = counting([])

    async def gate() -> bool:
        await asyncio.sleep(1.2 * TIMEOUT_S)
        return True

    seconds = metrics.AWS_CALL_SECONDS.labels("dynamodb", "GetItem")
    before_s = seconds.sum
    async with Aws(side) as aws:
        client = await aws.client("dynamodb", connections=1, timeout_s=TIMEOUT_S)
        assert (await client.call(ddb.GET_ITEM, GET, gate=Asks(gate))).item is None
    assert 0 < seconds.sum - before_s < TIMEOUT_S


async def test_a_call_that_is_cancelled_at_the_gate_gives_its_connection_back(sides: Sides) -> None:
    seen = list[dict[str, str]]()
    sides.serve = counting(seen)
    client, asked = await sides.client("typed"), asyncio.Event()

    async def gate() -> bool:
        asked.set()
        return await asyncio.Event().wait()

    call = asyncio.create_task(client.call(ddb.GET_ITEM, GET, gate=Asks(gate)))
    await asked.wait()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await client.call(ddb.GET_ITEM, GET, gate=Asks(opens))
    assert (len(seen), sides.connections) == (1, 1)


@pytest.mark.parametrize("side", SIDES)
async def test_a_large_request_has_more_time_by_its_size(sides: Sides, side: Side) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        await asyncio.sleep(1.2 * TIMEOUT_S)
        writer.write(answer(b"{}"))

    sides.serve = slow
    async with Aws(side) as aws:
        client = await aws.client(
            "dynamodb", connections=1, timeout_s=TIMEOUT_S, upload_bytes_per_s=30.0
        )
        assert (await client.call(ddb.GET_ITEM, GET)).item is None
