"""Mail in doubt: nobody knows whether SES has it. Looks for evidence, and carries out the verdict.

`mailpipe/evidence.py` says what proves that an event would have come by now, `verdicts.of_doubt`
what follows from it.
"""

from collections.abc import Callable

from mailpipe import evidence, logs, metrics, resources
from mailpipe.aws.table import Tables
from mailpipe.evidence import Figures
from mailpipe.messages import EmailMessage
from mailpipe.reads import SharedReads
from sender.claims import Answer, Doubtful, Finished, Won
from sender.settings import SenderSettings
from sender.store import SenderStore
from sender.verdicts import Ending, Patience, Resend, Unknown, Verdict, Wait, of_doubt

FRESH_S = 3.0
"""So old may figures of processors be."""

log = logs.get()


class Doubts:
    """Decides those of one process; none while the time may not be right."""

    def __init__(
        self,
        settings: SenderSettings,
        tables: Tables,
        store: SenderStore,
        *,
        wall_ms: Callable[[], int],
        time_is_right: Callable[[], bool] = lambda: True,
    ) -> None:
        self._tables = tables
        self._store = store
        self._wall_ms = wall_ms
        self._time_is_right = time_is_right
        self._lease_ms = round(settings.lease_s * 1000)
        self._patience = Patience(
            round(settings.in_doubt_every_s * 1000), round(settings.in_doubt_decide_s * 1000)
        )
        self._figures = SharedReads[str, list[Figures]](self._read, most=1, fresh_s=FRESH_S)
        self._waiting = dict[str, tuple[int, int]]()
        metrics.DOUBT_OLDEST.set_function(self._oldest_s)

    async def judged(
        self, doubt: Doubtful, message: EmailMessage, *, ending: Ending | None = None
    ) -> Answer | None:
        """How the mail stands now; None: it may be taken over. `ending`: how it would end without
        the doubt. Raises CallFailed.
        """
        verdict, missing = await self._verdict(doubt, message, ending)
        if isinstance(verdict, Resend):
            return None
        return await self._stays(doubt, message, verdict, missing)

    async def settled(
        self,
        doubt: Doubtful,
        message: EmailMessage,
        *,
        ending: Ending | None = None,
        more_s: float = 0.0,
    ) -> Answer:
        """`judged`, and taken over if that is the verdict. Raises CallFailed."""
        verdict, missing = await self._verdict(doubt, message, ending)
        if not isinstance(verdict, Resend):
            return await self._stays(doubt, message, verdict, missing)
        answer = await self._store.take_over(doubt, message, more_s=more_s)
        if isinstance(answer, Won):
            _count("resend", doubt, missing)
        return answer

    async def _verdict(
        self, doubt: Doubtful, message: EmailMessage, ending: Ending | None
    ) -> tuple[Verdict, str | None]:
        """With what is missing of the evidence, which may be asked more than once for one doubt."""
        now, missing = self._wall_ms(), None
        if now > doubt.look_ms:
            missing = await self._missing(doubt, now)
        verdict = of_doubt(
            doubt,
            message.email.in_doubt,
            missing=missing,
            ending=ending,
            now_ms=now,
            patience=self._patience,
        )
        if not self._time_is_right() and not isinstance(verdict, Wait):
            verdict = Wait(now + self._patience.every_ms)  # another sender may know the time
        if isinstance(verdict, Wait):
            self._waiting[message.email_id] = doubt.record.lease_until, verdict.until_ms
        else:
            self._waiting.pop(message.email_id, None)
        return verdict, missing

    async def _stays(
        self, doubt: Doubtful, message: EmailMessage, verdict: Wait | Unknown, missing: str | None
    ) -> Answer:
        """How a mail stands that is not taken over."""
        if isinstance(verdict, Wait):
            return Doubtful(doubt.record, verdict.until_ms)
        answer = await self._store.end_in_doubt(doubt, message, reason=verdict.reason)
        if isinstance(answer, Finished):
            _count("unknown", doubt, missing)
        return answer

    async def _missing(self, doubt: Doubtful, now: int) -> str | None:
        """A call that began within the lease may have reached SES until its end."""
        since_ms = max(doubt.look_ms - self._lease_ms, doubt.record.lease_until)
        figures = await self._figures.get(evidence.KIND)
        return evidence.missing(figures, since_ms=since_ms, now_ms=now)

    async def _read(self, kind: str) -> list[Figures]:
        return evidence.read(await self._tables.partition(resources.COORDINATION, kind))

    def _oldest_s(self) -> float:
        """Of those that this process has put off; who is not back in time another has, or had."""
        now = self._wall_ms()
        late_ms = 2 * self._patience.every_ms + 60_000
        self._waiting = {k: one for k, one in self._waiting.items() if now < one[1] + late_ms}
        since_ms = min((lease_until for lease_until, _ in self._waiting.values()), default=now)
        return max(0.0, (now - since_ms) / 1000)


def _count(verdict: str, doubt: Doubtful, missing: str | None) -> None:
    """Where the verdict is written, which is once. `missing`: it was decided without that."""
    record = doubt.record
    if missing is not None:
        metrics.DOUBTS_WITHOUT_EVIDENCE.inc()
        log.error("doubt_without_evidence", email_id=record.email_id, missing=missing)
    metrics.bound(metrics.DOUBTS, verdict).inc()
    log.warning("doubt_decided", email_id=record.email_id, attempt=record.attempt, verdict=verdict)
