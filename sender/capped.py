"""What operators allow a tenant or a From domain in a second: taken before the account's slots."""

import asyncio
import math
from random import random

from mailpipe.messages import EmailMessage
from mailpipe.outcomes import Retry
from mailpipe.scopes import parsed
from sender.binding import DOMAIN_CAP, TENANT_CAP, Binding
from sender.limiter import Limiter
from sender.settings import SenderSettings


async def over_cap(
    limiter: Limiter, binding: Binding, message: EmailMessage, recipients: int
) -> str | None:
    """Waits for the mail's slot under each cap. The cap that has none near enough, if one has not:
    then the mail goes back to the queue.
    """
    clock = asyncio.get_running_loop().time
    scopes = [(TENANT_CAP, f"tenant#{message.tenant}")]
    if (sender := parsed(message.email.from_)) is not None:
        scopes.append((DOMAIN_CAP, f"domain#{sender.domain}"))
    for what, scope in scopes:
        wait_s = await limiter.cap_wait_s(scope, recipients)
        if wait_s == 0:
            continue
        binding.note(what, clock(), wait_s)
        if math.isinf(wait_s):
            return what
        await asyncio.sleep(wait_s)
    return None


def goes_back(settings: SenderSettings, why: str = "tenant's share is in hand") -> Retry:
    """It comes back after others have had their turn; jitter spreads what went together."""
    least_s, most_s = settings.excess_min_s, settings.excess_max_s
    return Retry(least_s + (most_s - least_s) * random(), why)  # noqa: S311
