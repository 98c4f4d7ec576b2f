"""Our own events: what SES does not cause is told by whoever has ended the mail."""

from mailpipe.aws.queue import Outgoing, Queue
from mailpipe.messages import encode, own_event
from mailpipe.records import Record, fields_of_record
from mailpipe.timing import iso


async def announce(events: Queue, record: Record) -> None:
    """Put the event of this end on the queue of events; the same end has the same id, so a repeat
    is harmless. Raises CallFailed.
    """
    event = own_event(
        record.email_id,
        record.tenant,
        status=record.status,
        attempt=record.attempt,
        at=iso(record.updated_at),
        reason=record.reason or "",
        record=fields_of_record(record),
    )
    (fault,) = await events.send([Outgoing(encode(event), group=record.tenant)])
    if fault is not None:
        raise fault
