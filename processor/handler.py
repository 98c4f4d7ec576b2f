"""What happens to one event: suppression, timeline, status, webhooks; only then it is deleted.

The order is safe at any crash: each step is harmless to repeat, and the webhook follows the event,
not the change of status, so that a crash between the two loses no webhook.
"""

from mailpipe import failpoints, logs, metrics
from mailpipe.aws.queue import Received
from mailpipe.outcomes import Dead, Done, Outcome, Retry
from mailpipe.records import Record
from mailpipe.settling import longest_pause_s
from mailpipe.status import ERASED
from mailpipe.texts import told
from mailpipe.timing import now_ms
from processor.events import Event, Ignored, read
from processor.flow import Flow
from processor.store import ProcessorStore
from processor.webhooks import Webhooks

ORPHAN_WAITS_S = (60, 240, 900)
"""How long an event without a record waits for one, by receive; then it is an orphan."""

log = logs.get()


class Processor:
    """Handles SES's events and our own."""

    def __init__(self, store: ProcessorStore, webhooks: Webhooks, flow: Flow) -> None:
        self._store = store
        self._webhooks = webhooks
        self._flow = flow

    async def handle(self, received: Received) -> Outcome:
        """One event, to the end."""
        try:
            event = read(received.body)
        except ValueError as error:
            return Dead(f"unparseable: {told(error)}")
        if isinstance(event, Ignored):
            metrics.bound(metrics.EVENTS, "ignored").inc()
            log.info("event_ignored", reason=event.reason)
            return Done()
        if event.own is None:
            self._flow.received(received.message_id, event.happened_ms)
        try:
            record = await self._store.record(event.email_id)
            if record is None and event.own is not None:
                await self._store.make_missing(event)
                record = await self._store.record(event.email_id)
            if record is None:
                self._flow.left_out(received.message_id)
                return _orphan(event, received.receives)
            outcome = await self._process(event, record)
        except BaseException:
            hidden_ms = round(longest_pause_s(received) * 1000)
            self._flow.failed(received.message_id, now_ms=now_ms(), hidden_ms=hidden_ms)
            raise
        self._flow.handled(received.message_id, now_ms=now_ms())
        return outcome

    async def _process(self, event: Event, record: Record) -> Outcome:
        if event.tenant is not None and event.tenant != record.tenant:
            return Dead("tenant_mismatch")
        if record.rank == ERASED.rank:
            return Done()
        await self._store.suppress(event, record)
        await self._store.add_to_timeline(event, record)
        await self._store.raise_status(event, record)
        failpoints.hit("processor.raised")
        await self._webhooks.owe(event, record)
        failpoints.hit("processor.owed")
        metrics.bound(metrics.EVENTS, event.kind).inc()
        metrics.EVENT_LAG.observe(max(0.0, (now_ms() - event.happened_ms) / 1000))
        log.info("event_processed", email_id=event.email_id, kind=event.kind)
        return Done()


def _orphan(event: Event, receives: int) -> Outcome:
    if receives <= len(ORPHAN_WAITS_S):
        log.warning("event_without_record", email_id=event.email_id, kind=event.kind)
        return Retry(ORPHAN_WAITS_S[receives - 1], "no record")
    return Dead("orphan")
