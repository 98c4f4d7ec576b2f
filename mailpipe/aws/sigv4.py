"""AWS Signature Version 4 (IAM User Guide, "Create a signed AWS API request"). Pure.

Only what our calls need: a body in hand, no query string, a path without dot segments. botocore's
signer gives the same signature (`tests/unit/test_sigv4.py`) for many times the CPU, most of which
goes into deriving the day's key, into header objects, and into doing again for each request what is
the same in all requests of an operation.
"""

import hmac
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Protocol
from urllib.parse import quote

from msgspec import Struct

from mailpipe.keyed import HmacSha256, hmac_sha256

ALGORITHM = "AWS4-HMAC-SHA256"
_DATE = "x-amz-date"


class Credentials(Protocol):
    """An access key; `token` is set for temporary ones. What is renewed is another object."""

    access_key: str
    secret_key: str
    token: str | None


class _Common(Struct, frozen=True):
    """What requests under the same credentials have in common for a day."""

    credentials: Credentials | None
    day: str
    before: str
    """The canonical request, as far as the value of its date, """
    after: str
    """and from there to the hash of the body."""
    scope: str
    digest: HmacSha256
    lines: str
    """The headers as they go over the wire, as far as the value of the date, """
    proof: str
    """and from there to the signature."""


class Signer:
    """Signs requests of one service in one region that differ only in their bodies.

    Names in `headers` are lower-case and `host` is among them; `path` is as it goes over the wire
    (percent-encoded).
    """

    def __init__(
        self, service: str, region: str, method: str, path: str, headers: Mapping[str, str]
    ) -> None:
        self._service = service
        self._region = region
        # The path encoded once more, as every service but S3 wants it.
        self._first = f"{method}\n{quote(path, safe='/-_.~')}\n\n"
        self._headers = headers
        self._common = _Common(None, "", "", "", "", hmac_sha256(b""), "", "")

    def sign(self, credentials: Credentials, body: bytes, *, at_s: float) -> str:
        """The lines of the headers, with those that prove who sends them; `at_s`: epoch seconds."""
        stamp = _stamp_of(int(at_s))
        common = self._common  # replaced whole: large requests are signed in threads
        if common.credentials is not credentials or common.day != stamp[:8]:
            common = self._common = self._common_of(credentials, stamp[:8])
        canonical = f"{common.before}{stamp}{common.after}{sha256(body).hexdigest()}"
        hashed = sha256(canonical.encode()).hexdigest()
        text = f"{ALGORITHM}\n{stamp}\n{common.scope}\n{hashed}"
        signature = common.digest(text.encode()).hex()
        return f"{common.lines}{stamp}{common.proof}{signature}\r\n"

    def _common_of(self, credentials: Credentials, day: str) -> _Common:
        headers = dict(self._headers)
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        names = sorted([*headers, _DATE])
        at = names.index(_DATE)
        listed = ";".join(names)
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        return _Common(
            credentials,
            day,
            before=f"{self._first}{_canonical(headers, names[:at])}{_DATE}:",
            after=f"\n{_canonical(headers, names[at + 1 :])}\n{listed}\n",
            scope=scope,
            digest=hmac_sha256(self._key(credentials.secret_key, day)),
            lines="".join([f"{name}: {value}\r\n" for name, value in headers.items()])
            + f"{_DATE}: ",
            proof=f"\r\nauthorization: {ALGORITHM} Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={listed}, Signature=",
        )

    def _key(self, secret: str, day: str) -> bytes:
        key = f"AWS4{secret}".encode()
        for part in (day, self._region, self._service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return key


def _canonical(headers: Mapping[str, str], names: Iterable[str]) -> str:
    return "".join([f"{name}:{' '.join(headers[name].split())}\n" for name in names])


@lru_cache(maxsize=8)  # many requests are signed in a second
def _stamp_of(at_s: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at_s))
