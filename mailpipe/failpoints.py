"""Instants at which a process can be made to die or to stand still, to prove that nothing is lost.

`MAILPIPE_FAILPOINT=name[@nth][=kill|exit|stop:ms]`: at the nth time (1) that this process comes to
the instant, it kills itself (SIGKILL), exits without any cleaning up, or stands still (SIGSTOP) for
so many milliseconds. Unset, a hit is a call that does nothing.
"""

import os
import re
import signal
import subprocess
from collections.abc import Callable
from typing import NamedTuple

from mailpipe import logs

NAMES = {
    "ingest.body_stored": "a large body is in S3, its message is not on the queue",
    "ingest.queued": "the queue has said yes to a mail, its record is not written",
    "ingest.recorded": "the record is written, the request is not answered",
    "reschedule.copied": "parked mail waits for its new time, too, its record does not say so",
    "reschedule.recorded": "the record says the new time, the item of the old one is not deleted",
    "end.written": "a mail has ended without a claim (cancelled, swept), our event is not queued",
    "end.announced": "our event of that is on its queue, the record is not closed",
    "sender.claimed": "a sender has a mail's claim, SES has not been asked",
    "sender.accepted": "SES has accepted a mail, its record does not say so",
    "sender.recorded": "the record says sent, the message is not deleted",
    "sender.ended": "a mail has ended without SES, our event of that is not on its queue",
    "sender.announced": "our event is on its queue, the message is not deleted",
    "sender.parked": "a mail is parked (or sent to its queue anew), its message is not deleted",
    "sender.released": "a parked mail is on its queue again, its item is not deleted",
    "processor.suppressed": "a recipient is suppressed, the event is not in the timeline",
    "processor.raised": "timeline and status are written, the webhooks are not on their queue",
    "processor.owed": "the webhooks are on their queue, the event's message is not deleted",
    "notifier.answered": "the endpoint has taken a webhook, its message is not deleted",
    "notifier.copied": "a failed webhook's next try is on the queue, its message is not deleted",
}
"""Every instant there is, and what is true then."""

EXIT_FAILPOINT = 86

_FORM = re.compile(r"(?P<name>[a-z._]+)(@(?P<nth>\d{1,9}))?(=(?P<action>kill|exit|stop:\d{1,7}))?")

log = logs.get()


class Failpoint(NamedTuple):
    """At the nth time at this instant: kill, exit, or stop for `stop_ms`."""

    name: str
    nth: int
    action: str
    stop_ms: int = 0


def _nothing(_: str) -> None:
    """No failpoint is set."""


hit: Callable[[str], None] = _nothing
"""Call it as `failpoints.hit("service.instant")`, a name of NAMES."""

armed: Failpoint | None = None


def parse(text: str) -> Failpoint:
    """Raises ValueError; its text says what is wrong and what there is."""
    form = _FORM.fullmatch(text)
    if form is None:
        raise ValueError("expected name[@nth][=kill|exit|stop:ms], like ingest.queued@3=stop:2000")
    name, nth = form["name"], form["nth"]
    action, _, ms = (form["action"] or "kill").partition(":")
    if name not in NAMES:
        raise ValueError(f"there is no instant {name!r}; there are {', '.join(NAMES)}")
    if nth is not None and int(nth) < 1:
        raise ValueError("nth counts from 1")
    return Failpoint(name, int(nth or 1), action, int(ms or 0))


def arm(failpoint: Failpoint) -> None:
    """From now on this process does it."""
    global hit, armed
    times = 0

    def counted(name: str) -> None:
        nonlocal times
        if name == failpoint.name:
            times += 1
            if times == failpoint.nth:
                _happen(failpoint)

    hit, armed = counted, failpoint
    log.warning("failpoint_armed", **failpoint._asdict())


def _happen(failpoint: Failpoint) -> None:
    log.warning("failpoint_hit", **failpoint._asdict())
    pid = os.getpid()
    match failpoint.action:
        case "kill":
            os.kill(pid, signal.SIGKILL)
        case "exit":
            os._exit(EXIT_FAILPOINT)
        case "stop":
            script = f"sleep {failpoint.stop_ms / 1000}; kill -CONT {pid}"
            waker = subprocess.Popen(["/bin/sh", "-c", script])  # noqa: S603 - two numbers
            os.kill(pid, signal.SIGSTOP)
            waker.wait()
