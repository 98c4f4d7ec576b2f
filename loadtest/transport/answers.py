"""One fixed answer for each operation, as AWS forms it."""

import hashlib
import json
from typing import Any

from loadtest.transport.instant import response, serve

BODY = json.dumps({"type": "email.v1", "text": "x" * 1_150})
RECORD: dict[str, Any] = {
    "emailId": {"S": "019a0000-0000-7000-8000-000000000000"},
    "tenant": {"S": "default"},
    "status": {"S": "pending"},
    "rank": {"N": "0"},
    "attempt": {"N": "1"},
    "leaseUntil": {"N": "1764000000000"},
    "to": {"L": [{"S": "someone@example.net"}]},
    "ids": {"M": {"a1": {"S": "0100019a-0000-4000-8000-000000000000-000000"}}},
    "subject": {"S": "Order 7 shipped"},
    "metadata": {"S": '{"order":"7"}'},
}


def _sent(index: int) -> dict[str, str]:
    md5 = hashlib.md5(BODY.encode(), usedforsecurity=False).hexdigest()
    return {"Id": str(index), "MessageId": f"m{index}", "MD5OfMessageBody": md5}


def _message(index: int) -> dict[str, Any]:
    return {
        "MessageId": f"019a0000-0000-7000-8000-00000000000{index}",
        "ReceiptHandle": "r" * 180,
        "Body": BODY,
        "MD5OfBody": _sent(index)["MD5OfMessageBody"],
        "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1764000000000"},
    }


ANSWERS: dict[str, Any] = {
    "SendMessageBatch": {"Successful": [_sent(index) for index in range(10)]},
    "ReceiveMessage": {"Messages": [_message(index) for index in range(10)]},
    "DeleteMessageBatch": {"Successful": [{"Id": str(index)} for index in range(10)]},
    "ChangeMessageVisibilityBatch": {"Successful": [{"Id": str(index)} for index in range(10)]},
    "GetQueueAttributes": {"Attributes": {"ApproximateNumberOfMessages": "7"}},
    "GetItem": {"Item": RECORD},
    "BatchGetItem": {"Responses": {"t": [RECORD] * 25}, "UnprocessedKeys": {}},
    "Query": {"Items": [RECORD] * 10, "Count": 10, "ScannedCount": 10},
    "PutItem": {},
    "UpdateItem": {"Attributes": RECORD},
    "BatchWriteItem": {"UnprocessedItems": {}},
    "BatchExecuteStatement": {"Responses": [{"TableName": "t"}] * 25},
    "TransactWriteItems": {},
    "SendEmail": {"MessageId": "0100019a-0000-4000-8000-000000000000-000000"},
    "GetAccount": {
        "SendQuota": {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": 7.0},
        "SendingEnabled": True,
    },
}


RESPONSES = {
    name.encode(): response(json.dumps(one, separators=(",", ":")).encode())
    for name, one in ANSWERS.items()
}

if __name__ == "__main__":
    serve(lambda operation, _: RESPONSES[operation])
