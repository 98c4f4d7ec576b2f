"""What the API offers: every method of every route, with its parameters and answers. Pure."""

from typing import Any, NamedTuple

import msgspec

from ingest import schemas
from ingest.batches import SendEmailsRequest
from ingest.decoding import SendEmailRequest
from ingest.errors import Code
from ingest.queries import MAX_LIMIT, STREAMS
from mailpipe.endpoints import TYPES
from mailpipe.explain import Explanation
from mailpipe.listing import DEFAULT_LIMIT
from mailpipe.status import STATUSES

_ADMITTED: tuple[Code, ...] = (
    "UNAUTHORIZED",
    "FORBIDDEN",
    "RATE_LIMIT_EXCEEDED",
    "SERVICE_UNAVAILABLE",
)
_BODY: tuple[Code, ...] = (
    "VALIDATION_ERROR",
    "REQUEST_TIMEOUT",
    "PAYLOAD_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
)


class Operation(NamedTuple):
    """One method of one route. `answers` are bodies by status, beside the errors."""

    method: str
    path: str
    name: str
    tag: str
    summary: str
    answers: dict[int, type[msgspec.Struct]]
    scope: str | None = None
    text: str = ""
    body: type[msgspec.Struct] | None = None
    example: dict[str, Any] | None = None
    errors: tuple[Code, ...] = ()
    parameters: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()

    @property
    def all_errors(self) -> tuple[Code, ...]:
        """The codes that it may answer with, a fault of ours apart."""
        admitted = _ADMITTED if self.scope else ()
        return (*self.errors, *(_BODY if self.body else ()), *admitted)


_EMAIL = {
    "to": ["Ana <ana@example.net>"],
    "from": "Shop <noreply@example.com>",
    "subject": "Welcome",
    "bodyText": "Hello!",
    "bodyHtml": "<p>Hello!</p>",
    "metadata": {"userId": "12345"},
    "tags": {"campaign": "welcome"},
}

OPERATIONS = (
    Operation(
        *("POST", "/send-email", "sendEmail", "E-mails", "Send one e-mail"),
        answers={200: schemas.Sent, 202: schemas.Accepted},
        scope="send",
        text="202: the e-mail is durable. With `Prefer: wait=N` 200, once SES has accepted it, if"
        " that is within N seconds. Under an Idempotency-Key a repeat is the same e-mail: give one,"
        " and every answer but 400 and 409 may be answered by sending the request again.",
        body=SendEmailRequest,
        example=_EMAIL,
        errors=("IDEMPOTENCY_CONFLICT",),
        parameters=("IdempotencyKey", "Prefer"),
        headers=("IdempotentReplayed", "PreferenceApplied"),
    ),
    Operation(
        *("POST", "/send-emails", "sendEmails", "E-mails", "Send up to 500 e-mails"),
        answers={202: schemas.BatchAnswer},
        scope="send",
        text="`results` has an answer for each entry, in order: accepted with its id, or its error,"
        " whose field is like `emails[3].to[0]`. 202: at least one was accepted. When none was, the"
        " answer is 503 if a repeat may help, else 400. The default stream is `bulk`.",
        body=SendEmailsRequest,
        example={"emails": [_EMAIL, {**_EMAIL, "idempotencyKey": "order-4711"}]},
    ),
    Operation(
        *("GET", "/status/{emailId}", "getStatus", "E-mails", "Where an e-mail stands"),
        answers={200: schemas.StatusAnswer},
        scope="read",
        text="Read consistently: what the pipeline has written is shown.",
        errors=("NOT_FOUND",),
        parameters=("emailId",),
    ),
    Operation(
        *("POST", "/emails/{emailId}/cancel", "cancelEmail", "E-mails", "Let it not be sent"),
        answers={200: schemas.Cancelled},
        scope="send",
        text="Until a sender has had it in hand: then 409, whose message names the status. Twice is"
        " 200 twice. A 404 of an e-mail that was put onto the queue just now, not by this API, may"
        " mean that it has no record yet: try again.",
        errors=("NOT_FOUND", "CONFLICT"),
        parameters=("emailId",),
    ),
    Operation(
        *("POST", "/emails/{emailId}/reschedule", "rescheduleEmail", "E-mails"),
        "Let it go at another time",
        answers={200: schemas.Rescheduled},
        scope="send",
        text="Until a sender has had it in hand: then 409, whose message names the status. At most"
        " 366 days after it was accepted, and before it expires. Twice is 200 twice.",
        body=schemas.Reschedule,
        example={"sendAt": "2026-11-24T09:00:00+01:00"},
        errors=("NOT_FOUND", "CONFLICT"),
        parameters=("emailId",),
    ),
    Operation(
        *("GET", "/emails", "listEmails", "E-mails", "List e-mails, the newest first"),
        answers={200: schemas.EmailsPage},
        scope="read",
        text="A page may be short, or empty, and have a next one: what a request reads is bounded."
        " New e-mails appear a little later, and do not shift the pages of a list.",
        errors=("VALIDATION_ERROR",),
        parameters=(
            *("recipient", "status", "createdAfter", "createdBefore", "stream"),
            *("limit", "cursor"),
        ),
    ),
    Operation(
        *("GET", "/emails/{emailId}/explain", "explainEmail", "E-mails"),
        "Why an e-mail stands as it does",
        answers={200: Explanation},
        scope="read",
        text="In one sentence, and in its parts: what it waits for, since when, what binds, when it"
        " should go on. What other mail it waits behind is at most 5 seconds old, and about right.",
        errors=("NOT_FOUND",),
        parameters=("emailId",),
    ),
    Operation(
        *("POST", "/suppression/add", "addSuppression", "Suppression", "Suppress an address"),
        answers={200: schemas.SuppressedAnswer},
        scope="admin",
        text="From now on no mail goes there. An entry that stops as much already stays as it is.",
        body=schemas.AddSuppression,
        example={"email": "ana@example.net", "scope": "all"},
    ),
    Operation(
        *("DELETE", "/suppression/{email}", "removeSuppression", "Suppression"),
        "Take an address off the list",
        answers={200: schemas.Removed},
        scope="admin",
        errors=("VALIDATION_ERROR", "NOT_FOUND"),
        parameters=("email",),
    ),
    Operation(
        *("GET", "/suppression", "listSuppression", "Suppression", "List suppressed addresses"),
        answers={200: schemas.SuppressionPage},
        scope="read",
        errors=("VALIDATION_ERROR",),
        parameters=("limit", "cursor"),
    ),
    Operation(
        *("POST", "/webhooks", "createWebhook", "Webhooks", "Make an endpoint for events"),
        answers={201: schemas.CreatedWebhook},
        scope="admin",
        text=f"Types of events: {', '.join(TYPES)}. The secret is shown in this answer only.",
        body=schemas.AddWebhook,
        example={"url": "https://example.com/hooks/mail", "types": ["email.bounced"]},
    ),
    Operation(
        *("GET", "/webhooks", "listWebhooks", "Webhooks", "List the endpoints"),
        answers={200: schemas.WebhookList},
        scope="read",
    ),
    Operation(
        *("DELETE", "/webhooks/{id}", "deleteWebhook", "Webhooks", "Remove an endpoint"),
        answers={200: schemas.Removed},
        scope="admin",
        errors=("NOT_FOUND",),
        parameters=("id",),
    ),
    Operation(
        *("GET", "/health", "getHealth", "Service", "Whether this process answers"),
        answers={200: schemas.Health},
    ),
)


