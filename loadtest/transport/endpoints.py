"""The endpoints of the demo as items of `WebhookEndpoints`, for servers that answer at once."""

from infra.local.demo import ENDPOINTS
from loadtest.transport.instant import Reply
from loadtest.transport.queues import answered, item

TENANT = "default"


def endpoints_at(url: str) -> Reply:
    """All of them, there: the answer to a query."""
    items = [
        item(
            tenant=TENANT,
            endpoint=name,
            url=f"{url}/{name}",
            secrets=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
            types=list(types),
        )
        for name, types in ENDPOINTS.items()
    ]
    return answered({"Items": items, "Count": len(items), "ScannedCount": len(items)})
