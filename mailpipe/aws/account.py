"""Whose account, which region, which endpoint: found by aiobotocore as by any AWS SDK.

Environment, profiles, container and instance roles, `AWS_ENDPOINT_URL_…`: all of it and the refresh
of temporary credentials are aiobotocore's; a call then costs no more than a look.
"""

import asyncio
import ssl
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import botocore.exceptions
from aiobotocore.credentials import AioRefreshableCredentials
from aiobotocore.session import AioSession
from botocore.httpsession import get_cert_path

from mailpipe.aws.sigv4 import Credentials
from mailpipe.outcomes import CallFailed, Kind

CREDENTIALS_TIMEOUT_S = 3.0
LOOK_AGAIN_S = 1.0
"""Renewed credentials are looked at so often: they are renewed minutes before they end, and a look
costs more than a signature.
"""
_NOT_RENEWED = (
    botocore.exceptions.BotoCoreError,
    botocore.exceptions.ClientError,  # STS says no
    OSError,
    TimeoutError,
)


@dataclass
class Account:
    """Where the calls to one service go, and who signs them."""

    endpoint: str
    region: str
    signing_name: str
    proxy: str | None
    ca_bundle: str
    _source: Any = field(repr=False)
    lasting: Credentials | None = field(repr=False, default=None)
    """Those that are never renewed."""
    _found: Credentials | None = field(repr=False, default=None, init=False)
    _look_at_s: float = field(default=0.0, init=False)

    async def credentials(self) -> Credentials:
        """Valid for some minutes at least. Raises CallFailed when they cannot be renewed in time:
        whoever renews them waits, and nothing has been sent.
        """
        if self.lasting is not None:
            return self.lasting
        now = time.monotonic()
        if self._found is None or now >= self._look_at_s:
            self._found = await self._looked_at()
            self._look_at_s = now + LOOK_AGAIN_S
        return self._found

    async def _looked_at(self) -> Credentials:
        try:
            async with asyncio.timeout(CREDENTIALS_TIMEOUT_S):
                return await self._source.get_frozen_credentials()  # type: ignore[no-any-return]
        except _NOT_RENEWED as error:
            raise CallFailed(Kind.NOTHING_HAPPENED, type(error).__name__) from None

    def tls(self) -> ssl.SSLContext:
        """Certificates are checked against AWS_CA_BUNDLE, or those that come with botocore."""
        return ssl.create_default_context(cafile=self.ca_bundle)


async def find_account(session: AioSession, service: str) -> Account:
    """The account that this process runs in. Raises CallFailed when no credentials are found."""
    source = await session.get_credentials()
    if source is None:
        text = "no AWS credentials were found: set AWS_ACCESS_KEY_ID, AWS_PROFILE or a role"
        raise CallFailed(Kind.CONFIGURATION, "NoCredentials", text)
    try:
        async with session.create_client(service) as client:
            meta = client.meta
    except botocore.exceptions.NoRegionError as error:
        raise CallFailed(Kind.CONFIGURATION, "NoRegion", f"{error}: set AWS_REGION") from None
    renewed = isinstance(source, AioRefreshableCredentials)
    return Account(
        endpoint=meta.endpoint_url,
        region=meta.region_name,
        signing_name=meta.service_model.signing_name,
        proxy=_proxy(meta.endpoint_url),
        ca_bundle=session.get_config_variable("ca_bundle") or get_cert_path(True),
        _source=source,
        lasting=None if renewed else await source.get_frozen_credentials(),
    )


def _proxy(endpoint: str) -> str | None:
    """The proxy that the environment names for this endpoint: looked up once, not per call."""
    parts = urlsplit(endpoint)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)
