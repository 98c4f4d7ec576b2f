"""The botocore side of `call(operation, struct) -> struct`: one function for every operation.

Ten times slower than the typed side and held equal to it by tests (`tests/integration/
test_transports*.py`); `MAILPIPE_AWS_CLIENT=botocore` chooses it, should the typed side ever fail.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
import botocore.exceptions
import msgspec
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from mailpipe.aws import errors
from mailpipe.aws.dates import Dates
from mailpipe.aws.operations import A, Gate, Operation, Q
from mailpipe.aws.transport import STAMP

_UNSENT = (
    botocore.exceptions.ConnectTimeoutError,
    botocore.exceptions.SSLError,
    botocore.exceptions.ProxyConnectionError,
)
_NOT_CONNECTED = (aiohttp.ClientConnectorError, socket.gaierror)


class BotocoreClient:
    """The operations of one service over an aiobotocore client."""

    def __init__(self, client: Any, timeout_s: float, dates: Dates | None) -> None:
        self._client = client
        self._dates = dates
        self._timeout_s = timeout_s

    async def call(self, operation: Operation[Q, A], request: Q, *, gate: Gate | None = None) -> A:
        """See Client.call. botocore lets nobody in between its signature and its write: a gate
        stands before both, so that half a millisecond, or a new connection, comes after its yes.
        """
        members = msgspec.to_builtins(request, builtin_types=(bytes,), enc_hook=msgspec.json.decode)
        if gate is not None and not await gate():
            raise errors.missed(operation.name)
        sent_s = time.time()
        with told(operation.name):
            async with asyncio.timeout(self._timeout_s):
                answer = await self._client._make_api_call(operation.name, members)
            if self._dates is not None:
                headers = answer["ResponseMetadata"]["HTTPHeaders"]
                self._dates.seen(headers.get("date"), sent_s, time.time())
            return msgspec.convert(answer, operation.answer)
        raise AssertionError("told() lets nothing pass")


@contextmanager
def told(operation: str) -> Iterator[None]:
    """What botocore raises, as a CallFailed."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        said, status = error.response, error.response["ResponseMetadata"]["HTTPStatusCode"]
        reasons = [one.get("Code", "None") for one in said.get("CancellationReasons", [])]
        raise errors.answered(
            operation,
            said["Error"].get("Code") or str(status),
            said["Error"].get("Message") or "",
            status,
            item=said.get("Item"),
            reasons=[code for code in reasons if code != "None"],
        ) from None
    except _UNSENT as error:
        raise errors.unsent(operation, error) from None
    except botocore.exceptions.EndpointConnectionError as error:
        # So aiobotocore calls a reset in the middle of a request too.
        unsent = isinstance(error.kwargs.get("error"), _NOT_CONNECTED)
        raise (errors.unsent if unsent else errors.in_doubt)(operation, error) from None
    except (botocore.exceptions.BotoCoreError, aiohttp.ClientError, OSError, ValueError) as error:
        raise errors.in_doubt(operation, error) from None


@asynccontextmanager
async def open_botocore(
    session: AioSession,
    service: str,
    config: AioConfig,
    *,
    timeout_s: float,
    stamped: bool,
    dates: Dates | None,
) -> AsyncIterator[BotocoreClient]:
    """A client with a pool of its own."""
    async with session.create_client(service, config=config) as client:
        if stamped:
            client.meta.events.register("before-send", _stamp)
        yield BotocoreClient(client, timeout_s, dates)


def _stamp(request: Any, **_: Any) -> None:
    request.headers[STAMP] = str(time.monotonic_ns())
