"""The API's description (OpenAPI 3.1), made from the structs of its bodies. Pure."""

from typing import Any, NamedTuple

import msgspec

from ingest import schemas
from ingest.batches import SendEmailsRequest
from ingest.decoding import SendEmailRequest
from ingest.errors import ERRORS, Code
from ingest.queries import MAX_LIMIT, STREAMS
from mailpipe import rules
from mailpipe.endpoints import TYPES
from mailpipe.listing import DEFAULT_LIMIT
from mailpipe.status import STATUSES

VERSION = "1.0.0"
NOT_BUILT = ("template", "sendAt", "expiresAt", "inDoubt")
"""Fields of an e-mail that are refused with `not_supported`: they are not shown."""

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
_REF = "#/components/schemas/"


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
        *("GET", "/emails", "listEmails", "E-mails", "List e-mails, the newest first"),
        answers={200: schemas.EmailsPage},
        scope="read",
        text="A page may be short, or empty, and have a next one: what a request reads is bounded."
        " New e-mails appear within about a second, and do not shift the pages of a list.",
        errors=("VALIDATION_ERROR",),
        parameters=(
            *("recipient", "status", "createdAfter", "createdBefore", "stream"),
            *("limit", "cursor"),
        ),
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


def document(constraints: list[str]) -> dict[str, Any]:
    """The whole description. `constraints` are all values of `details.constraint`."""
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mailpipe",
            "version": VERSION,
            "description": "Sends e-mail through Amazon SES and tells what became of it.",
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(constraints),
            "parameters": PARAMETERS,
            "headers": {
                name: {"description": text, "schema": {"type": "string"}}
                for name, (_, text) in HEADERS.items()
            },
            "securitySchemes": {"ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"}},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "responses": _responses(operation),
    }
    scope = f"Needs a key with the scope `{operation.scope}`." if operation.scope else ""
    if text := f"{operation.text} {scope}".strip():
        made["description"] = text
    if operation.scope:
        made["security"] = [{"ApiKey": []}]
    if operation.parameters:
        made["parameters"] = [
            {"$ref": f"#/components/parameters/{name}"} for name in operation.parameters
        ]
    if operation.body is not None:
        content = {"schema": _ref(operation.body), "example": operation.example}
        made["requestBody"] = {"required": True, "content": {"application/json": content}}
    return made


def _responses(operation: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for status, kind in operation.answers.items():
        made[str(status)] = _response(kind, (kind.__doc__ or "").strip(), operation.headers)
    for code in (*operation.all_errors, "INTERNAL_ERROR"):
        error = ERRORS[code]
        headers = ("RetryAfter",) if error.status in (429, 503) else ()
        response = _response(schemas.ErrorAnswer, f"`{code}`: {error.cause}", headers)
        response["content"]["application/json"]["example"] = _example(code)
        made[str(error.status)] = response
    if schemas.BatchAnswer in operation.answers.values():
        for failed in ("400", "503"):
            schema = {"anyOf": [_ref(schemas.ErrorAnswer), _ref(schemas.BatchAnswer)]}
            made[failed]["content"]["application/json"]["schema"] = schema
    return dict(sorted(made.items()))


def _response(kind: type[msgspec.Struct], text: str, headers: tuple[str, ...]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "description": text,
        "content": {"application/json": {"schema": _ref(kind)}},
    }
    if headers:
        made["headers"] = {
            HEADERS[name][0]: {"$ref": f"#/components/headers/{name}"} for name in headers
        }
    return made


def _example(code: Code) -> dict[str, Any]:
    error = ERRORS[code]
    example: dict[str, Any] = {"success": False, "error": code, "message": error.fix}
    if code == "VALIDATION_ERROR":
        example["message"] = "Missing required field: subject"
        example["details"] = {"field": "subject", "constraint": "required"}
    if code == "RATE_LIMIT_EXCEEDED":
        example["retryAfter"] = 1
    return example


def _ref(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REF + kind.__name__}


def _schemas(constraints: list[str]) -> dict[str, Any]:
    kinds: set[type[msgspec.Struct]] = {schemas.ErrorAnswer}
    kinds |= {one.body for one in OPERATIONS if one.body}
    kinds |= {kind for one in OPERATIONS for kind in one.answers.values()}
    ordered = sorted(kinds, key=lambda kind: kind.__name__)
    _, made = msgspec.json.schema_components(
        ordered, schema_hook=_anything, ref_template=_REF + "{name}"
    )
    for name in ("SendEmailRequest", "BatchEntry"):
        _limit(made[name]["properties"])
    made["ErrorAnswer"]["properties"]["error"]["enum"] = [*ERRORS]
    made["Details"]["properties"]["constraint"]["enum"] = constraints
    made["AddWebhook"]["properties"]["types"]["items"]["enum"] = [*TYPES]
    return dict(sorted(made.items()))


def _anything(kind: type) -> dict[str, Any]:
    if kind is object:
        return {"description": "Any JSON"}
    raise NotImplementedError


_FIELDS = {
    "to": "`ana@example.net` or `Ana <ana@example.net>`; to, cc and bcc hold at most 50 together",
    "from": "An address of a domain that your tenant may send from",
    "subject": "One line",
    "bodyText": "This, `bodyHtml` or both",
    "bodyHtml": "This, `bodyText` or both",
    "cc": "As `to`",
    "bcc": "As `to`; the others do not see them",
    "replyTo": "Where answers go",
    "attachments": "Files",
    "headers": "Of your own, as `X-Order`: printable ASCII",
    "metadata": "Comes back in the status and in every webhook; at most 4,096 bytes as JSON",
    "tags": "For SES's statistics: `A-Z a-z 0-9 _ -`",
    "stream": "`transactional` goes before `bulk`",
}


def _limit(properties: dict[str, Any]) -> None:
    """What `mailpipe/rules.py` holds e-mails to, as far as a schema can say it."""
    for name in NOT_BUILT:
        del properties[name]
    for name, text in _FIELDS.items():
        properties[name]["description"] = text
    for name in ("to", "cc", "bcc", "replyTo"):
        properties[name]["maxItems"] = rules.MAX_RECIPIENTS
    properties["to"]["minItems"] = 1
    properties["subject"] |= {"minLength": 1, "maxLength": rules.MAX_SUBJECT_CHARS}
    properties["headers"]["maxProperties"] = rules.MAX_HEADERS
    properties["tags"]["maxProperties"] = rules.MAX_TAGS
