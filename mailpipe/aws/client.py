"""`call(operation, struct) -> struct`, by one of two sides that are held equal by tests.

Neither side repeats anything by itself; see `retries.py`.
"""

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from mailpipe import logs, metrics
from mailpipe.aws.account import Account, find_account
from mailpipe.aws.botocore_client import open_botocore
from mailpipe.aws.dates import Dates, Tell
from mailpipe.aws.operations import A, Gate, Operation, Q
from mailpipe.aws.transport import open_typed
from mailpipe.instruments import Distribution
from mailpipe.outcomes import MISSED, CallFailed

Side = Literal["typed", "botocore"]

CONNECT_TIMEOUT_S = 3.0
LARGEST_REQUEST_BYTES = 56_000_000
"""A mail of SES's 40 MB, in base64."""
log = logs.get()


class Client(Protocol):
    """Anything that can carry out an operation."""

    async def call(self, operation: Operation[Q, A], request: Q, *, gate: Gate | None = None) -> A:
        """One attempt. Raises CallFailed.

        With a gate everything is made ready first, then the gate is awaited (again, when the
        connection was lost meanwhile). Its True is followed by the write, and by nothing that
        another task could come between; its False is a CallFailed with the code MISSED. The time
        that the call may take counts from the write.
        """
        ...


class Measured:
    """A client whose calls are counted and timed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seconds = dict[str, Distribution]()

    async def call(self, operation: Operation[Q, A], request: Q, *, gate: Gate | None = None) -> A:
        """See Client.call. What waits at the gate, or stays there, is no call yet."""
        seconds = self._seconds.get(operation.name)
        if seconds is None:
            seconds = metrics.AWS_CALL_SECONDS.labels(operation.service, operation.name)
            self._seconds[operation.name] = seconds
        begun_s = time.perf_counter()
        try:
            answer = await self._client.call(operation, request, gate=gate)
        except CallFailed as failed:
            if failed.code != MISSED:
                kind = failed.kind.value
                metrics.AWS_FAILURES.labels(operation.service, operation.name, kind).inc()
                seconds.observe(time.perf_counter() - _write_s(gate, begun_s))
            raise
        seconds.observe(time.perf_counter() - _write_s(gate, begun_s))
        return answer


def _write_s(gate: Gate | None, begun_s: float) -> float:
    """When the request was written: at the gate's yes, or else at once."""
    return begun_s if gate is None or gate.opened_s is None else gate.opened_s


class Aws:
    """Opens clients, and closes them all at its end.

    Region, credentials and endpoints come from the environment, as for any AWS SDK. Where that
    names a proxy, botocore goes through it (the typed side knows none). `stamped`: sends say when
    they were sent, for a simulator on this machine. `on_date` hears of the Date of every answer of
    DynamoDB and SES; queues are left out, where an answer may come long after it was asked for.
    """

    def __init__(
        self, side: Side = "typed", *, stamped: bool = False, on_date: Tell | None = None
    ) -> None:
        self._side = side
        self._dates = None if on_date is None else Dates(on_date)
        self._stamped = stamped
        self._session = AioSession()
        self._accounts = dict[str, Account]()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def client(
        self,
        service: str,
        *,
        connections: int,
        timeout_s: float,
        upload_bytes_per_s: float | None = None,
    ) -> Client:
        """A client whose pool holds `connections`, for one purpose: long polls must never starve
        sends. `timeout_s` is for a whole call. Raises CallFailed when there is no account.

        `upload_bytes_per_s` is for large requests: they are made ready in threads, and have on top
        the time that they need at this rate.

        Keep calls in flight below `connections`: a call has a third of its time (at most
        CONNECT_TIMEOUT_S) to get one.
        """
        opened: AbstractAsyncContextManager[Client]
        stamped = self._stamped and service == "sesv2"
        dates = self._dates if service in ("dynamodb", "sesv2") else None
        account = await self._account(service)
        if self._side == "typed" and account.proxy is None:
            opened = open_typed(
                account,
                connections=connections,
                timeout_s=timeout_s,
                connect_timeout_s=_connect_timeout_s(timeout_s),
                stamped=stamped,
                dates=dates,
                upload_bytes_per_s=upload_bytes_per_s,
            )
        else:
            if self._side == "typed":
                log.warning("proxy_in_between", service=service, fallback="botocore")
            if upload_bytes_per_s is not None:
                # The size is known only when botocore has encoded it: the longest, for all.
                timeout_s += LARGEST_REQUEST_BYTES / upload_bytes_per_s
            config = _config(connections=connections, timeout_s=timeout_s)
            opened = open_botocore(
                self._session, service, config, timeout_s=timeout_s, stamped=stamped, dates=dates
            )
        return Measured(await self._open.enter_async_context(opened))

    def botocore(
        self, service: str, *, connections: int, timeout_s: float
    ) -> AbstractAsyncContextManager[Any]:
        """An aiobotocore client by itself, not yet open; its owner closes it."""
        config = _config(connections=connections, timeout_s=timeout_s)
        opened: AbstractAsyncContextManager[Any] = self._session.create_client(
            service, config=config
        )
        return opened

    def at_close(self, close: Callable[[], Awaitable[None]]) -> None:
        """Call this at the end, before the clients that are open now are closed."""
        self._open.push_async_callback(close)

    async def _account(self, service: str) -> Account:
        if service not in self._accounts:
            self._accounts[service] = await find_account(self._session, service)
        return self._accounts[service]


def _connect_timeout_s(timeout_s: float) -> float:
    return min(CONNECT_TIMEOUT_S, timeout_s / 3)


def _config(*, connections: int, timeout_s: float) -> AioConfig:
    return AioConfig(
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=connections,
        connect_timeout=_connect_timeout_s(timeout_s),
        read_timeout=timeout_s,
        tcp_keepalive=True,
        parameter_validation=False,  # our structs are typed; checking again costs 80 µs
    )
