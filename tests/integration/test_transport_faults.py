"""Both sides of `call` before a server that answers whatever a test wants: each documented error,
and everything that can happen to a connection."""

import asyncio
import json
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any
from zlib import crc32

import botocore.exceptions
import botocore.session
import pytest
import trustme
from aiobotocore.credentials import AioRefreshableCredentials

from mailpipe.aws import dynamodb_operations as ddb
from mailpipe.aws import ses_operations as ses
from mailpipe.aws import sqs_operations as sqs
from mailpipe.aws.account import Account
from mailpipe.aws.client import Aws, Client, Side
from mailpipe.aws.operations import Operation
from mailpipe.outcomes import CallFailed, Kind

SIDES: tuple[Side, ...] = ("typed", "botocore")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

GET = ddb.GetItem(table_name="t", key={"id": {"S": "x"}})
SEND = ses.SendEmail(
    from_email_address="a@example.com",
    destination=ses.Destination(to_addresses=["b@example.com"]),
    content=ses.EmailContent(
        simple=ses.Simple(
            subject=ses.Content(data="s"), body=ses.Body(text=ses.Content(data="SECRET TEXT"))
        )
    ),
    configuration_set_name="c",
    email_tags=[],
)
REQUESTS: list[tuple[Operation[Any, Any], Any]] = [
    (sqs.SEND_MESSAGE_BATCH, sqs.SendMessageBatch(queue_url="http://q", entries=[])),
    (sqs.RECEIVE_MESSAGE, sqs.ReceiveMessage(queue_url="http://q", max_number_of_messages=1)),
    (sqs.DELETE_MESSAGE_BATCH, sqs.DeleteMessageBatch(queue_url="http://q", entries=[])),
    (
        sqs.CHANGE_MESSAGE_VISIBILITY_BATCH,
        sqs.ChangeMessageVisibilityBatch(queue_url="http://q", entries=[]),
    ),
    (sqs.GET_QUEUE_ATTRIBUTES, sqs.GetQueueAttributes(queue_url="http://q", attribute_names=[])),
    (ddb.GET_ITEM, GET),
    (ddb.BATCH_GET_ITEM, ddb.BatchGetItem(request_items={})),
    (
        ddb.QUERY,
        ddb.Query(
            table_name="t",
            key_condition_expression="a",
            expression_attribute_names={},
            expression_attribute_values={},
        ),
    ),
    (ddb.PUT_ITEM, ddb.PutItem(table_name="t", item={})),
    (ddb.UPDATE_ITEM, ddb.UpdateItem(table_name="t", key={}, update_expression="SET a = b")),
    (ddb.BATCH_WRITE_ITEM, ddb.BatchWriteItem(request_items={})),
    (ddb.BATCH_EXECUTE_STATEMENT, ddb.BatchExecuteStatement(statements=[])),
    (ddb.TRANSACT_WRITE_ITEMS, ddb.TransactWriteItems(transact_items=[])),
    (ses.SEND_EMAIL, SEND),
    (ses.GET_ACCOUNT, ses.GetAccount()),
]
COMMON_ERRORS = {
    "AccessDeniedException": 400,
    "ExpiredTokenException": 403,
    "IncompleteSignature": 403,
    "InternalFailure": 500,
    "InternalServerError": 500,
    "InvalidClientTokenId": 403,
    "InvalidSignatureException": 403,
    "MalformedHttpRequestException": 400,
    "NotAuthorized": 400,
    "OptInRequired": 403,
    "RequestExpired": 400,
    "RequestTimeoutException": 408,
    "ServiceUnavailable": 503,
    "ThrottlingException": 400,
    "UnrecognizedClientException": 403,
    "UnknownOperationException": 404,
    "ValidationError": 400,
    "ValidationException": 400,
}
"""Any operation may answer them ("Common Errors" of the API references)."""


class Sides:
    """A server that serves as it is told, and both sides as its clients."""

    def __init__(self) -> None:
        self.serve: Serve = hang
        self.connections = 0
        self._aws = dict[Side, Aws]()
        self._clients = dict[tuple[Side, str], Client]()

    def opened(self, side: Side, aws: Aws) -> None:
        """A side of its own."""
        self._aws[side] = aws

    async def client(self, side: Side, service: str = "dynamodb") -> Client:
        """A side's client, with one connection."""
        if (side, service) not in self._clients:
            opened = await self._aws[side].client(service, connections=1, timeout_s=0.6)
            self._clients[side, service] = opened
        return self._clients[side, service]

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            await self.serve(reader, writer)
        finally:
            writer.close()

    async def fails(
        self, side: Side, operation: Any = ddb.GET_ITEM, request: Any = GET
    ) -> CallFailed:
        """How the call fails."""
        client = await self.client(side, operation.service)
        with pytest.raises(CallFailed) as failed:
            await client.call(operation, request)
        return failed.value


