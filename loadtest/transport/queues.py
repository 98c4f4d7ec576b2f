"""A queue with a backlog, and what else servers have in common that answer at once.

A backlog costs nothing, however deep: its messages are made when they are received.
"""

import hashlib
import itertools
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from loadtest.transport.instant import Later, Reply, response, serve

Answers = Callable[[dict[str, Any]], Reply]

NOTHING_S = 1.0
"""A poll that finds nothing ends after so long."""
TOP_UP_S = 0.01
"""A producer looks so often how many wait."""


class Backlog:
    """So many messages wait whenever its producer has looked, as SQS counts them: those in hand are
    none of them (SQS API reference, "GetQueueAttributes"). All other queues are empty.

    `body` makes that of message number 0, 1, …; `more` are attributes that SQS adds.
    """

    def __init__(self, queue: str, depth: int, body: Callable[[int], str], **more: str) -> None:
        self._queue = queue
        self._depth = self._waiting = depth
        self._looked_s = time.monotonic()
        self._body = body
        self._more = more
        self._numbers = itertools.count()

    def receive(self, request: dict[str, Any]) -> Reply:
        """Up to as many as are asked for."""
        if not request["QueueUrl"].endswith(self._queue):
            return Later(NOTHING_S, lambda: answered({}))
        now_s = time.monotonic()
        if now_s >= self._looked_s + TOP_UP_S:
            self._looked_s, self._waiting = now_s, self._depth
        if not self._waiting:
            return Later(TOP_UP_S, lambda: self.receive(request))
        count = min(request["MaxNumberOfMessages"], self._waiting)
        self._waiting -= count
        return answered({"Messages": [self._message(next(self._numbers)) for _ in range(count)]})

    def served(self, **answers: Answers) -> None:
        """Serve the queues, and what else is answered, by the name of the operation."""
        of_queues: dict[str, Answers] = {
            "GetQueueUrl": queue_url,
            "ReceiveMessage": self.receive,
            "DeleteMessageBatch": well,
            "SendMessageBatch": well,
            "ChangeMessageVisibilityBatch": well,
        }
        named = {name.encode(): one for name, one in (of_queues | answers).items()}
        serve(lambda operation, body: named[operation](json.loads(body or b"{}")))

    def _message(self, number: int) -> dict[str, Any]:
        body = self._body(number)
        return {
            "MessageId": f"m{number}",
            "ReceiptHandle": f"{number}-" + "r" * 180,
            "Body": body,
            "MD5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
            "Attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": str(int(time.time() * 1000)),
                **self._more,
            },
        }


def queue_url(request: dict[str, Any]) -> Reply:
    """There is a queue of every name."""
    return answered({"QueueUrl": f"http://127.0.0.1/0/{request['QueueName']}"})


def well(request: dict[str, Any]) -> Reply:
    """Every entry has succeeded."""
    return answered({"Successful": [{"Id": one["Id"]} for one in request["Entries"]], "Failed": []})


def written(request: dict[str, Any]) -> Reply:
    """Every statement was carried out."""
    return answered({"Responses": [{"TableName": "t"} for _ in request["Statements"]]})


Plain = str | int | list[str] | dict[str, str] | dict[str, int]


def item(**attributes: Plain) -> dict[str, Any]:
    """An item as DynamoDB answers it."""
    return {name: _typed(value) for name, value in attributes.items()}


def _typed(value: Plain) -> dict[str, Any]:
    match value:
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case list():
            return {"L": [_typed(one) for one in value]}
        case dict():
            return {"M": {name: _typed(one) for name, one in value.items()}}


def stamp() -> str:
    """Now, as SES and we write it."""
    now = datetime.now(UTC)
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"


def answered(body: dict[str, Any]) -> bytes:
    """As a response."""
    return response(json.dumps(body).encode())
