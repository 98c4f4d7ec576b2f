"""Clock, credentials, TLS, and what may be logged, on both sides of `call`."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any

import botocore.exceptions
import botocore.session
import pytest
import trustme
from aiobotocore.credentials import AioRefreshableCredentials

from mailpipe.aws import account
from mailpipe.aws import dynamodb_operations as ddb
from mailpipe.aws import ses_operations as ses
from mailpipe.aws.account import Account
from mailpipe.aws.client import Aws
from mailpipe.outcomes import CallFailed, Kind
from tests.integration.scripted_aws import (
    GET,
    SEND,
    SIDES,
    Sides,
    always,
    answer,
    environment,
    request_of,
)


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

    found = Account("http://x", "us-east-1", "sqs", None, "", Renewing(renew))
    with pytest.raises(CallFailed) as failed:
        await found.credentials()
    assert failed.value.kind is Kind.NOTHING_HAPPENED


async def test_credentials_are_looked_at_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    renewed = iter(["first", "second"])

    async def renew() -> Any:
        return next(renewed)

    found = Account("http://x", "us-east-1", "sqs", None, "", Renewing(renew))
    assert [await found.credentials() for _ in range(3)] == ["first"] * 3
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + account.LOOK_AGAIN_S)
    assert [await found.credentials() for _ in range(3)] == ["second"] * 3


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
