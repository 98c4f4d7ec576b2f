"""Opens the queues of one deployment."""

from mailpipe.aws import sqs_operations as aws
from mailpipe.aws.client import Aws, Client
from mailpipe.aws.queue import SqsQueue
from mailpipe.aws.retries import call_again
from mailpipe.resources import physical


class Queues:
    """Their names take `prefix`."""

    def __init__(self, aws: Aws, prefix: str, *, polls: Client, calls: Client) -> None:
        self._aws = aws
        self._prefix = prefix
        self._polls = polls
        self._calls = calls

    async def open(self, name: str, *, sender_ids: bool = False) -> SqsQueue:
        """Look a queue up. Raises CallFailed, CONFIGURATION when there is none of this name."""
        request = aws.GetQueueUrl(queue_name=physical(self._prefix, name))
        answer = await call_again(self._calls, aws.GET_QUEUE_URL, request)
        queue = SqsQueue(
            *(name, answer.queue_url), polls=self._polls, calls=self._calls, sender_ids=sender_ids
        )
        self._aws.at_close(queue.close)
        return queue


async def open_queues(
    opened: Aws, prefix: str, *, poll_s: float = 0.0, connections: int = 64
) -> Queues:
    """Two clients: long polls of `poll_s` never starve the other calls."""
    return Queues(
        opened,
        prefix,
        polls=await opened.client("sqs", connections=8, timeout_s=poll_s + 10),
        calls=await opened.client("sqs", connections=connections, timeout_s=10),
    )
