"""What SES's answer leads to, and how a mail ends without one."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from random import random

from mailpipe import failpoints, logs, metrics
from mailpipe.announcing import announce
from mailpipe.aws.queue import Queue, Received
from mailpipe.messages import EmailMessage
from mailpipe.outcomes import CallFailed, Dead, Done, Kind, Outcome, Park, Retry
from mailpipe.scheduled import scheduled_name
from mailpipe.settling import pause_s
from mailpipe.status import FAILED
from mailpipe.times import times_of
from mailpipe.timing import backoff_s
from sender.claims import Answer, Doubtful, Finished, Foreign, Live, Open, Scheduled, Won
from sender.limiter import Limiter
from sender.pauses import Pauses
from sender.punctual import no_slot
from sender.scopes import is_rate
from sender.slots import Slots
from sender.store import GIVEN_UP, SenderStore
from sender.verdicts import Ending, after_doubt

RECORD_AGAIN_S = 10.0
"""The longest wait before SES's yes is written once more."""

log = logs.get()


class Answers:
    """Of the mails of one lane. Every method raises CallFailed, and is harmless to repeat."""

    def __init__(
        self,
        store: SenderStore,
        *,
        slots: Slots,
        events: Queue,
        pauses: Pauses,
        limiter: Limiter,
        grace_s: float,
        wall_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._slots = slots
        self._events = events
        self._pauses = pauses
        self._limiter = limiter
        self._grace_ms = round(grace_s * 1000)
        self._wall_ms = wall_ms
        self._sleep = sleep

    async def answered(
        self, received: Received, message: EmailMessage, claim: Won, answer: str | CallFailed | None
    ) -> Outcome:
        """What SES said; None: no instant came, and it was not asked."""
        if answer is None:
            await self._store.let_go(message.email_id, claim.token)
            return no_slot(received, closed=self._slots.closed)
        if isinstance(answer, CallFailed):
            return await self._not_sent(message, claim, answer, received)
        at_ms = self._wall_ms()
        failpoints.hit("sender.accepted")
        await self._record_sent(message.email_id, claim.attempt, answer, at_ms=at_ms)
        failpoints.hit("sender.recorded")
        _tell_sent(message, claim, answer, at_ms=at_ms)
        if self._pauses.listens(received):
            await self._pauses.passed(message, received)
        return Done()

    async def not_ours(self, answer: Answer) -> Outcome:
        """What becomes of the message of a mail that we have no claim on."""
        match answer:
            case Finished(record):
                if record.ended_by_us:
                    await announce(self._events, record)
                    failpoints.hit("sender.announced")
                return Done()
            case Live(until_ms):
                return Retry(max(1.0, (until_ms - self._wall_ms()) / 1000), "claimed by another")
            case Doubtful(_, look_ms):
                return Park(None, "in doubt", due_ms=look_ms, in_doubt=True)
            case Scheduled(record, send_at_ms):
                name = scheduled_name(record.tenant, record.email_id)
                return Park(None, "scheduled", due_ms=send_at_ms, name=name)
            case Foreign(reason):
                return Dead(reason)
            case Open():
                return Retry(1, "claimed and released, or moved, by another")
            case Won():
                raise AssertionError(f"{answer} is ours")

    async def end(self, message: EmailMessage, claim: Won, ending: Ending) -> Outcome:
        """End a mail that we hold. Where that fails it is let go: SES does not have it."""
        standing, reason = after_doubt(ending, doubted=claim.doubted)
        try:
            answer = await self._store.end(message, claim, standing, reason=reason)
        except GIVEN_UP:
            await self._store.let_go(message.email_id, claim.token)
            raise
        failpoints.hit("sender.ended")
        if isinstance(answer, Finished):
            status = answer.record.status
            metrics.bound(metrics.ENDED_UNSENT, status).inc()
            log.info("email_ended", email_id=message.email_id, status=status)
        return await self.not_ours(answer)

    async def _record_sent(
        self, email_id: str, attempt: int, message_id: str, *, at_ms: int
    ) -> None:
        """Until it is written, or the process ends: nobody else has heard SES's yes, and what is
        forgotten here may be sent again. The message stays in hand, so nobody else gets it.
        """
        for tries in count(1):
            try:
                await self._store.sent(email_id, attempt, message_id, at_ms=at_ms)
                return
            except CallFailed as failed:
                if failed.kind is Kind.REFUSED:
                    raise  # no repeat gets another answer
                code = failed.code
            metrics.SENT_UNWRITTEN.inc()
            sent = {"email_id": email_id, "attempt": attempt, "ses_id": message_id}
            log.error("sent_not_recorded", **sent, code=code)
            wait_s = backoff_s(tries, first_s=0.5, cap_s=RECORD_AGAIN_S, jitter=random())  # noqa: S311
            await self._sleep(wait_s)

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
            return await self.end(message, claim, (FAILED, f"{failure.code}: {failure.text}"))
        if failure.kind is Kind.IN_DOUBT:
            # The claim stays: until an event or the grace decides, nobody sends this mail again.
            look_ms = claim.lease_until_ms + self._grace_ms
            return Park(None, f"in doubt: {failure.code}", due_ms=look_ms, in_doubt=True)
        if is_rate(failure):
            self._limiter.throttled()
        try:
            waits = await self._pauses.found(failure, message, received)
        finally:
            await self._store.let_go(message.email_id, claim.token)
        return waits or Retry(pause_s(received), failure.code)


def _tell_sent(message: EmailMessage, claim: Won, message_id: str, *, at_ms: int) -> None:
    metrics.bound(metrics.SENDS, message.stream, "accepted").inc()
    metrics.bound(metrics.ACCEPT_TO_SEND, message.stream).observe(
        max(0.0, (at_ms - times_of(message).due_ms) / 1000)
    )
    log.info("email_sent", email_id=message.email_id, attempt=claim.attempt, ses_id=message_id)
