"""What the two doors need of AWS, answered at once: queues and a bucket that take
everything, tables that have the API keys and nothing else.
"""

import hashlib
import json
from typing import Any

from loadtest.transport.instant import response, serve


def _queue_url(request: dict[str, Any]) -> dict[str, Any]:
    return {"QueueUrl": f"http://127.0.0.1/000000000000/{request['QueueName']}"}


def _sent(request: dict[str, Any]) -> dict[str, Any]:
    return {
        "Successful": [
            {
                "Id": entry["Id"],
                "MessageId": f"m{entry['Id']}",
                "MD5OfMessageBody": hashlib.md5(
                    entry["MessageBody"].encode(), usedforsecurity=False
                ).hexdigest(),
            }
            for entry in request["Entries"]
        ]
    }


def _written(request: dict[str, Any]) -> dict[str, Any]:
    return {"Responses": [{"TableName": "t"} for _ in request["Statements"]]}


def _read(request: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for table, wanted in request["RequestItems"].items():
        keys = wanted["Keys"] if table.endswith("Access") else []
        found[table] = [_key(key) for key in keys if key["kind"]["S"] == "key"]
    return {"Responses": found, "UnprocessedKeys": {}}


def _key(key: dict[str, Any]) -> dict[str, Any]:
    return {
        **key,
        "tenant": {"S": "default"},
        "scopes": {"L": [{"S": scope} for scope in ("send", "read", "admin")]},
        "enabled": {"BOOL": True},
    }


def _none(_: dict[str, Any]) -> dict[str, Any]:
    return {"Items": [], "Count": 0, "ScannedCount": 0}


ANSWERS = {
    b"GetQueueUrl": _queue_url,
    b"SendMessageBatch": _sent,
    b"BatchExecuteStatement": _written,
    b"BatchGetItem": _read,
    b"Query": _none,
}


def _answer(operation: bytes, body: bytes) -> bytes:
    if operation == b"PutObject":
        return response(b"")
    return response(json.dumps(ANSWERS[operation](json.loads(body))).encode())


if __name__ == "__main__":
    serve(_answer)
