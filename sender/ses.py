"""The call to SES: one attempt, its answer as a value."""

import asyncio
import time

from mailpipe import metrics
from mailpipe.aws.client import Client
from mailpipe.aws.ses_operations import SEND_EMAIL, SendEmail
from mailpipe.outcomes import CallFailed, Kind


async def send(client: Client, request: SendEmail, *, timeout_s: float) -> str | CallFailed:
    """SES's message id, or why there is none. After `timeout_s` the send is in doubt."""
    begun = time.perf_counter()
    try:
        async with asyncio.timeout(timeout_s):
            answer = await client.call(SEND_EMAIL, request)
    except TimeoutError:
        return CallFailed(Kind.IN_DOUBT, "Timeout", f"no answer within {timeout_s} s")
    except CallFailed as failure:
        return failure
    finally:
        metrics.SEND_SECONDS.observe(time.perf_counter() - begun)
    return answer.message_id
