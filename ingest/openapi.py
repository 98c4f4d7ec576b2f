"""The API's description (OpenAPI 3.1), made from the structs of its bodies. Pure."""

from typing import Any

import msgspec

from ingest import schemas
from ingest.errors import ERRORS, Code
from ingest.operations import HEADERS, OPERATIONS, PARAMETERS, Operation
from mailpipe import rules
from mailpipe.endpoints import TYPES

VERSION = "1.0.0"
NOT_BUILT = ("template",)
"""Fields of an e-mail that are refused with `not_supported`: they are not shown."""
_REF = "#/components/schemas/"


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
    raise NotImplementedError  # so a hook tells msgspec that it does not know a type


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
    "sendAt": "When it goes, at most 366 days away; a past time is now. RFC 3339 with its zone",
    "expiresAt": "It is not sent later; at most 27 days after `sendAt`, usually 3. RFC 3339",
    "inDoubt": "When SES may have sent it, nobody knows: `resend`, perhaps twice, or end `unknown`",
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