@pytest.fixture
async def sides(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sides]:
    made = Sides()
    server = await asyncio.start_server(made.accept, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    environment(monkeypatch, url)
    async with Aws("typed") as typed, Aws("botocore") as botocore_:
        made.opened("typed", typed)
        made.opened("botocore", botocore_)
        yield made
    server.close()


def environment(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIDSECRET",
        "AWS_SECRET_ACCESS_KEY": "s3cr3t",
        "AWS_SESSION_TOKEN": "t0k3n",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": url,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL_SESV2", raising=False)


async def request_of(reader: asyncio.StreamReader) -> tuple[dict[str, str], bytes]:
    """Headers and body of the next request. Raises IncompleteReadError at the end."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head)}
    return headers, await reader.readexactly(int(headers.get("content-length", "0")))


def answer(body: bytes, *, status: int = 200, length: int | None = None, **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status} X\r\nContent-Length: {size}\r\n{lines}\r\n".encode() + body


def always(response: bytes, *, then_close: bool = False) -> Serve:
    """Answer every request the same."""
    return each(lambda: response, then_close=then_close)


def each(response: Callable[[], bytes], *, then_close: bool = False) -> Serve:
    """Answer every request with what there is for it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await request_of(reader)
                writer.write(response())
                await writer.drain()
                if then_close:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    return serve


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Read and never answer."""
    await reader.read()


# --- errors that AWS documents --------------------------------------------------------------------
def documented(operation: Operation[Any, Any]) -> dict[str, int]:
    """HTTP status by code: the errors in botocore's model of the operation, and the common ones."""
    session, errors = botocore.session.get_session(), dict(COMMON_ERRORS)
    model = session.get_service_model(operation.service).operation_model(operation.name)
    for shape in model.error_shapes:
        said = shape.metadata.get("error", {})
        unsaid = 500 if shape.metadata.get("fault") else 400
        errors[shape.name] = said.get("httpStatusCode", unsaid)
    return errors


@pytest.mark.parametrize(
    ("operation", "request_"), REQUESTS, ids=[operation.name for operation, _ in REQUESTS]
)
async def test_every_documented_error_is_the_same_on_both_sides(
    sides: Sides, operation: Operation[Any, Any], request_: Any
) -> None:
    response = b""
    sides.serve = each(lambda: response)
    for code, status in documented(operation).items():
        if operation.service == "sesv2":
            named = {"X_Amzn_ErrorType": f"{code}:http://internal.amazon.com/"}
            response = answer(b'{"message":"why"}', status=status, **named)
        else:
            kind = f"com.amazonaws.{operation.service}#{code}"
            body = json.dumps({"__type": kind, "message": "why"}).encode()
            legacy = {"x_amzn_query_error": f"AWS.Old.{code};Sender"} if "Queue" in code else {}
            response = answer(body, status=status, **legacy)
        typed, other = [await sides.fails(one, operation, request_) for one in SIDES]
        assert (typed.kind, typed.code, typed.text) == (other.kind, other.code, other.text)
        assert typed.code.endswith(code)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (502, b"<html>Bad Gateway</html>", Kind.IN_DOUBT),
        (503, b"", Kind.IN_DOUBT),
        (403, b"<html>Forbidden by a proxy</html>", Kind.CONFIGURATION),
        (429, b"slow down", Kind.THROTTLED),
        (301, b"", Kind.CONFIGURATION),
    ],
)
async def test_what_stands_in_between_may_answer_in_any_form(
    sides: Sides, status: int, body: bytes, kind: Kind
) -> None:
    sides.serve = always(answer(body, status=status))
    for side in SIDES:
        failed = await sides.fails(side)
        assert (failed.kind, failed.code) == (kind, str(status)), side


# --- what can happen to a connection --------------------------------------------------------------
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
    client = await sides.client("typed")
    await client.call(ddb.GET_ITEM, GET)
    late_s = 0.5  # of 0.6
    await client.call(ddb.GET_ITEM, GET)


async def test_an_answer_that_does_not_come_in_time_leaves_a_doubt(sides: Sides) -> None:
    for side in SIDES:
        failed = await sides.fails(side, ses.SEND_EMAIL, SEND)
        assert failed.kind is Kind.IN_DOUBT, side


async def test_an_answer_that_drips_is_given_up_in_time(sides: Sides) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(40):
            writer.write(b" ")
            await asyncio.sleep(0.05)

    sides.serve = drip
    begun = time.monotonic()
    for side in SIDES:
        assert (await sides.fails(side)).kind is Kind.IN_DOUBT, side
    assert time.monotonic() - begun < 1.9


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


