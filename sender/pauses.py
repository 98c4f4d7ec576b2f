"""Pauses: which mail waits because of what SES has answered, and how that ends by itself.

An answer that is about more than one mail pauses its scope (`sender/scopes.py`): the mail waits
outside the queue, nothing of it counts as an attempt, and nothing fails. What GetAccount tells is
over when GetAccount says so. Of everything else one waiting mail tries from time to time; when SES
takes it the scope goes on. What a person has paused only a person resumes.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import random

from mailpipe import logs, metrics
from mailpipe.aws.queue import Received
from mailpipe.board import ACCOUNT, Pause, Quota, kind_of
from mailpipe.messages import EmailMessage
from mailpipe.outcomes import CallFailed, Dead, Done, Kind, Outcome, Park, Retry
from mailpipe.parking import PROBE, paused_ms
from mailpipe.rules import MAX_RECIPIENTS
from mailpipe.timing import now_ms
from sender.board import Board
from sender.day import has_room
from sender.denied import Denied
from sender.quota import SHUTDOWN, is_on
from sender.scopes import Reason, fault_of, scopes_of, widened

MANY = 50
"""With so many identities of one tenant's mail paused another one pauses the mail's stream."""
TOLD_BY_SES = {"account_paused", "account_suspended", "daily_quota"}
"""Reasons whose end GetAccount shows."""

KEPT_S = 3.0
"""So long a process that SES refuses keeps each mail: it must not fetch all, only to hide it."""

log = logs.get()

ProbeWith = Callable[[str], Awaitable[bool]]
"""Put the first mail that waits for a scope onto its queue, marked; False when none waits."""


class Pauses:
    """What the handler asks, and the side task that ends pauses."""

    def __init__(
        self,
        board: Board,
        *,
        probe_with: ProbeWith,
        probe_s: float,
        wall_ms: Callable[[], int] = now_ms,
        clock: Callable[[], float] = time.monotonic,
        kept_s: float = KEPT_S,
    ) -> None:
        self._board = board
        self._denied = Denied()
        self._clock = clock
        self._kept_s = kept_s
        self._probe_with = probe_with
        self._probe_ms = round(probe_s * 1000)
        self._wall_ms = wall_ms

    def unready(self) -> str | None:
        """Why this process cannot send, whatever others can."""
        return self._denied.reason

    async def kept(self, waits: Outcome) -> Outcome:
        """What `holds` has said before anything was done with the mail."""
        if isinstance(waits, Retry):
            await asyncio.sleep(self._kept_s)
        return waits

    def holds(self, message: EmailMessage, received: Received) -> Outcome | None:
        """Why this mail has to wait now; None: it may go on."""
        if self._denied.reason and self._denied.rest_s(self._clock()) > 0:
            return _for_others(self._denied.reason)
        if not self._board.pauses:
            return None
        probe = received.attributes.get(PROBE)
        pause = self._board.stops(scopes_of(message), probe=probe)
        return None if pause is None else _waits(pause.scope, pause.reason)

    async def found(
        self, failure: CallFailed, message: EmailMessage, received: Received
    ) -> Outcome | None:
        """Pause what this answer is about; None: the answer is about this mail alone."""
        fault = fault_of(failure, message)
        if fault is None:
            return self._refused(failure) if failure.kind is Kind.CONFIGURATION else None
        self._answered()
        if fault.scope not in self._board.pauses and self._identities(message.tenant) >= MANY:
            fault = widened(fault, message)
        if received.attributes.get(PROBE) == fault.scope:
            metrics.bound(metrics.QUOTA_PROBES, "refused").inc()
        at_ms = self._wall_ms() + self._probe_ms
        await self._board.pause(
            *(fault.scope, fault.reason),
            code=failure.code,
            probe_at=at_ms,
            tenant=message.tenant if kind_of(fault.scope) == "identity" else "",
        )
        return _waits(fault.scope, fault.reason)

    def listens(self, received: Received) -> bool:
        """Whether it means anything here that SES takes this mail: else `passed` does nothing."""
        return self._denied.reason is not None or PROBE in received.attributes

    async def passed(self, message: EmailMessage, received: Received) -> None:
        """SES has taken this mail: if it was a probe, its scope goes on. Never raises: the mail is
        sent, and the next probe will show the same.
        """
        self._answered()
        pause = self._board.pauses.get(received.attributes.get(PROBE, ""))
        if pause is None or not pause.ours or pause.scope not in scopes_of(message):
            return
        metrics.bound(metrics.QUOTA_PROBES, "passed").inc()
        try:
            await self._resume(pause)
        except CallFailed as error:
            log.warning("resume_failed", code=error.code, text=error.text)

    async def probing(self, received: Received, handled: Awaitable[Outcome]) -> Outcome:
        """The outcome of a probe. One that ends without SES's word on its scope (expired,
        suppressed, quarantined, put off) has shown nothing: another one is due.
        """
        outcome = await handled
        pause = self._board.pauses.get(received.attributes.get(PROBE, ""))
        put_off = isinstance(outcome, Park) and outcome.scope is None
        if pause is None or not pause.ours or not (put_off or isinstance(outcome, Done | Dead)):
            return outcome
        metrics.bound(metrics.QUOTA_PROBES, "nothing").inc()
        try:
            await self._board.probe_now(pause)
        except CallFailed as error:
            log.warning("probe_not_put_forward", code=error.code, text=error.text)
        return outcome

    async def probe(self) -> None:
        """Send one mail of each scope whose time has come (one sender does). Raises CallFailed."""
        for pause in self._board.due_probes():
            if pause.reason in TOLD_BY_SES:
                continue
            if not await self._board.postpone(pause, self._wall_ms() + self._probe_ms):
                continue
            if not await self._probe_with(pause.scope):
                await self._resume(pause)  # nobody waits: the next mail will show

    async def judge(self, quota: Quota) -> None:
        """Pause or resume the account as GetAccount shows. Raises CallFailed."""
        pause, reason = self._board.pauses.get(ACCOUNT), told(quota)
        if pause is None and reason is not None:
            await self._board.pause(ACCOUNT, reason, code="GetAccount", probe_at=self._wall_ms())
        elif pause is not None and pause.ours and is_over(pause, quota):
            await self._resume(pause)

    def _identities(self, tenant: str) -> int:
        return sum(one.tenant == tenant for one in self._board.pauses.values())

    def _refused(self, failure: CallFailed) -> Retry:
        """It is about this process alone: others may send this mail."""
        if self._denied.refused(failure.code, self._clock(), jitter=random()):  # noqa: S311
            metrics.SES_REFUSES.set(1)
            log.error("process_refused", code=failure.code, text=failure.text)
        return _for_others(self._denied.reason)

    def _answered(self) -> None:
        if self._denied.answered():
            metrics.SES_REFUSES.set(0)
            log.info("process_accepted")

    async def _resume(self, pause: Pause) -> None:
        await self._board.resume(pause)


def told(quota: Quota) -> Reason | None:
    """Why nothing may be sent, by SES's own word."""
    if not is_on(quota):
        return "account_suspended" if quota.enforcement == SHUTDOWN else "account_paused"
    return None if has_room(quota) else "daily_quota"


def is_over(pause: Pause, quota: Quota) -> bool:
    """Whether a reading of the account shows that what has paused it is over. One that is older
    than the pause shows nothing. A day that was used up has to have room for any mail: SES frees it
    little by little, and with each little all mail would go, and wait again.
    """
    if pause.reason not in TOLD_BY_SES or quota.read_at <= pause.since:
        return False
    room = MAX_RECIPIENTS if pause.reason == "daily_quota" else 1
    return told(quota) is None and has_room(quota, room)


def paused_s(received: Received) -> float:
    """How long our own pauses have held this mail: it does not count towards its expiry."""
    return paused_ms(received.attributes) / 1000


def _waits(scope: str, reason: str) -> Park:
    return Park(scope, f"paused: {kind_of(scope)}: {reason}")


def _for_others(reason: str | None) -> Retry:
    return Retry(5 + 10 * random(), reason or "")  # noqa: S311
