"""A server with one fixed answer for each operation, as AWS forms it, and nothing else to do.

It runs in a process of its own, so that the CPU of the bench is the client's alone.
"""

import asyncio
import hashlib
import json
import sys
import zlib
from typing import Any

import uvloop

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


def _response(name: str) -> bytes:
    body = json.dumps(ANSWERS[name], separators=(",", ":")).encode()
    head = (
        "HTTP/1.1 200 OK\r\nServer: Server\r\nDate: Tue, 24 Nov 2026 10:00:00 GMT\r\n"
        "Content-Type: application/x-amz-json-1.0\r\nConnection: keep-alive\r\n"
        f"x-amzn-RequestId: {'A' * 52}\r\nx-amz-crc32: {zlib.crc32(body)}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Server(asyncio.Protocol):
    """One connection: whole requests in, fixed answers out."""

    answers = {name.encode(): _response(name) for name in ANSWERS}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport: Any = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._buffer += data
        while True:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            lower = head.lower()
            length = 0
            if b"content-length:" in lower:
                length = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            self._transport.write(self.answers[_operation(head)])


def _operation(head: bytes) -> bytes:
    first = head.partition(b"\r\n")[0]
    if b"/outbound-emails" in first:
        return b"SendEmail"
    if b"/v2/email/account" in first:
        return b"GetAccount"
    at = head.lower().index(b"x-amz-target:")
    return head[at:].partition(b"\r\n")[0].rpartition(b".")[2]


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)  # until who started it is gone


if __name__ == "__main__":
    uvloop.run(_serve())
