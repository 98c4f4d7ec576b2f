"""What happens to one mail: reserve, claim, look at suppression, send at the instant, record."""

import asyncio
import time
from contextlib import suppress
from functools import partial
from random import random

from mailpipe import logs, metrics, origins
from mailpipe.attachments import is_large
from mailpipe.aws.queue import Outgoing, Queue, Received
from mailpipe.aws.ses_operations import SendEmail
from mailpipe.bodies import BadPointer, Bodies, BodyMissing
from mailpipe.messages import EmailMessage, encode, own_event
from mailpipe.outcomes import CallFailed, Dead, Done, Kind, Outcome, Retry
from mailpipe.records import Record, fields_of_record
from mailpipe.settling import pause_s
from mailpipe.status import FAILED, OURS, REJECTED, SUPPRESSED
from mailpipe.tenants import Tenant, Tenants
from mailpipe.timing import backoff_s, iso, now_ms, parse_iso
from sender import ses
from sender.capped import goes_back, over_cap
from sender.claims import Answer, Doubtful, Finished, Foreign, Live, Open, Won
from sender.compose import request_for
from sender.limiter import Limiter
from sender.mime import Forged
from sender.pacing import Lead
from sender.paths import Path, Paths
from sender.pauses import Pauses, paused_s
from sender.punctual import instant_comes, no_slot
from sender.scopes import is_rate
from sender.settings import SenderSettings
from sender.slots import Slots
from sender.store import SenderStore
from sender.trust import Distrust, judge
from sender.turns import Excess
from sender.verdicts import Ending, after_doubt, overdue, read, unsendable

MISSING_BODY_TRIES = 5
"""A mail whose body is missing fails at this receive, two minutes after the first."""

