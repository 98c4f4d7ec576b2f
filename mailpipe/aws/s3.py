"""Objects of one bucket in S3, for what is too large for a queue message.

By botocore: not one mail in a thousand comes by here. The client is made when it is first needed,
for that takes 60 ms and 7 MB.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from functools import partial
from typing import Any, Protocol

from mailpipe import metrics
from mailpipe.aws.botocore_client import told
from mailpipe.aws.client import Aws
from mailpipe.aws.retries import repeated
from mailpipe.outcomes import CallFailed

CONNECTIONS = 16
_MISSING = "NoSuchKey"


class Bucket(Protocol):
    """Where bodies lie."""

    async def put(self, key: str, body: bytes) -> None:
        """Durable when this returns; the same again is harmless. Raises CallFailed."""
        ...

    async def get(self, key: str, *, max_bytes: int) -> bytes | None:
        """The object, or None when there is none. Raises CallFailed, and TooLarge before any more
        than that is read.
        """
        ...


class TooLarge(Exception):
    """The object is larger than it may be."""


class S3Bucket:
    """A bucket of the account; `timeout_s` is for a whole call."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], AbstractAsyncContextManager[Any]],
        *,
        timeout_s: float,
    ) -> None:
        self._name = name
        self._connect = connect
        self._timeout_s = timeout_s
        self._connecting = asyncio.Lock()
        self._client: Any = None
        self._open = AsyncExitStack()

    async def close(self) -> None:
        """End the connections."""
        await self._open.aclose()

    async def put(self, key: str, body: bytes) -> None:
        """See Bucket.put."""
        client = await self._connected()

        async def attempt() -> None:
            with self._call("PutObject"):
                async with asyncio.timeout(self._timeout_s):
                    await client.put_object(
                        Bucket=self._name, Key=key, Body=body, ContentType="application/json"
                    )

        await repeated(attempt)

    async def get(self, key: str, *, max_bytes: int) -> bytes | None:
        """See Bucket.get."""
        client = await self._connected()

        async def attempt() -> bytes:
            with self._call("GetObject"):
                async with asyncio.timeout(self._timeout_s):
                    found = await client.get_object(Bucket=self._name, Key=key)
                    async with found["Body"] as stream:
                        if found["ContentLength"] > max_bytes:
                            stream.close()
                            raise TooLarge(f"{found['ContentLength']} bytes")
                        return bytes(await stream.read())

        try:
            return await repeated(attempt)
        except CallFailed as failed:
            if failed.code == _MISSING:
                return None
            raise

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._client is None:
                self._client = await self._open.enter_async_context(self._connect())
        return self._client

    @contextmanager
    def _call(self, operation: str) -> Iterator[None]:
        """Timed and counted, its failure told as a CallFailed."""
        begun = time.perf_counter()
        try:
            with told(operation):
                yield
        except CallFailed as failed:
            metrics.bound(metrics.AWS_FAILURES, "s3", operation, failed.kind.value).inc()
            raise
        finally:
            spent_s = time.perf_counter() - begun
            metrics.bound(metrics.AWS_CALL_SECONDS, "s3", operation).observe(spent_s)


def open_bucket(opened: Aws, name: str, *, timeout_s: float) -> S3Bucket:
    """A bucket that connects when it is first used, and is closed with `opened`."""
    connect = partial(opened.botocore, "s3", connections=CONNECTIONS, timeout_s=timeout_s)
    bucket = S3Bucket(name, connect, timeout_s=timeout_s)
    opened.at_close(bucket.close)
    return bucket
