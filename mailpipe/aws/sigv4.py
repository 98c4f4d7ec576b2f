"""AWS Signature Version 4 (IAM User Guide, "Create a signed AWS API request"). Pure.

Only what our calls need: a body in hand, no query string, a path without dot segments. botocore's
signer gives the same signature (`tests/unit/test_sigv4.py`) for many times the CPU, most of which
goes into deriving the day's key and into header objects.
"""

import hmac
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Protocol
from urllib.parse import quote

from mailpipe.keyed import HmacSha256, hmac_sha256

ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(Protocol):
    """An access key; `token` is set for temporary ones."""

    access_key: str
    secret_key: str
    token: str | None


class Signer:
    """Signs the requests of one service in one region."""

    def __init__(self, service: str, region: str) -> None:
        self._service = service
        self._region = region
        self._stamp = (-1, "")
        self._hmac = ("", "", hmac_sha256(b""))
        self._paths = dict[str, str]()

    def sign(
        self,
        credentials: Credentials,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        at_s: float,
    ) -> dict[str, str]:
        """The headers with those that prove who sends them.

        Names in `headers` are lower-case and `host` is among them; `path` is as it goes over the
        wire (percent-encoded), `at_s` epoch seconds.
        """
        stamp = self._stamp_of(int(at_s))
        signed = {**headers, "x-amz-date": stamp}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        names = sorted(signed)
        listed = ";".join(names)
        values = "".join([f"{name}:{' '.join(signed[name].split())}\n" for name in names])
        digest = sha256(body).hexdigest()
        canonical = f"{method}\n{self._canonical(path)}\n\n{values}\n{listed}\n{digest}"
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        text = f"{ALGORITHM}\n{stamp}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = self._keyed(credentials.secret_key, stamp[:8])(text.encode()).hex()
        signed["authorization"] = (
            f"{ALGORITHM} Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={listed}, Signature={signature}"
        )
        return signed

    def _stamp_of(self, at_s: int) -> str:
        known = self._stamp  # replaced whole: large requests are signed in threads
        if known[0] != at_s:
            known = self._stamp = (at_s, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at_s)))
        return known[1]

    def _keyed(self, secret: str, day: str) -> HmacSha256:
        """The HMAC under the signing key, which takes four HMACs to make and is good for a day."""
        known = self._hmac
        if known[:2] != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            known = self._hmac = (secret, day, hmac_sha256(key))
        return known[2]

    def _canonical(self, path: str) -> str:
        """The path encoded once more, as every service but S3 wants it."""
        known = self._paths.get(path)
        if known is None:
            known = self._paths[path] = quote(path, safe="/-_.~")
        return known