log = logs.get()


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
        events: Queue,
        lead: Lead,
        tenants: Tenants,
        pauses: Pauses,
        limiter: Limiter,
    ) -> None:
        self._settings = settings
        self._trusted = settings.trusted
        self._slots = slots
        self._store = store
        self._bodies = bodies
        self._paths = paths
        self._events = events
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
        if self._slots.turns_away(message.tenant):
            return goes_back(self._settings)  # before anything is fetched or looked at for it
        if ending := overdue(message, now_ms=now_ms()):
            return await self._claim_and_end(message, ending)
        if (waits := await self._pauses.stops(message, received)) is not None:
            self._slots.paused()
            return waits
        try:
            with self._paths.of(received, message) as path:
                if path is None:
                    return goes_back(self._settings, "enough large mail is in hand")
                async with self._bodies.opened(message) as whole:
                    return await self._handle(received, whole, tenant, path)
        except BadPointer as bad:
            return Dead(f"claim_check: {bad}")
        except BodyMissing as missing:
            return await self._without_body(message, missing, receives=received.receives)

    async def _handle(
        self, received: Received, message: EmailMessage, tenant: Tenant, path: Path
    ) -> Outcome:
        large = is_large(message.email)
        judged = partial(
            unsendable,
            message,
            domains=tenant.domains,
            now_ms=now_ms(),
            expire_after_s=self._settings.expire_after_s + paused_s(received),
        )
        ending = await asyncio.to_thread(judged) if large else judged()
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
            self._slots.paused()
            self._slots.give_back(instant)
            return waits  # found out while this mail waited for its slot
        try:
            ready = await self._ready(message, more_s=path.more_s)
        except CallFailed:
            self._slots.give_back(instant)
            raise
        if not isinstance(ready, tuple):
            self._slots.give_back(instant)
            return ready
        claim, request = ready
        gate = partial(
            instant_comes,
            *(self._slots, instant),
            recipients=slots,
            lease_until_ms=claim.lease_until_ms,
            send_s=self._settings.ses_timeout_s + path.more_s,
            lateness_s=self._settings.lateness_s,
        )
        answer = await ses.send(path.client, request, gate)
        return await self._answered(received, message, claim, answer)

    async def _answered(
        self, received: Received, message: EmailMessage, claim: Won, answer: str | CallFailed | None
    ) -> Outcome:
        """What SES said; None: no instant came, and it was not asked."""
        if answer is None:
            await self._store.release(message.email_id, claim)
            return no_slot(received, closed=self._slots.closed)
        if isinstance(answer, CallFailed):
            return await self._not_sent(message, claim, answer, received)
        outcome = await self._sent(message, claim, answer)
        await self._pauses.passed(message, received)
        return outcome

    async def _ready(
        self, message: EmailMessage, *, more_s: float
    ) -> tuple[Won, SendEmail] | Outcome:
        """Claimed and composed. A claim under which nothing could be sent does not stay."""
        begun_s = time.perf_counter()
        claim = await self._claim(message, more_s=more_s)
        if not isinstance(claim, Won):
            return await self._not_ours(claim)
        try:
            request = await self._request(message, claim, begun_s=begun_s)
        except CallFailed:
            with suppress(CallFailed):
                await self._store.release(message.email_id, claim)
            raise
        return (claim, request) if isinstance(request, SendEmail) else request

    async def _request(
        self, message: EmailMessage, claim: Won, *, begun_s: float
    ) -> SendEmail | Outcome:
        """What SES is asked for those recipients who may have the mail; or its end."""
        suppressed = await self._store.suppressed(message)
        self._lead.observe(time.perf_counter() - begun_s)
        if len(suppressed) == len(message.email.recipients()):
            reason = "every recipient is on the suppression list"
            return await self._end(message, claim, (SUPPRESSED, reason))
        if suppressed:
            await self._store.leave_out(message.email_id, suppressed)
        composed = partial(request_for, message, attempt=claim.attempt, without=suppressed)
        try:
            return await asyncio.to_thread(composed) if is_large(message.email) else composed()
        except Forged as forged:
            return await self._end(message, claim, (REJECTED, f"composed: {forged}"))

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
        return message, judged

    async def _claim(self, message: EmailMessage, *, more_s: float = 0.0) -> Answer:
        claim = await self._store.claim(message, more_s=more_s)
        metrics.bound(metrics.CLAIMS, type(claim).__name__.lower()).inc()
        return claim

    async def _not_ours(self, answer: Answer) -> Outcome:
        match answer:
            case Finished(record):
                if record.status in OURS:
                    await self._announce(record)
                return Done()
            case Live(until_ms):
                return Retry(max(1.0, (until_ms - now_ms()) / 1000), "claimed by another")
            case Foreign(reason):
                return Dead(reason)
            case Won() | Doubtful() | Open():
                raise AssertionError(f"the store settles {answer}")

    async def _sent(self, message: EmailMessage, claim: Won, message_id: str) -> Outcome:
        at_ms = now_ms()
        await self._store.sent(message.email_id, claim.attempt, message_id, at_ms=at_ms)
        metrics.bound(metrics.SENDS, message.stream, "accepted").inc()
        metrics.bound(metrics.ACCEPT_TO_SEND, message.stream).observe(
            max(0.0, (at_ms - parse_iso(message.queued_at)) / 1000)
        )
        log.info("email_sent", email_id=message.email_id, attempt=claim.attempt, ses_id=message_id)
        return Done()

    async def _not_sent(
        self, message: EmailMessage, claim: Won, failure: CallFailed, received: Received
    ) -> Outcome:
        metrics.bound(metrics.SENDS, message.stream, failure.kind.value).inc()
        log.warning(
            "email_not_sent",
            email_id=message.email_id,
            attempt=claim.attempt,
            kind=failure.kind.value,
            code=failure.code,
            text=failure.text,
        )
        if failure.kind is Kind.REFUSED:
            return await self._end(message, claim, (FAILED, f"{failure.code}: {failure.text}"))
        if failure.kind is Kind.IN_DOUBT:
            # The claim stays: until an event or the grace decides, nobody sends this mail again.
            proved_by_ms = claim.lease_until_ms + self._settings.in_doubt_grace_s * 1000
            return Retry((proved_by_ms - now_ms()) / 1000, failure.code)
        if is_rate(failure):
            self._limiter.throttled()
        waits = await self._pauses.found(failure, message, received)
        await self._store.release(message.email_id, claim)
        return waits or Retry(pause_s(received), failure.code)

    async def _without_body(
        self, message: EmailMessage, missing: BodyMissing, *, receives: int
    ) -> Outcome:
        """S3 shows what was put before; still, a store may be restored, or a policy be wrong."""
        if receives < MISSING_BODY_TRIES:
            wait_s = backoff_s(receives, first_s=5, cap_s=300, jitter=random())  # noqa: S311
            return Retry(wait_s, f"body_missing: {missing}")
        return await self._claim_and_end(message, (FAILED, f"body_missing: {missing}"))

    async def _claim_and_end(self, message: EmailMessage, ending: Ending) -> Outcome:
        claim = await self._claim(message)
        if not isinstance(claim, Won):
            return await self._not_ours(claim)
        return await self._end(message, claim, ending)

    async def _end(self, message: EmailMessage, claim: Won, ending: Ending) -> Outcome:
        standing, reason = after_doubt(ending, doubted=claim.doubted)
        record = await self._store.end(
            message.email_id, message.tenant, claim, standing, reason=reason
        )
        metrics.bound(metrics.ENDED_UNSENT, standing.status).inc()
        log.info("email_ended", email_id=message.email_id, status=record.status)
        return await self._not_ours(Finished(record))

    async def _announce(self, record: Record) -> None:
        """Put our own event; the same end has the same id, so a repeat is harmless."""
        event = own_event(
            record.email_id,
            record.tenant,
            status=record.status,
            attempt=record.attempt,
            at=iso(record.updated_at),
            reason=record.reason or "",
            record=fields_of_record(record),
        )
        (fault,) = await self._events.send([Outgoing(encode(event), group=record.tenant)])
        if fault is not None:
            raise fault
