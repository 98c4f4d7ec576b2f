"""What the API shows of a record. Pure."""

from typing import Any

import msgspec

from mailpipe.addresses import bare
from mailpipe.records import Attributes, Record
from mailpipe.status import shown
from mailpipe.timing import iso


def accepted(email_id: str) -> dict[str, Any]:
    """The answer to an e-mail that is durable."""
    return {"success": True, "emailId": email_id, "status": "pending"}


def status(record: Record, events: list[Attributes], *, now_ms: int) -> dict[str, Any]:
    """`GET /status/{emailId}`. `messageId` is SES's id of the last attempt that it accepted."""
    timeline = [_event(event) for event in events]
    if record.sent_at is not None:
        timeline.append({"type": "sent", "timestamp": iso(record.sent_at), "details": {}})
    timeline.sort(key=lambda event: str(event["timestamp"]))
    return {
        "emailId": record.email_id,
        "recipient": bare(record.recipients()[0]) if record.recipients() else None,
        "subject": record.subject,
        "status": shown(
            record.status, record.rank, lease_until_ms=record.lease_until, now_ms=now_ms
        ),
        "messageId": _message_id(record.ids),
        "createdAt": iso(record.created_at),
        "sentAt": None if record.sent_at is None else iso(record.sent_at),
        "lastUpdated": iso(record.updated_at),
        "reason": record.reason,
        "events": timeline,
        "metadata": record.metadata_values(),
    }


def _event(event: Attributes) -> dict[str, Any]:
    return {
        "type": event["type"],
        "timestamp": event["occurredAt"],
        "details": msgspec.json.decode(str(event["details"])),
    }


def _message_id(ids: dict[str, str]) -> str | None:
    if not ids:
        return None
    return ids[max(ids, key=lambda attempt: int(attempt[1:]))]
