"""What a sender needs of AWS, answered at once: a queue that always holds as many mails as its
argument says, send slots, tables that take every write, an SES that takes every mail.
"""

import json
import re
import sys
import time
from typing import Any

from loadtest.transport.instant import Reply
from loadtest.transport.queues import Backlog, answered, written

QUOTA = 10_000
SENDER_ID = "AROABENCHBENCHBENCHBE"
TENANTS = 8


def _mail(number: int) -> str:
    return json.dumps(
        {
            "type": "email.v1",
            "emailId": f"bench-{number}",
            "tenant": f"tenant-{number % TENANTS}",
            "stream": "bulk",
            "queuedAt": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
            "email": {
                "to": [f"customer-{number}@shop-{number % 50}.example"],
                "from": "Shop <noreply@example.com>",
                "subject": f"Your order {number} is on its way",
                "bodyText": "It will be with you by tomorrow evening. " * 12,
                "bodyHtml": "<p>It will be with you by tomorrow evening.</p>" * 8,
                "metadata": {"order": str(number)},
                "tags": {"campaign": "orders"},
            },
        }
    )


class Items:
    """The items of send slots; every other update is answered with nothing."""

    def __init__(self) -> None:
        self._items = dict[str, dict[str, dict[str, str]]]()

    def update(self, request: dict[str, Any]) -> Reply:
        """Additions and assignments. Conditions always hold: there is one sender."""
        name = request["Key"]["id"]["S"]
        item = self._items.setdefault(name, {**request["Key"]})
        names = request.get("ExpressionAttributeNames", {})
        values = request["ExpressionAttributeValues"]
        for target, plus, value in re.findall(
            r"(#\w+) = (?:(#\w+) \+ )?(:\w+)", request["UpdateExpression"]
        ):
            if plus:
                old, new = item[names[plus]]["N"], values[value]["N"]
                item[names[target]] = {"N": str(int(old) + int(new))}
            else:
                item[names[target]] = values[value]
        return answered({"Attributes": item})


def _read(request: dict[str, Any]) -> Reply:
    found = {
        table: [
            {**key, "enabled": {"BOOL": True}}
            for key in (wanted["Keys"] if table.endswith("Access") else ())
        ]
        for table, wanted in request["RequestItems"].items()
    }
    return answered({"Responses": found, "UnprocessedKeys": {}})


def _board(_: dict[str, Any]) -> Reply:
    numbers = {"maxSendRateMilli": QUOTA * 1000, "max24Hour": -1, "sent24Hours": 0, "senders": 1}
    quota = {
        "kind": {"S": "board"},
        "id": {"S": "quota"},
        **{name: {"N": str(number)} for name, number in numbers.items()},
        "sendingEnabled": {"BOOL": True},
        "enforcement": {"S": "HEALTHY"},
        "readAt": {"N": str(int(time.time() * 1000))},
    }
    return answered({"Items": [quota], "Count": 1, "ScannedCount": 1})


def _account(_: dict[str, Any]) -> Reply:
    quota = {"Max24HourSend": -1.0, "MaxSendRate": float(QUOTA), "SentLast24Hours": 0.0}
    return answered({"SendQuota": quota, "SendingEnabled": True, "EnforcementStatus": "HEALTHY"})


def main() -> None:
    """Serve a queue as deep as the argument says."""
    sender = f"{SENDER_ID}:session"
    backlog = Backlog("mail-bulk", int(sys.argv[1]), _mail, SenderId=sender)
    backlog.served(
        BatchExecuteStatement=written,
        BatchGetItem=_read,
        UpdateItem=Items().update,
        Query=_board,
        GetItem=lambda _: answered({}),
        PutItem=lambda _: answered({}),
        GetAccount=_account,
        SendEmail=lambda _: answered({"MessageId": "0100019a-0000-4000-8000-000000000000"}),
    )


if __name__ == "__main__":
    main()