# --- clock, TLS, secrets --------------------------------------------------------------------------
async def test_a_wrong_clock_is_corrected_once_and_for_all(sides: Sides) -> None:
    stamps = list[str]()
    ahead_s = 3600.0

    async def strict(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                headers, _ = await request_of(reader)
                stamps.append(headers["x-amz-date"])
                true = time.strftime("%Y%m%dT%H", time.gmtime(time.time() + ahead_s))
                good = (
                    headers["x-amz-date"].startswith(true[:-2])
                    and headers["x-amz-date"][9:11] == true[9:11]
                )
                date = formatdate(time.time() + ahead_s, usegmt=True)
                body = b"{}" if good else b'{"__type":"x#InvalidSignatureException","message":"m"}'
                writer.write(answer(body, status=200 if good else 403, Date=date))
        except asyncio.IncompleteReadError:
            return

    sides.serve = strict
    client = await sides.client("typed")
    await client.call(ddb.GET_ITEM, GET)
    await client.call(ddb.GET_ITEM, GET)
    assert len(stamps) == 3


async def test_a_wrong_signature_with_a_right_clock_is_not_tried_again(sides: Sides) -> None:
    body = b'{"__type":"x#InvalidSignatureException","message":"x-amz-security-token:t0k3n"}'
    sides.serve = always(answer(body, status=403, Date=formatdate(usegmt=True)))
    failed = await sides.fails("typed")
    assert failed.kind is Kind.NOTHING_HAPPENED
    assert "t0k3n" not in f"{failed!r} {failed} {failed.text}"


async def test_a_date_that_is_none_corrects_nothing(sides: Sides) -> None:
    body = b'{"__type":"x#RequestExpired","message":"m"}'
    sides.serve = always(answer(body, status=400, Date="yesterday"))
    assert (await sides.fails("typed")).kind is Kind.NOTHING_HAPPENED


class Renewing(AioRefreshableCredentials):
    """Temporary credentials whose renewal does what a test wants."""

    def __init__(self, renew: Callable[[], Awaitable[Any]]) -> None:
        super().__init__("id", "secret", "token", datetime.now(UTC), renew, "test")
        self._renew = renew

    async def get_frozen_credentials(self) -> Any:
        return await self._renew()


STS_SAYS_NO = botocore.exceptions.ClientError({"Error": {"Code": "AccessDenied"}}, "AssumeRole")


@pytest.mark.parametrize("failure", [STS_SAYS_NO, OSError("gone"), TimeoutError()])
async def test_credentials_that_cannot_be_renewed_mean_that_nothing_was_sent(
    failure: Exception,
) -> None:
    async def renew() -> Any:
        raise failure

    account = Account("http://x", "us-east-1", "sqs", None, "", Renewing(renew))
    with pytest.raises(CallFailed) as failed:
        await account.credentials()
    assert failed.value.kind is Kind.NOTHING_HAPPENED


@pytest.mark.parametrize("trusted", [True, False])
async def test_tls_is_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, trusted: bool
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    server = await asyncio.start_server(always(answer(b"{}")), "127.0.0.1", 0, ssl=context)
    environment(monkeypatch, f"https://localhost:{server.sockets[0].getsockname()[1]}")
    if trusted:
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    for side in SIDES:
        async with Aws(side) as aws:
            client = await aws.client("dynamodb", connections=1, timeout_s=3)
            if trusted:
                assert (await client.call(ddb.GET_ITEM, GET)).item is None
                continue
            with pytest.raises(CallFailed) as failed:
                await client.call(ddb.GET_ITEM, GET)
            assert failed.value.kind is Kind.NOTHING_HAPPENED, side
    server.close()


async def test_nothing_secret_is_in_what_may_be_logged(sides: Sides) -> None:
    text = b'{"message":"Email address is not verified: b@example.com, SECRET <c@example.com>"}'
    sides.serve = always(answer(text, status=400, x_amzn_errortype="MessageRejected"))
    for side in SIDES:
        client = await sides.client(side, "sesv2")
        failed = await sides.fails(side, ses.SEND_EMAIL, SEND)
        shown = f"{SEND!r} {SEND} {failed!r} {failed} {vars(failed)} {client!r}"
        for secret in ("SECRET TEXT", "b@example.com", "c@example.com", "s3cr3t", "t0k3n"):
            assert secret not in shown, side
        assert failed.kind is Kind.CONFIGURATION


async def test_without_credentials_the_fix_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch, "http://127.0.0.1:1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    async with Aws() as aws:
        with pytest.raises(CallFailed, match="set AWS_ACCESS_KEY_ID") as failed:
            await aws.client("sqs", connections=1, timeout_s=1)
    assert failed.value.kind is Kind.CONFIGURATION