def _parameter(
    place: str, name: str, text: str, *, required: bool = False, **schema: Any
) -> dict[str, Any]:
    schema.setdefault("type", "string")
    return {
        "in": place,
        "name": name,
        "description": text,
        "required": required,
        "schema": schema,
    }


PARAMETERS = {
    "IdempotencyKey": _parameter(
        *("header", "Idempotency-Key"),
        "Names this e-mail for as long as its record is kept: a repeat is the same e-mail.",
        pattern="^[!-~]([ -~]{0,254}[!-~])?$",
    ),
    "Prefer": _parameter(
        *("header", "Prefer"),
        "`wait=N` (RFC 7240): seconds, at most 30, to hold the answer until the e-mail is sent.",
        examples=["wait=5"],
    ),
    "emailId": _parameter("path", "emailId", "The id that was answered", required=True),
    "email": _parameter("path", "email", "The address", required=True),
    "id": _parameter("path", "id", "The endpoint's id", required=True),
    "recipient": _parameter("query", "recipient", "An address among to, cc and bcc"),
    "status": _parameter("query", "status", "The status now", enum=[*STATUSES]),
    "createdAfter": _parameter(
        "query", "createdAfter", "Accepted at this time or later", format="date-time"
    ),
    "createdBefore": _parameter(
        "query", "createdBefore", "Accepted before this time", format="date-time"
    ),
    "stream": _parameter("query", "stream", "The stream", enum=[*STREAMS]),
    "limit": _parameter(
        *("query", "limit", "At most so many"),
        type="integer",
        minimum=1,
        maximum=MAX_LIMIT,
        default=DEFAULT_LIMIT,
    ),
    "cursor": _parameter("query", "cursor", "`nextCursor` of the page before"),
}

HEADERS = {
    "IdempotentReplayed": (
        "Idempotent-Replayed",
        "`true`: this e-mail was accepted before, under the same key",
    ),
    "PreferenceApplied": ("Preference-Applied", "`wait=N`, when the answer was held for it"),
    "RetryAfter": ("Retry-After", "Seconds until a repeat may succeed"),
}
