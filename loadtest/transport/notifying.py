"""What a notifier needs of AWS, answered at once: a queue that always holds as many webhooks as its
first argument says, to the endpoints of a tenant, which are all at the URL of its second.
"""

import json
import sys

from infra.local.demo import ENDPOINTS
from loadtest.transport.endpoints import TENANT, endpoints_at
from loadtest.transport.queues import Backlog, stamp


def webhook(number: int) -> str:
    """Of a delivery, to the endpoints in turn."""
    mail, place = divmod(number, len(ENDPOINTS))
    recipient = f"customer-{mail}@shop-{mail % 50}.example"
    said = {
        "type": "email.delivered",
        "emailId": f"019a0000-0000-7000-8000-{mail:012d}",
        "event": "delivery",
        "timestamp": stamp(),
        "recipient": recipient,
        "recipients": [recipient],
        "details": {
            "smtpResponse": "250 2.0.0 OK 1763633732 x5-20020a mx.example.net",
            "reportingMTA": "a8-31.smtp-out.amazonses.com",
            "processingTimeMillis": 2489,
        },
        "metadata": {"order": str(mail)},
    }
    message = {
        "type": "webhook.v1",
        "webhookId": f"msg_{number:032x}",
        "tenant": TENANT,
        "endpoint": list(ENDPOINTS)[place],
        "eventType": "email.delivered",
        "event": said,
        "attempt": 1,
        "firstAttemptAt": 0,
    }
    return json.dumps(message, separators=(",", ":"))


def main() -> None:
    """Serve a queue as deep as the first argument says."""
    backlog = Backlog("webhooks", int(sys.argv[1]), webhook)
    endpoints = endpoints_at(sys.argv[2])
    backlog.served(Query=lambda _: endpoints)


if __name__ == "__main__":
    main()
