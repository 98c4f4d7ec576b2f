"""The call to SES: one attempt, its answer as a value."""

import time

from mailpipe import metrics
from mailpipe.aws.client import Client
from mailpipe.aws.ses_operations import SEND_EMAIL, SendEmail
from mailpipe.outcomes import MISSED, CallFailed
from sender.punctual import Gate


async def send(client: Client, request: SendEmail, gate: Gate) -> str | CallFailed | None:
    """SES's message id, or why there is none; None when the gate stayed shut. One that took too
    long is in doubt.
    """
    begun_s = time.perf_counter()
    try:
        answer: str | CallFailed = (await client.call(SEND_EMAIL, request, gate=gate)).message_id
    except CallFailed as failure:
        if failure.code == MISSED:
            return None
        answer = failure
    metrics.SEND_SECONDS.observe(time.perf_counter() - (gate.opened_s or begun_s))
    return answer
