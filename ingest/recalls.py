"""`POST /emails/{emailId}/cancel` and `POST /emails/{emailId}/reschedule`."""

from functools import partial

import msgspec
from aiohttp import web

from ingest import strict_json
from ingest.answers import answer
from ingest.errors import Refusal, invalid, not_found
from ingest.guard import Guard
from ingest.limits import FORM_BYTES
from ingest.schemas import Cancelled, Reschedule, Rescheduled
from mailpipe import logs
from mailpipe.recall import Recall
from mailpipe.records import Record
from mailpipe.rules import Violation
from mailpipe.times import strict_ms
from mailpipe.timing import iso, now_ms
from mailpipe.unsent import TooLate

REASON = "cancelled by its owner"

log = logs.get()

_decode = partial(strict_json.read, msgspec.json.Decoder(Reschedule))


class Recalls:
    """Cancels e-mails and gives them another time, while no sender has had them in hand."""

    def __init__(self, guard: Guard, recall: Recall) -> None:
        self._guard = guard
        self._recall = recall

    async def cancel(self, request: web.Request) -> web.Response:
        """Let an e-mail never be sent."""
        grant = await self._guard.admit(request, "send")
        email_id = request.match_info["emailId"]
        record = _found(await self._recall.cancel(email_id, grant.tenant, reason=REASON))
        log.info("email_cancelled", email_id=record.email_id)
        return answer(Cancelled(email_id=record.email_id))

    async def reschedule(self, request: web.Request) -> web.Response:
        """Let an e-mail go at another time."""
        grant = await self._guard.admit(request, "send")
        wanted = await self._guard.decoded(request, _decode, max_bytes=FORM_BYTES)
        email_id, at_ms = request.match_info["emailId"], _time(wanted.send_at)
        outcome = await self._recall.reschedule(email_id, grant.tenant, at_ms)
        if isinstance(outcome, Violation):
            raise invalid(outcome)
        record = _found(outcome)
        send_at = iso(record.send_at or record.created_at)
        log.info("email_rescheduled", email_id=record.email_id, send_at=send_at)
        status = record.shown(now_ms())
        return answer(Rescheduled(email_id=record.email_id, status=status, send_at=send_at))


def _found(outcome: Record | TooLate | None) -> Record:
    if outcome is None:
        raise not_found("There is no e-mail with this id.")
    if isinstance(outcome, TooLate):
        raise Refusal("CONFLICT", outcome.sentence)
    return outcome


def _time(text: str) -> int:
    try:
        return strict_ms(text)
    except ValueError:
        sentence = "sendAt is an RFC 3339 time with its zone, as 2026-11-24T10:00:00Z."
        raise invalid(Violation("sendAt", "time", sentence)) from None
