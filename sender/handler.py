"""What happens to one mail: reserve, claim, look at suppression, send at the instant, record."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from random import random

from mailpipe import failpoints, metrics, origins
from mailpipe.attachments import is_large
from mailpipe.aws.client import Client
from mailpipe.aws.queue import Received
from mailpipe.aws.ses_operations import SendEmail
from mailpipe.bodies import BadPointer, Bodies, BodyMissing
from mailpipe.messages import EmailMessage
from mailpipe.outcomes import CallFailed, Dead, Done, Outcome, Park, Retry
from mailpipe.parking import IN_DOUBT, PAUSED_MS
from mailpipe.status import EXPIRED, FAILED, REJECTED, SUPPRESSED
from mailpipe.tenants import Tenant, Tenants
from mailpipe.times import Times
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
from sender.punctual import Gate, instant_comes
from sender.scheduling import Scheduling
from sender.settings import SenderSettings
from sender.slots import Slots
from sender.store import GIVEN_UP, SenderStore
from sender.trust import Distrust, judge
from sender.turns import Excess
from sender.verdicts import Ending, last_ms, overdue, read, unsendable

MISSING_BODY_TRIES = 5
"""A mail whose body is missing fails at this receive, two minutes after the first."""

RECORDED = frozenset({PAUSED_MS, IN_DOUBT})
"""Attributes of messages that waited where only recorded mail waits; `recorded` is but a hint."""


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
        self._trusted = settings.trusted
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
        self._tenants = tenants
        self._pauses = pauses
        self._limiter = limiter

    async def handle(self, received: Received) -> Outcome:
        """One mail, from the queue to SES. A crash at any point repeats it, never loses it."""
        with self._slots.arriving():
            outcome = await self._look_at(received)
        return await self._pauses.noted(received, outcome)

    async def _look_at(self, received: Received) -> Outcome:
        read = await self._read(received)
        if isinstance(read, Dead):
            return read
        message, tenant = read
        times = await self._when(received, message, tenant)
        if not isinstance(times, Times):
            return times
        if self._slots.turns_away(message.tenant):
            return goes_back(self._settings)  # before anything is fetched or looked at for it
        if ending := overdue(times, now_ms=self._wall_ms()):
            return await self._claim_and_end(message, ending)
        if (waits := await self._pauses.stops(message, received)) is not None:
            return await self._waits(message, waits)
        try:
            with self._paths.of(received, message) as path:
                if path is None:
                    return goes_back(self._settings, "enough large mail is in hand")
                async with self._bodies.opened(message) as whole:
                    return await self._handle(received, whole, tenant, times, path)
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

    async def _handle(
        self, received: Received, message: EmailMessage, tenant: Tenant, times: Times, path: Path
    ) -> Outcome:
        judged = partial(
            unsendable,
            message,
            times,
            domains=tenant.domains,
            now_ms=self._wall_ms(),
            expire_after_s=self._settings.expire_after_s + paused_s(received),
        )
        ending = await asyncio.to_thread(judged) if is_large(message.email) else judged()
        if ending is not None:
            return await self._claim_and_end(message, ending)
        slots = len(message.email.recipients()) + path.more_slots
        if cap := await over_cap(self._limiter, self._slots.binding, message, slots):
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
        try:
            ready = await self._ready(message, more_s=path.more_s)
        except Exception:
            self._slots.give_back(instant)
            raise
        if not isinstance(ready, tuple):
            self._slots.give_back(instant)
            return ready
        send_s = self._settings.ses_timeout_s + path.more_s
        gate = partial(
            instant_comes,
            *(self._slots, instant),
            recipients=slots,
            until_ms=last_ms(ready[0].lease_until_ms, times, send_s=send_s),
            send_s=send_s,
            lateness_s=self._settings.lateness_s,
            wall_ms=self._wall_ms,
        )
        answer = await self._send(message, *ready, path.client, Gate(gate))
        return await self._answers.answered(received, message, ready[0], answer)

    async def _send(
        self, message: EmailMessage, claim: Won, request: SendEmail, client: Client, gate: Gate
    ) -> str | CallFailed | None:
        try:
            return await ses.send(client, request, gate)
        except GIVEN_UP:
            if not gate.opened:
                await self._store.let_go(message.email_id, claim.token)
            raise

    async def _ready(
        self, message: EmailMessage, *, more_s: float
    ) -> tuple[Won, SendEmail] | Outcome:
        """Claimed and composed. A claim under which nothing could be sent does not stay."""
        begun_s = time.perf_counter()
        claim = await self._claim(message, more_s=more_s)
        if not isinstance(claim, Won):
            return await self._answers.not_ours(claim)
        failpoints.hit("sender.claimed")
        try:
            request = await self._request(message, claim, begun_s=begun_s)
        except GIVEN_UP:
            await self._store.let_go(message.email_id, claim.token)
            raise
        if isinstance(request, SendEmail):
            return claim, request
        return await self._answers.end(message, claim, request)

    async def _request(
        self, message: EmailMessage, claim: Won, *, begun_s: float
    ) -> SendEmail | Ending:
        """What SES is asked for those recipients who may have the mail; or how it ends."""
        suppressed = await self._store.suppressed(message)
        self._lead.observe(time.perf_counter() - begun_s)
        if len(suppressed) == len(message.email.recipients()):
            return SUPPRESSED, "every recipient is on the suppression list"
        if suppressed:
            await self._store.leave_out(message.email_id, suppressed, doubted=claim.doubted)
        composed = partial(request_for, message, attempt=claim.attempt, without=suppressed)
        try:
            return await asyncio.to_thread(composed) if is_large(message.email) else composed()
        except Forged as forged:
            return REJECTED, f"composed: {forged}"

    async def _read(self, received: Received) -> tuple[EmailMessage, Tenant] | Dead:
        """The message and its tenant, if it can be read and its sender may speak for the tenant."""
        message = read(received.body)
        if isinstance(message, Dead):
            return message
        tenant = await self._tenants.of(message.tenant)
        earlier = origins.earlier(received.attributes)
        judged = judge(tenant, received.sender_id, trusted=self._trusted, earlier=earlier)
        if isinstance(judged, Distrust):
            metrics.bound(metrics.DISTRUSTED, judged.kind).inc()
            return Dead(judged.reason)
        message.recorded = message.recorded or not RECORDED.isdisjoint(received.attributes)
        return message, judged

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
