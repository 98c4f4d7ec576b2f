"""What happens to one mail: reserve, claim, look at suppression, send at the instant, record."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from random import random
from typing import Any

from mailpipe import failpoints, metrics
from mailpipe.attachments import is_large
from mailpipe.aws.queue import Received
from mailpipe.aws.ses_operations import SendEmail
from mailpipe.bodies import BadPointer, Bodies, BodyMissing
from mailpipe.messages import EmailMessage
from mailpipe.outcomes import Dead, Done, Outcome, Park, Retry
from mailpipe.parking import IN_DOUBT, PROBE
from mailpipe.status import EXPIRED, FAILED, REJECTED, SUPPRESSED
from mailpipe.tenants import Tenant, Tenants
from mailpipe.times import Times, times_of
from mailpipe.timing import backoff_s
from sender import ses
from sender.answers import Answers
from sender.capped import goes_back, over_cap
from sender.claims import Answer, Doubtful, Open, Won
from sender.compose import request_for
from sender.doubts import Doubts
from sender.limiter import Limiter
from sender.mime import Forged
from sender.pacing import Lead
from sender.paths import Path, Paths
from sender.pauses import Pauses, paused_s
from sender.punctual import Gate
from sender.reading import Reading
from sender.scheduling import Scheduling
from sender.settings import SenderSettings
from sender.slots import Slots
from sender.store import GIVEN_UP, SenderStore
from sender.turns import Excess
from sender.verdicts import Ending, broken, expired, last_ms, overdue

MISSING_BODY_TRIES = 5
"""A mail whose body is missing fails at this receive, two minutes after the first."""


class Sender:
    """Handles the mails of one lane."""

    def __init__(
        self,
        settings: SenderSettings,
        slots: Slots,
        store: SenderStore,
        *,
        bodies: Bodies,
        paths: Paths,
        answers: Answers,
        doubts: Doubts,
        lead: Lead,
        tenants: Tenants,
        pauses: Pauses,
        limiter: Limiter,
        wall_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._slots = slots
        self._store = store
        self._wall_ms = wall_ms
        self._scheduling = Scheduling(
            *(store, slots),
            kept_s=settings.due_kept_s,
            expire_after_s=settings.expire_after_s,
            wall_ms=wall_ms,
        )
        self._bodies = bodies
        self._paths = paths
        self._answers = answers
        self._doubts = doubts
        self._lead = lead
        self._reading = Reading(tenants, settings.trusted)
        self._pauses = pauses
        self._limiter = limiter

    def handle(self, received: Received) -> Coroutine[Any, Any, Outcome]:
        """One mail, from the queue to SES. A crash at any point repeats it, never loses it."""
        handled = self._look_at(received)
        return self._pauses.probing(received, handled) if PROBE in received.attributes else handled

    async def _look_at(self, received: Received) -> Outcome:
        with self._slots.arriving():
            read = await self._reading.of(received)
            if isinstance(read, Dead):
                return read
            message, tenant = read
            times, ending = times_of(message), None  # what does not concern it is not overdue
            if IN_DOUBT in received.attributes or self._scheduling.concerns(
                message, received, times, now_ms=self._wall_ms()
            ):
                when = await self._when(received, message, tenant)
                if not isinstance(when, Times):
                    return when
                times, ending = when, overdue(when, now_ms=self._wall_ms())
            if self._slots.turns_away(message.tenant):
                return goes_back(self._settings)  # before anything is fetched or looked at for it
            if ending:
                return await self._claim_and_end(message, ending)
            if (waits := self._pauses.holds(message, received)) is not None:
                return await self._waits(message, await self._pauses.kept(waits))
            path = self._paths.usual(received, message)
            if path is not None and message.body is None:
                return await self._go(received, message, tenant, times, path)
            return await self._go_large(received, message, tenant, times)

    async def _go_large(
        self, received: Received, message: EmailMessage, tenant: Tenant, times: Times
    ) -> Outcome:
        """A mail that has a path of its own, or a body that has to be fetched."""
        try:
            with self._paths.of(received, message) as path:
                if path is None:
                    return goes_back(self._settings, "enough large mail is in hand")
                async with self._bodies.opened(message) as whole:
                    return await self._go(received, whole, tenant, times, path)
        except BadPointer as bad:
            return Dead(f"claim_check: {bad}")
        except BodyMissing as missing:
            return await self._without_body(message, missing, receives=received.receives)

    async def _when(
        self, received: Received, message: EmailMessage, tenant: Tenant
    ) -> Times | Outcome:
        """The times of a mail that may go now, or what becomes of it."""
        if (outcome := await self._settled(received, message)) is not None:
            return outcome
        looked = await self._scheduling.look(message, received, tenant.domains)
        if isinstance(looked, Times | Retry | Done):
            return looked
        return await self._answers.not_ours(looked)

    async def _waits(self, message: EmailMessage, waits: Outcome) -> Outcome:
        """What waits for a scope may do so for days: there is a record before, by which it can be
        cancelled or moved, and expires. What has ended, or goes later, does not wait for the scope.
        """
        self._slots.paused()
        if not isinstance(waits, Park):
            return waits
        answer = await self._store.look(message) if message.recorded else None
        if answer is None:
            answer = await self._store.make(message)
        if isinstance(answer, Open | Doubtful):
            return waits
        return await self._answers.not_ours(answer)

    async def _settled(self, received: Received, message: EmailMessage) -> Outcome | None:
        """What becomes of a mail that comes back in doubt, before it takes a slot from another;
        None: it goes the way of all mail.
        """
        if IN_DOUBT not in received.attributes:
            return None
        answer = await self._store.look(message)
        if isinstance(answer, Doubtful):
            answer = await self._doubts.judged(answer, message)
        if answer is None or isinstance(answer, Open):
            return None
        return await self._answers.not_ours(answer)

    async def _go(
        self, received: Received, message: EmailMessage, tenant: Tenant, times: Times, path: Path
    ) -> Outcome:
        """At the instant that its turn brings, if nothing speaks against it by then."""
        large = is_large(message.email)
        if large:
            ending = await asyncio.to_thread(broken, message, tenant.domains)
        else:
            ending = broken(message, tenant.domains)
        if ending is None:
            expire_after_s = self._settings.expire_after_s + paused_s(received)
            ending = expired(times, now_ms=self._wall_ms(), expire_after_s=expire_after_s)
        if ending is not None:
            return await self._claim_and_end(message, ending)
        slots = len(message.email.recipients()) + path.more_slots
        instant = await self._instant(received, message, times, slots)
        if not isinstance(instant, float):
            return instant
        try:
            ready = await self._ready(message, large=large, more_s=path.more_s)
        except Exception:
            self._slots.give_back(instant)
            raise
        if not isinstance(ready, tuple):
            self._slots.give_back(instant)
            return ready
        claim, request = ready
        send_s = self._settings.ses_timeout_s + path.more_s
        gate = Gate(
            self._slots,
            instant,
            recipients=slots,
            until_ms=last_ms(claim.lease_until_ms, times, send_s=send_s),
            send_s=send_s,
            lateness_s=self._settings.lateness_s,
            wall_ms=self._wall_ms,
        )
        try:
            answer = await ses.send(path.client, request, gate)
        except GIVEN_UP:
            if gate.opened_s is None:
                await self._store.let_go(message.email_id, claim.token)
            raise
        return await self._answers.answered(received, message, claim, answer)

    async def _instant(
        self, received: Received, message: EmailMessage, times: Times, slots: int
    ) -> float | Outcome:
        """When the mail goes, which takes so many slots; else what becomes of it."""
        if self._limiter.any_cap() and (
            cap := await over_cap(self._limiter, self._slots.binding, message, slots)
        ):
            return goes_back(self._settings, f"over the {cap.replace('_', ' ')}")
        instant = await self._slots.next(message.tenant, slots)
        if instant is None:
            return Retry(0, "stopping")
        if isinstance(instant, Excess):
            return goes_back(self._settings)
        if (waits := self._pauses.holds(message, received)) is not None:
            self._slots.give_back(instant)
            return await self._waits(message, waits)  # found out while it waited for its slot
        if ending := overdue(times, now_ms=self._wall_ms()):
            self._slots.give_back(instant)
            return await self._claim_and_end(message, ending)
        return instant

    async def _ready(
        self, message: EmailMessage, *, large: bool, more_s: float
    ) -> tuple[Won, SendEmail] | Outcome:
        """Claimed and composed. A claim under which nothing could be sent does not stay."""
        begun_s = time.perf_counter()
        claim = await self._claim(message, more_s=more_s)
        if not isinstance(claim, Won):
            return await self._answers.not_ours(claim)
        failpoints.hit("sender.claimed")
        try:
            suppressed = await self._store.suppressed(message)
            self._lead.observe(time.perf_counter() - begun_s)
            if not suppressed or len(suppressed) < len(message.email.recipients()):
                if suppressed:
                    doubted = claim.doubted
                    await self._store.leave_out(message.email_id, suppressed, doubted=doubted)
                if not large:
                    return claim, request_for(message, attempt=claim.attempt, without=suppressed)
                made = partial(request_for, message, attempt=claim.attempt, without=suppressed)
                return claim, await asyncio.to_thread(made)
            ending = SUPPRESSED, "every recipient is on the suppression list"
        except Forged as forged:
            ending = REJECTED, f"composed: {forged}"
        except GIVEN_UP:
            await self._store.let_go(message.email_id, claim.token)
            raise
        return await self._answers.end(message, claim, ending)

    async def _claim(
        self, message: EmailMessage, *, more_s: float = 0.0, ending: Ending | None = None
    ) -> Answer:
        """The next attempt is ours, if nothing speaks against it. A mail in doubt is taken over
        when it may be; one that is at its end (`ending`) ends then.
        """
        by_times = ending is not None and ending[0] == EXPIRED
        claim = await self._store.claim(message, more_s=more_s, same_times=by_times)
        metrics.bound(metrics.CLAIMS, type(claim).__name__.lower()).inc()
        if isinstance(claim, Doubtful):
            return await self._doubts.settled(claim, message, more_s=more_s, ending=ending)
        return claim

    async def _without_body(
        self, message: EmailMessage, missing: BodyMissing, *, receives: int
    ) -> Outcome:
        """S3 shows what was put before; still, a store may be restored, or a policy be wrong."""
        if receives < MISSING_BODY_TRIES:
            wait_s = backoff_s(receives, first_s=5, cap_s=300, jitter=random())  # noqa: S311
            return Retry(wait_s, f"body_missing: {missing}")
        return await self._claim_and_end(message, (FAILED, f"body_missing: {missing}"))

    async def _claim_and_end(self, message: EmailMessage, ending: Ending) -> Outcome:
        claim = await self._claim(message, ending=ending)
        if not isinstance(claim, Won):
            return await self._answers.not_ours(claim)
        return await self._answers.end(message, claim, ending)
