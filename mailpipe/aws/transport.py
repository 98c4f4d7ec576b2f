"""The typed side of `call(operation, struct) -> struct`: msgspec, SigV4, our own connections.

Where botocore spends 0.6 ms of CPU on a call, this spends about a tenth (`make bench-transport`).
What it leaves out: retries (see `retries.py`), events, and every parameter that our structs
do not have. A client is opened per purpose, so that long polls never starve sends.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from mailpipe.aws import errors, wire
from mailpipe.aws.account import Account
from mailpipe.aws.dates import Dates
from mailpipe.aws.operations import A, Gate, Operation, Q
from mailpipe.aws.sigv4 import Signer
from mailpipe.http.answer import Answer
from mailpipe.http.connection import Broken, Missed, Unsent
from mailpipe.http.connections import Connections
from mailpipe.outcomes import CallFailed

STAMP = "x-monotonic-ns"
"""Put in last before the write, and so not signed (SigV4 covers only the headers it names)."""

KEEP_ALIVE_S = 15.0
"""Below the 20 s after which AWS closes an idle connection: one closed under a send is a doubt."""

MAX_SKEW_S = 60.0
"""AWS takes a signature within 5 minutes; Date has whole seconds."""

_UNREADABLE = (ValueError, wire.Unreadable)
"""msgspec's errors are ValueErrors; so is text that is no UTF-8."""


class _Known(msgspec.Struct, frozen=True):
    """What is the same in all calls of an operation."""

    signer: Signer
    decode: Callable[[bytes], Any]


class TypedClient:
    """The operations of one service, with a pool of connections of its own."""

    def __init__(
        self,
        account: Account,
        connections: Connections,
        *,
        stamped: bool,
        dates: Dates | None,
        upload_bytes_per_s: float | None,
    ) -> None:
        self._account = account
        self._upload_bytes_per_s = upload_bytes_per_s
        self._dates = dates
        self._connections = connections
        self._stamped = stamped
        self._host = urlsplit(account.endpoint).netloc
        self._known = dict[str, _Known]()
        self._skew_s = 0.0

    async def call(self, operation: Operation[Q, A], request: Q, *, gate: Gate | None = None) -> A:
        """One attempt, see Client.call. Raises CallFailed.

        Only when AWS says that our clock is wrong, and its Date says so too, is a call made twice:
        the first was refused at the door.
        """
        known = self._known.get(operation.name) or self._know(operation)
        if self._upload_bytes_per_s is None:
            body = wire.body_of(operation, request)
        else:
            body = await asyncio.to_thread(wire.body_of, operation, request)
        skew_s = self._skew_s
        answer = await self._exchange(operation, known.signer, body, gate)
        if answer.status >= 300:
            failure = wire.error_of(operation, answer)
            if not self._corrects_clock(failure, answer, skew_s):
                raise failure
            answer = await self._exchange(operation, known.signer, body, gate)
            if answer.status >= 300:
                raise wire.error_of(operation, answer)
        try:
            if operation.service == "dynamodb":
                wire.check(answer)
            return known.decode(answer.body or b"{}")  # type: ignore[no-any-return]
        except _UNREADABLE as error:
            raise errors.in_doubt(operation.name, error) from None

    async def _exchange(
        self, operation: Operation[Any, Any], signer: Signer, body: bytes, gate: Gate | None
    ) -> Answer:
        credentials = self._account.lasting or await self._account.credentials()
        sent_s = time.time()
        at_s, upload_s = sent_s + self._skew_s, 0.0
        if self._upload_bytes_per_s is None:
            request = wire.request_of(operation, signer, credentials, body, at_s)
        else:
            parts = (operation, signer, credentials, body, at_s)
            request = await asyncio.to_thread(wire.request_of, *parts)
            upload_s = len(body) / self._upload_bytes_per_s
        try:
            answer = await self._connections.request(
                request,
                max_bytes=operation.max_bytes,
                more_s=upload_s,
                gate=gate,
                at_last=_stamp if self._stamped else None,
            )
        except Missed:
            raise errors.missed(operation.name) from None
        except Unsent as error:
            raise errors.unsent(operation.name, error) from None
        except (Broken, TimeoutError) as error:
            raise errors.in_doubt(operation.name, error) from None
        # What waited at a gate was sent long after this.
        if self._dates is not None and gate is None:
            self._dates.seen(answer.header(b"date"), sent_s, time.time())
        return answer

    def _know(self, operation: Operation[Any, Any]) -> _Known:
        account = self._account
        headers = {"host": self._host, **wire.headers_of(operation)}
        signer = Signer(
            account.signing_name, account.region, operation.method, operation.path, headers
        )
        known = _Known(signer, msgspec.json.Decoder(operation.answer).decode)
        self._known[operation.name] = known
        return known

    def _corrects_clock(self, failure: CallFailed, answer: Answer, signed_with_s: float) -> bool:
        if failure.code not in errors.CLOCK_CODES:
            return False
        try:
            date = parsedate_to_datetime(answer.header(b"date") or "")
        except ValueError:
            return False
        skew_s = date.timestamp() - time.time()
        wrong = abs(skew_s - signed_with_s) > MAX_SKEW_S
        if wrong:
            self._skew_s = skew_s
        return wrong


def _stamp(request: bytes) -> bytes:
    return wire.stamped(request, STAMP, time.monotonic_ns())


@asynccontextmanager
async def open_typed(
    account: Account,
    *,
    connections: int,
    timeout_s: float,
    connect_timeout_s: float,
    stamped: bool,
    dates: Dates | None,
    upload_bytes_per_s: float | None,
) -> AsyncIterator[TypedClient]:
    """A client with a pool of its own; `timeout_s` is for a whole call, its upload not counted."""
    endpoint = urlsplit(account.endpoint)
    secure = endpoint.scheme == "https"
    pool = Connections(
        endpoint.hostname or "",
        endpoint.port or (443 if secure else 80),
        tls=account.tls() if secure else None,
        limit=connections,
        connect_timeout_s=connect_timeout_s,
        timeout_s=timeout_s,
        keep_alive_s=KEEP_ALIVE_S,
    )
    try:
        yield TypedClient(
            account, pool, stamped=stamped, dates=dates, upload_bytes_per_s=upload_bytes_per_s
        )
    finally:
        await pool.aclose()
