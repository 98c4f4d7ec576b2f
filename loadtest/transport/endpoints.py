"""The endpoints of the demo as items of `WebhookEndpoints`, for servers that answer at once."""

from typing import Any

from infra.local.demo import ENDPOINTS
from loadtest.transport.instant import Reply
from loadtest.transport.queues import answered
from mailpipe.aws.items import to_item
from mailpipe.records import Attributes

TENANT = "default"


def endpoints_at(url: str) -> Reply:
    """Two, both there: the answer to a query."""
    items = [to_item(_endpoint(name, url, types)) for name, types in ENDPOINTS.items()]
    return answered({"Items": items, "Count": len(items), "ScannedCount": len(items)})


def _endpoint(name: str, url: str, types: Any) -> Attributes:
    return {
        "tenant": TENANT,
        "endpoint": name,
        "url": f"{url}/{name}",
        "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "types": list(types),
        "enabled": True,
    }
