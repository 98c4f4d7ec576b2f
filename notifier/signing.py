"""Signatures by Standard Webhooks 1.0.0 (symmetric, `v1`). Pure."""

import base64
from functools import lru_cache

from mailpipe.keyed import HmacSha256, hmac_sha256

PREFIX = "whsec_"


def key_of(secret: str) -> bytes:
    """The key bytes of a secret as it is shown (`whsec_` + base64). Raises ValueError."""
    if not secret.startswith(PREFIX):
        raise ValueError("a webhook secret starts with whsec_")
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


def headers(
    webhook_id: str, body: bytes, *, secrets: list[str], timestamp_s: int
) -> dict[str, str]:
    """The three headers of one attempt: the id stays, the timestamp is the attempt's.

    One signature per secret, so that a receiver with the old or the new one verifies during a
    rotation. The body must be posted byte for byte as it was signed.
    """
    content = f"{webhook_id}.{timestamp_s}.".encode() + body
    signatures = [f"v1,{base64.b64encode(_keyed(one)(content)).decode()}" for one in secrets]
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(signatures),
    }


@lru_cache(maxsize=4096)  # an endpoint gets many webhooks
def _keyed(secret: str) -> HmacSha256:
    return hmac_sha256(key_of(secret))
