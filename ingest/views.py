"""What the API shows of what is stored. Pure."""

from typing import Any

import msgspec

from ingest.schemas import StatusAnswer, Summary, Suppressed, TimelineEvent
from mailpipe.addresses import bare
from mailpipe.records import Attributes, Record
from mailpipe.timing import iso


def status_now(record: Record, *, now_ms: int) -> str:
    """The status as it is shown."""
    return record.shown(now_ms)


def status(record: Record, events: list[Attributes], *, now_ms: int) -> StatusAnswer:
    """`GET /status/{emailId}`."""
    timeline = [_event(event) for event in events]
    if record.sent_at is not None:
        timeline.append(TimelineEvent(type="sent", timestamp=iso(record.sent_at), details={}))
    timeline.sort(key=lambda event: event.timestamp)
    return StatusAnswer(**_fields(record, now_ms=now_ms), events=timeline)


def summary(record: Record, *, now_ms: int) -> Summary:
    """An e-mail in `GET /emails`."""
    return Summary(**_fields(record, now_ms=now_ms))


def _fields(record: Record, *, now_ms: int) -> dict[str, Any]:
    return {
        "email_id": record.email_id,
        "recipient": bare(record.recipients()[0]) if record.recipients() else None,
        "subject": record.subject,
        "stream": record.stream,
        "status": status_now(record, now_ms=now_ms),
        "message_id": message_id(record),
        "created_at": iso(record.created_at),
        "sent_at": _time(record.sent_at),
        "send_at": _time(record.send_at),
        "expires_at": _time(record.expires_at),
        "last_updated": iso(record.updated_at),
        "reason": record.reason,
        "possible_duplicate": record.possible_duplicate,
        "metadata": record.metadata_values(),
    }


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso(at_ms)


def _event(event: Attributes) -> TimelineEvent:
    return TimelineEvent(
        type=str(event["type"]),
        timestamp=str(event["occurredAt"]),
        details=msgspec.json.decode(str(event["details"])),
    )


def message_id(record: Record) -> str | None:
    """SES's id of the last attempt that it accepted."""
    if not record.ids:
        return None
    return record.ids[max(record.ids, key=lambda attempt: int(attempt[1:]))]


def suppressed(item: Attributes) -> Suppressed:
    """An item of the suppression list."""
    ttl = item.get("ttl")
    return Suppressed(
        email=_text(item.get("address")),
        reason=str(item["reason"]),
        scope=str(item["scope"]),
        added_at=iso(_number(item["addedAt"])),
        bounce_type=_text(item.get("bounceType")),
        bounce_sub_type=_text(item.get("bounceSubType")),
        expires_at=None if ttl is None else iso(_number(ttl) * 1000),
    )


def _text(value: object) -> str | None:
    return str(value) if value else None


def _number(value: object) -> int:
    assert isinstance(value, int)  # noqa: S101 - as it is written
    return value
