"""The queue with a backlog that the benches serve."""

import json
import time

from loadtest.transport import queues
from loadtest.transport.instant import Later
from loadtest.transport.queues import Backlog

ASKED = {"QueueUrl": "http://127.0.0.1/0/mail", "MaxNumberOfMessages": 10}


def received(backlog: Backlog) -> list[str] | None:
    """The bodies that one call gets; None: it waits."""
    reply = backlog.receive(ASKED)
    if isinstance(reply, Later):
        return None
    _, _, body = reply.partition(b"\r\n\r\n")
    return [one["Body"] for one in json.loads(body)["Messages"]]


def test_so_many_wait_and_no_more_until_the_producer_looks() -> None:
    backlog = Backlog("mail", 15, str)
    backlog._looked_s = time.monotonic() + 1000
    first, second = received(backlog), received(backlog)
    assert [first, second] == [[str(n) for n in range(10)], [str(n) for n in range(10, 15)]]
    assert received(backlog) is None
    backlog._looked_s = time.monotonic() - queues.TOP_UP_S
    assert received(backlog) == [str(n) for n in range(15, 25)]
