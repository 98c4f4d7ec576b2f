"""The gate of a mail's call to SES: the write waits for the mail's instant, and is never late."""

import asyncio
from collections.abc import Awaitable, Callable

from mailpipe import metrics
from mailpipe.aws.queue import Received
from mailpipe.outcomes import Retry
from mailpipe.settling import pause_s
from sender.slots import Slots


class Gate:
    """Of one send. `opened`: it has said yes, so that SES may have the mail."""

    def __init__(self, comes: Callable[[], Awaitable[bool]]) -> None:
        self._comes = comes
        self.opened = False

    async def __call__(self) -> bool:
        """Whether the write may begin, now."""
        comes = await self._comes()
        self.opened = self.opened or comes
        return comes


async def instant_comes(
    slots: Slots,
    instant: float,
    *,
    recipients: int,
    until_ms: int,
    send_s: float,
    lateness_s: float,
    wall_ms: Callable[[], int],
) -> bool:
    """Wait for the slot. False when none comes while a send of `send_s` still ends by `until_ms`.

    A missed slot is dropped, never used late: late sends would bunch up at the quota. So the look
    at the clock is the last thing before the write.
    """
    clock = asyncio.get_running_loop().time
    while True:
        await asyncio.sleep(max(0.0, instant - clock()))
        left_s = (until_ms - wall_ms()) / 1000 - send_s
        if left_s < 0:
            return False
        if clock() - instant <= lateness_s:
            return True
        metrics.SLOTS_MISSED.inc()
        try:
            another = await asyncio.wait_for(slots.again(recipients), left_s)
        except TimeoutError:
            return False
        if another is None:
            return False
        instant = another


def no_slot(received: Received, *, closed: bool) -> Retry:
    """For a claimed mail that got no instant: it has been let go, and comes again."""
    # Not at once: mail that is too much for now would be claimed and released in circles.
    return Retry(0, "stopping") if closed else Retry(pause_s(received), "no slot within the lease")
