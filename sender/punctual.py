"""The gate of a mail's call to SES: the write waits for the mail's instant, and is never late."""

import asyncio
import time
from collections.abc import Callable

from mailpipe import metrics
from mailpipe.aws.queue import Received
from mailpipe.outcomes import Retry
from mailpipe.settling import pause_s
from sender.slots import Slots


class Gate:
    """Of one send, which takes `send_s` at most and has to end by `until_ms`. It waits for the slot
    at `instant`, and takes another when that is missed.

    A missed slot is dropped, never used late: late sends would bunch up at the quota. So the look
    at the clock is the last thing before the write.
    """

    def __init__(
        self,
        slots: Slots,
        instant: float,
        *,
        recipients: int,
        until_ms: int,
        send_s: float,
        lateness_s: float,
        wall_ms: Callable[[], int],
    ) -> None:
        self._slots = slots
        self._instant = instant
        self._recipients = recipients
        self._until_ms = until_ms
        self._send_s = send_s
        self._lateness_s = lateness_s
        self._wall_ms = wall_ms
        self.opened_s: float | None = None
        """When it has last said yes (`time.perf_counter`); from then on SES may have the mail."""

    async def __call__(self) -> bool:
        """Whether the write may begin, now. False: no slot comes while a send would end in time."""
        instant, clock = self._instant, asyncio.get_running_loop().time
        while True:
            # Even where it is late: a connection that has just been closed gets to say so.
            await asyncio.sleep(max(0.0, instant - clock()))
            left_s = (self._until_ms - self._wall_ms()) / 1000 - self._send_s
            if left_s < 0:
                return False
            if clock() - instant <= self._lateness_s:
                self.opened_s = time.perf_counter()
                return True
            metrics.SLOTS_MISSED.inc()
            try:
                another = await asyncio.wait_for(self._slots.again(self._recipients), left_s)
            except TimeoutError:
                return False
            if another is None:
                return False
            instant = another


def no_slot(received: Received, *, closed: bool) -> Retry:
    """For a claimed mail that got no instant: it has been let go, and comes again."""
    # Not at once: mail that is too much for now would be claimed and released in circles.
    return Retry(0, "stopping") if closed else Retry(pause_s(received), "no slot within the lease")
