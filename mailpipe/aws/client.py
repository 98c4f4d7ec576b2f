"""`call(operation, struct) -> struct` over aiobotocore.

One client per service and purpose, so that long polls never starve sends. botocore's own retries
are off: a send must never be repeated by a library (SES has no idempotency token), and what may be
repeated is repeated in one layer, here, by tenacity, only after a first plain attempt has failed.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import botocore.exceptions
import msgspec
import tenacity
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from msgspec import Struct

from mailpipe.aws.errors import classify
from mailpipe.aws.operations import Operation
from mailpipe.outcomes import CallFailed, Kind

Q = TypeVar("Q", bound=Struct)
A = TypeVar("A", bound=Struct)

STAMP = "X-Monotonic-Ns"
"""Not signed: it is put in last before the write (SigV4 covers only the headers it names)."""
_NOT_SENT = (
    botocore.exceptions.EndpointConnectionError,
    botocore.exceptions.ConnectTimeoutError,
    botocore.exceptions.SSLError,
    botocore.exceptions.ProxyConnectionError,
)


class Client(Protocol):
    """Anything that can carry out an operation."""

    async def call(self, operation: Operation[Q, A], request: Q) -> A:
        """One attempt. Raises CallFailed."""
        ...


class BotocoreClient:
    """The operations of one service over an aiobotocore client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def call(self, operation: Operation[Q, A], request: Q) -> A:
        """One attempt. Raises CallFailed."""
        members = msgspec.to_builtins(request, builtin_types=(bytes,))
        try:
            answer = await self._client._make_api_call(operation.name, members)
        except botocore.exceptions.ClientError as error:
            details = error.response["Error"]
            code, text = details.get("Code", "Unknown"), details.get("Message", "")
            status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
            kind = classify(code, text, status)
            raise CallFailed(kind, code, text, operation=operation.name) from None
        except (botocore.exceptions.BotoCoreError, OSError) as error:
            kind = Kind.NOTHING_HAPPENED if isinstance(error, _NOT_SENT) else Kind.IN_DOUBT
            raise CallFailed(
                kind, type(error).__name__, str(error), operation=operation.name
            ) from error
        return msgspec.convert(answer, operation.answer)


@asynccontextmanager
async def open_client(
    service: str,
    *,
    connections: int,
    timeout_s: float,
    connect_timeout_s: float = 3.0,
    stamped: bool = False,
) -> AsyncIterator[BotocoreClient]:
    """A client whose pool holds `connections`; `timeout_s` is per socket read. `stamped`: requests
    say when they were sent, for a simulator on this machine.

    Keep calls in flight below `connections`: a request is signed before it waits for a connection,
    and the wait has no limit. Region, credentials and endpoints come from the environment.
    """
    config = AioConfig(
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=connections,
        connect_timeout=connect_timeout_s,
        read_timeout=timeout_s,
        tcp_keepalive=True,
        parameter_validation=False,  # our structs are typed; checking again costs 80 µs a call
    )
    async with AioSession().create_client(service, config=config) as client:
        if stamped:
            client.meta.events.register("before-send", _stamp)
        yield BotocoreClient(client)


def _stamp(request: Any, **_: Any) -> None:
    request.headers[STAMP] = str(time.monotonic_ns())


_again = tenacity.AsyncRetrying(
    retry=tenacity.retry_if_exception(
        lambda error: isinstance(error, CallFailed) and error.repeatable
    ),
    wait=tenacity.wait_random_exponential(multiplier=0.05, max=1.0),
    stop=tenacity.stop_after_attempt(4),
    reraise=True,
)


async def call_again(client: Client, operation: Operation[Q, A], request: Q) -> A:
    """Call an operation that is harmless to repeat: a plain attempt, then up to four more.

    Raises the last CallFailed. Never for SendEmail.
    """
    try:
        return await client.call(operation, request)
    except CallFailed as error:
        if not error.repeatable:
            raise
    return await _again.copy()(client.call, operation, request)
