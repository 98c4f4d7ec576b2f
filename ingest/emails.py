"""`POST /send-email`, `POST /send-emails`, `GET /status/{emailId}`."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from aiohttp import web
from msgspec import UNSET, UnsetType

from ingest import batches, deadline, views
from ingest.acceptance import Acceptance, Conflict, Desk, Replayed, Taken
from ingest.answers import answer
from ingest.batches import KEY
from ingest.decoding import decode, quick
from ingest.errors import RETRY_AFTER_S, Code, Refusal, invalid, not_found, unavailable
from ingest.guard import Guard
from ingest.letters import Letters, Made
from ingest.limits import QUICK_BYTES
from ingest.schemas import Accepted, BatchAnswer, BatchResult, Details, Sent
from ingest.waiting import Waiters, preferred_wait_s
from mailpipe import logs, records, resources
from mailpipe.access import Grant
from mailpipe.aws.table import Tables
from mailpipe.bodies import Bodies
from mailpipe.messages import EmailMessage
from mailpipe.outcomes import CallFailed
from mailpipe.records import Record
from mailpipe.room import Room
from mailpipe.rules import Violation, is_id
from mailpipe.status import SCHEDULED, SENT
from mailpipe.times import born_as
from mailpipe.timing import iso, now_ms

REPLAYED = "Idempotent-Replayed"
BATCHES_BYTES = 512 * 1024
"""So much of batches is on its way to the queue at once, in bodies of requests: more at once would
cost each more (what one has begun is out of the processor's caches when it is gone on with). What
is so large that it is read in a thread takes no turn.
"""
STORE_FAILED = "A store does not answer; please try again."
CONFLICT = "This idempotency key stands for another e-mail already; use a new key."
TAKEN = "The id of this idempotency key is taken from outside your account; use a new key."

log = logs.get()


class Emails:
    """Sending, and looking at what was sent."""

    def __init__(
        self, guard: Guard, bodies: Bodies, desk: Desk, tables: Tables, *, retention_days: int
    ) -> None:
        self._guard = guard
        self._letters = Letters(bodies)
        self._desk = desk
        self._tables = tables
        self._waiters = Waiters(tables)
        self._retention_days = retention_days
        self._turns = Room(BATCHES_BYTES)

    async def send(self, request: web.Request) -> web.Response:
        """Take one e-mail: 202 when it is durable, 200 when it was sent while the client waited."""
        grant = await self._guard.admit(request, "send")
        decoded = await self._guard.decoded(request, decode, quick=quick)
        key = _one_key(request.headers.getall(KEY, ()))
        letter = await self._letters.of_one(decoded, grant, key)
        if isinstance(letter, Violation):
            raise invalid(letter)
        fate = await self._desk.take_one(
            letter, retention_days=self._days(grant), deadline=deadline.of(request)
        )
        if isinstance(fate, CallFailed):
            raise fate
        if isinstance(fate, Conflict):
            raise Refusal("IDEMPOTENCY_CONFLICT", TAKEN if fate.foreign else CONFLICT)
        return await self._answered(request, letter[0], fate)

    async def _answered(
        self, request: web.Request, message: EmailMessage, fate: Acceptance
    ) -> web.Response:
        email_id = message.email_id
        headers: dict[str, str] = {}
        record = None
        if isinstance(fate, Replayed):
            headers[REPLAYED], record = "true", fate.record
        wait_s = preferred_wait_s(request.headers.getall("Prefer", ()))
        if wait_s and not self._waiters.full and born_as(message) is not SCHEDULED:
            headers["Preference-Applied"] = f"wait={wait_s}"
            with deadline.paused(request):
                record = await self._waiters.ended(email_id, wait_s=wait_s) or record
            if record is not None and (sent := _sent(record)) is not None:
                return answer(sent, headers=headers)
        body = Accepted(email_id=email_id, status=born_as(message).status)
        if record is not None:
            body.status = views.status_now(record, now_ms=now_ms())
        return answer(body, status=202, headers=headers or None)

    async def send_many(self, request: web.Request) -> web.Response:
        """Take up to 500 e-mails; each has a result of its own."""
        grant = await self._guard.admit(request, "send")
        if KEY in request.headers:
            text = f"A batch has no {KEY} header; give each entry its own idempotencyKey."
            raise invalid(Violation(KEY, "not_supported", text))
        body = await self._guard.body(request)
        async with AsyncExitStack() as turn:
            if len(body) < QUICK_BYTES:
                await self._wait_for(turn, request, len(body))
            entries = await self._entries(body, grant)
            made = await self._letters.of_small(entries, grant)
            whole = [one for one in made if one is not None]
            if len(whole) < len(made):  # S3 may take long, and must not hold up other batches
                await turn.aclose()
                whole = await self._letters.with_large(entries, made, grant)
            letters = [one for one in whole if not isinstance(one, (Violation, CallFailed))]
            fates = await self._desk.take(
                letters,
                retention_days=self._days(grant),
                due_s=deadline.lifted(request),
                leave=turn.aclose,
            )
        return _batch_answer(_results(whole, fates))

    async def _wait_for(self, turn: AsyncExitStack, request: web.Request, size: int) -> None:
        """The batch has its turn until `turn` ends. Raises Refusal when it does not come early
        enough for the stores to answer in time.
        """
        try:
            async with asyncio.timeout_at(deadline.half_s(request)):
                await turn.enter_async_context(self._turns.take(size))
        except TimeoutError:
            raise unavailable("Too many batches are in hand; please try again.") from None

    async def _entries(self, body: bytes, grant: Grant) -> Sequence[batches.Entry]:
        """What the batch holds. Raises Refusal."""
        entries = await self._guard.read(body, batches.split, batches.quick)
        if len(entries) > batches.MAX_ENTRIES:
            text = f"{len(entries)} e-mails in one batch; at most {batches.MAX_ENTRIES}."
            raise Refusal(
                "PAYLOAD_TOO_LARGE", text, violation=Violation("emails", "max_items", text)
            )
        self._guard.spend_batch(grant, len(entries))
        return entries

    def _days(self, grant: Grant) -> int:
        return grant.settings.retained_days(self._retention_days)

    async def status(self, request: web.Request) -> web.Response:
        """Where an e-mail stands, with its timeline."""
        grant = await self._guard.admit(request, "read")
        email_id, item = request.match_info["emailId"], None
        if is_id(email_id):
            item = await self._tables.get(resources.EMAIL_TRACKING, {"emailId": email_id})
        if item is None or item["tenant"] != grant.tenant:
            raise not_found("There is no e-mail with this id.")
        events = await self._tables.partition(resources.EMAIL_EVENTS, email_id)
        return answer(views.status(records.read(item), events, now_ms=now_ms()))


def _one_key(given: list[str] | tuple[str, ...]) -> str | None:
    if len(given) > 1:
        raise invalid(Violation(KEY, "unique", f"The header {KEY} is there {len(given)} times."))
    return given[0] if given else None


def _sent(record: Record) -> Sent | None:
    message_id = views.message_id(record)
    if record.rank < SENT.rank or message_id is None or record.sent_at is None:
        return None
    return Sent(
        email_id=record.email_id,
        message_id=message_id,
        status=views.status_now(record, now_ms=now_ms()),
        sent_at=iso(record.sent_at),
    )


def _results(made: Sequence[Made], fates: Sequence[Acceptance]) -> list[BatchResult]:
    results, of_letters = list[BatchResult](), iter(fates)
    for index, one in enumerate(made):
        match one:
            case message, _:
                results.append(_result(message, next(of_letters)))
            case Violation():
                results.append(_violated(batches.placed(one, index)))
            case CallFailed():
                results.append(_unaccepted(one))
    return results


def _result(message: EmailMessage, fate: Acceptance) -> BatchResult:
    email_id = message.email_id
    match fate:
        case Taken():
            return BatchResult(success=True, email_id=email_id, status=born_as(message).status)
        case CallFailed():
            return _unaccepted(fate)
        case Conflict(foreign):
            return _failed("IDEMPOTENCY_CONFLICT", TAKEN if foreign else CONFLICT)
        case Replayed(record):
            status = views.status_now(record, now_ms=now_ms())
            return BatchResult(success=True, email_id=email_id, status=status)


def _unaccepted(fault: CallFailed) -> BatchResult:
    log.warning("not_accepted", code=fault.code)
    return _failed("SERVICE_UNAVAILABLE", STORE_FAILED, retry_after=RETRY_AFTER_S)


def _violated(violation: Violation) -> BatchResult:
    details = Details(field=violation.field, constraint=violation.constraint)
    return _failed("VALIDATION_ERROR", violation.message, details=details)


def _failed(
    code: Code,
    message: str,
    *,
    details: Details | UnsetType = UNSET,
    retry_after: int | UnsetType = UNSET,
) -> BatchResult:
    return BatchResult(
        success=False, error=code, message=message, details=details, retry_after=retry_after
    )


def _batch_answer(results: list[BatchResult]) -> web.Response:
    """202 when at least one e-mail was accepted; else the status of what kept them out: 503 when
    a repeat may help, 400 when not.
    """
    accepted = sum(one.success for one in results)
    refused = len(results) - accepted
    body = BatchAnswer(success=not refused, accepted=accepted, refused=refused, results=results)
    if accepted:
        return answer(body, status=202)
    if any(one.error == "SERVICE_UNAVAILABLE" for one in results):
        return answer(body, status=503, headers={"Retry-After": str(RETRY_AFTER_S)})
    return answer(body, status=400)
