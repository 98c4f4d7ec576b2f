"""Both sides of `call` and everything that can happen to a connection."""

import asyncio
import socket
import struct
import time
from contextlib import suppress
from zlib import crc32

import pytest

from mailpipe.aws import dynamodb_operations as ddb
from mailpipe.aws import ses_operations as ses
from mailpipe.aws.client import Aws
from mailpipe.outcomes import CallFailed, Kind
from tests.integration.scripted_aws import (
    GET,
    SEND,
    SIDES,
    TIMEOUT_S,
    Sides,
    always,
    answer,
    environment,
    request_of,
)

BAD_ANSWERS = {
    "never": b"",
    "cut in its head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "cut in its body": answer(b'{"Item":', length=100),
    "no JSON": answer(b'{"Item":{'),
    "another form": answer(b'{"Item":[]}'),
    "no HTTP": b"220 mail.example.com ESMTP\r\n",
    "a wrong checksum": answer(b"{}", x_amz_crc32="1"),
    "no text": answer(b'{"Item":{"id":{"S":"\xff"}}}'),
    "another protocol": b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
}


LENIENT = {"a wrong checksum", "another form", "no JSON", "no text", "another protocol"}
"""botocore reads all of them as an empty answer, or as text with a hole."""


@pytest.mark.parametrize("name", BAD_ANSWERS)
async def test_an_answer_that_is_not_whole_leaves_a_doubt(sides: Sides, name: str) -> None:
    sides.serve = always(BAD_ANSWERS[name], then_close=True)
    for side in SIDES:
        if side == "botocore" and name in LENIENT:
            continue
        failed = await sides.fails(side)
        assert failed.kind is Kind.IN_DOUBT, side


async def test_a_reset_after_the_request_leaves_a_doubt(sides: Sides) -> None:
    """The server has read the whole request; it may have carried it out."""

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        lingering = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
        writer.transport.abort()

    sides.serve = reset
    for side in SIDES:
        failed = await sides.fails(side, ses.SEND_EMAIL, SEND)
        assert failed.kind is Kind.IN_DOUBT, side


async def test_a_call_has_all_of_its_time_where_a_connection_is_at_hand(sides: Sides) -> None:
    late_s = 0.0

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                await request_of(reader)
                await asyncio.sleep(late_s)
                writer.write(answer(b"{}"))

    sides.serve = slow
    async with Aws("typed") as aws:
        client = await aws.client("dynamodb", connections=1, timeout_s=2 * TIMEOUT_S)
        await client.call(ddb.GET_ITEM, GET)
        late_s = 1.4 * TIMEOUT_S  # two thirds of it would be left if the connect had its share
        await client.call(ddb.GET_ITEM, GET)


async def test_an_answer_that_does_not_come_in_time_leaves_a_doubt(sides: Sides) -> None:
    for side in SIDES:
        failed = await sides.fails(side, ses.SEND_EMAIL, SEND)
        assert failed.kind is Kind.IN_DOUBT, side


async def test_an_answer_that_drips_is_given_up_in_time(sides: Sides) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(400):
            writer.write(b" ")
            await asyncio.sleep(0.05)

    sides.serve = drip
    begun = time.monotonic()
    for side in SIDES:
        assert (await sides.fails(side)).kind is Kind.IN_DOUBT, side
    assert time.monotonic() - begun < 15  # all of it takes 20 s, for each side


async def test_a_checksum_that_fits_is_taken(sides: Sides) -> None:
    body = b'{"Item":{"id":{"S":"x"}}}'
    sides.serve = always(answer(body, x_amz_crc32=str(crc32(body))))
    for side in SIDES:
        client = await sides.client(side)
        assert (await client.call(ddb.GET_ITEM, GET)).item == {"id": {"S": "x"}}


async def test_a_chunked_answer_is_read_to_its_end(sides: Sides) -> None:
    sides.serve = always(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'9\r\n{"Item":{\r\n10\r\n"id":{"S":"x"}}}\r\n0\r\n\r\n'
    )
    for side in SIDES:
        client = await sides.client(side)
        assert (await client.call(ddb.GET_ITEM, GET)).item == {"id": {"S": "x"}}


async def test_connections_closed_between_requests_are_noticed(sides: Sides) -> None:
    sides.serve = always(answer(b"{}"), then_close=True)
    for side in SIDES:
        client = await sides.client(side)
        for _ in range(5):
            await client.call(ddb.GET_ITEM, GET)
            await asyncio.sleep(0.01)
    assert sides.connections == 10


async def test_a_connection_is_used_again_and_again(sides: Sides) -> None:
    sides.serve = always(answer(b"{}"))
    for side in SIDES:
        client = await sides.client(side)
        await asyncio.gather(*(client.call(ddb.GET_ITEM, GET) for _ in range(8)))
    assert sides.connections == 2


async def test_bytes_that_nobody_asked_for_end_the_connection(sides: Sides) -> None:
    """A body longer than it says: what is left must not become the next call's answer."""
    sides.serve = always(answer(b'{"Item":{"id":{"S":"x"}}}' + answer(b'{"Item":{}}'), length=25))
    client = await sides.client("typed")
    for _ in range(3):
        assert (await client.call(ddb.GET_ITEM, GET)).item == {"id": {"S": "x"}}
    assert sides.connections == 3


@pytest.mark.parametrize("length", [None, 2_000_000])
async def test_an_answer_beyond_the_cap_is_not_read(sides: Sides, length: int | None) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        form = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        writer.write(f"HTTP/1.1 200 OK\r\n{form}\r\n\r\n".encode())
        try:
            while True:
                chunk = b" " * 65_536
                writer.write(b"10000\r\n" + chunk + b"\r\n" if length is None else chunk)
                await writer.drain()
        except ConnectionError:
            return

    sides.serve = flood
    failed = await sides.fails("typed")
    assert (failed.kind, failed.code) == (Kind.IN_DOUBT, "TooLarge")


async def test_when_no_connection_comes_about_nothing_has_happened(
    sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(monkeypatch, "http://127.0.0.1:1")
    for side in SIDES:
        async with Aws(side) as aws:
            client = await aws.client("sesv2", connections=1, timeout_s=3)
            with pytest.raises(CallFailed) as failed:
                await client.call(ses.SEND_EMAIL, SEND)
            assert failed.value.kind is Kind.NOTHING_HAPPENED, side


async def test_a_call_that_gets_no_turn_has_not_happened(sides: Sides) -> None:
    client = await sides.client("typed", "sesv2")
    first = asyncio.create_task(sides.fails("typed", ses.SEND_EMAIL, SEND))
    await asyncio.sleep(0)
    with pytest.raises(CallFailed) as failed:
        await client.call(ses.SEND_EMAIL, SEND)
    assert failed.value.kind is Kind.NOTHING_HAPPENED
    assert (await first).kind is Kind.IN_DOUBT


async def test_a_cancelled_call_leaves_the_pool_whole(sides: Sides) -> None:
    client = await sides.client("typed")
    for _ in range(3):
        call = asyncio.create_task(client.call(ddb.GET_ITEM, GET))
        await asyncio.sleep(0.02)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    sides.serve = always(answer(b"{}"))
    assert (await client.call(ddb.GET_ITEM, GET)).item is None
