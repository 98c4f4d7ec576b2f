"""The call to SES: one attempt, its answer as a value."""

import time

from mailpipe import metrics
from mailpipe.aws.client import Client
from mailpipe.aws.operations import Gate
from mailpipe.aws.ses_operations import SEND_EMAIL, SendEmail
from mailpipe.outcomes import MISSED, CallFailed


async def send(client: Client, request: SendEmail, gate: Gate) -> str | CallFailed | None:
    """SES's message id, or why there is none; None when the gate stayed shut. One that took too
    long is in doubt.
    """
    begun = time.perf_counter()

    async def timed() -> bool:
        nonlocal begun
        passed = await gate()
        begun = time.perf_counter()
        return passed

    try:
        answer: str | CallFailed = (await client.call(SEND_EMAIL, request, gate=timed)).message_id
    except CallFailed as failure:
        if failure.code == MISSED:
            return None
        answer = failure
    metrics.SEND_SECONDS.observe(time.perf_counter() - begun)
    return answer
