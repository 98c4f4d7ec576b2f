"""The call to SES: one attempt, its answer as a value."""

import time

from mailpipe import metrics
from mailpipe.aws.client import Client
from mailpipe.aws.ses_operations import SEND_EMAIL, SendEmail
from mailpipe.outcomes import CallFailed


async def send(client: Client, request: SendEmail) -> str | CallFailed:
    """SES's message id, or why there is none. One that took too long is in doubt."""
    begun = time.perf_counter()
    try:
        answer = await client.call(SEND_EMAIL, request)
    except CallFailed as failure:
        return failure
    finally:
        metrics.SEND_SECONDS.observe(time.perf_counter() - begun)
    return answer.message_id
