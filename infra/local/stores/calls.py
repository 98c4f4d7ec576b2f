"""What a request to AWS asks for. Pure.

JSON protocols name the operation in `X-Amz-Target` (DynamoDB API reference, "DynamoDB low-level
API"; SQS API reference, "Making Query API requests using AWS JSON protocol"), the query protocol in
the form's `Action`, S3 by method and path. `uses` are IAM actions with the resource's name: batch
calls of SQS are allowed by the single action, PartiQL has actions of its own.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

import msgspec

_TARGETS = {"DynamoDB_20120810": "dynamodb", "AmazonSQS": "sqs", "secretsmanager": "secretsmanager"}
_CREDENTIAL = re.compile(r"Credential=([^/,\s]{1,128})/[^/]*/[^/]*/([^/]*)/aws4_request")
_VERB = re.compile(r"\s*(\w+)")
_TABLE = re.compile(r'(?:\bINTO|\bFROM|\A\s*UPDATE)\s+"([^"]+)"', re.IGNORECASE)
_PARTIQL = {"INSERT": "Insert", "UPDATE": "Update", "SELECT": "Select", "DELETE": "Delete"}
_S3 = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}

_S3_ACTIONS = {"HeadObject": "GetObject", "ListObjectsV2": "ListBucket"}
"""Where the action has another name (Service Authorization Reference, "Amazon S3")."""


class Call(NamedTuple):
    """`service.Operation`, the decoded request (JSON protocols), who calls, and what it uses."""

    operation: str
    request: dict[str, Any]
    caller: str
    uses: tuple[tuple[str, str], ...]

    @property
    def service(self) -> str:
        """`dynamodb` of `dynamodb.UpdateItem`."""
        return self.operation.partition(".")[0]

    @property
    def about(self) -> str:
        """What a fault's `match` is looked for in: the caller and the names of the resources."""
        return " ".join([self.caller, *sorted({resource for _, resource in self.uses})])


def read(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Call:
    """The call; `unknown.Unknown` when it cannot be told."""
    signed = _CREDENTIAL.search(headers.get("Authorization", ""))
    caller, service = (signed[1], signed[2]) if signed else ("", "")
    if target := headers.get("X-Amz-Target", ""):
        prefix, _, operation = target.partition(".")
        return _json_call(_TARGETS.get(prefix, prefix.lower()), operation, body, caller)
    if service == "s3":
        return _s3_call(method, path, caller)
    form = parse_qs(body.decode("utf-8", "replace"))
    if action := form.get("Action"):
        resource = next((form[one][0] for one in ("TopicArn", "Name") if one in form), "")
        resource = resource.rpartition(":")[2]
        used = ((f"{service}:{action[0]}", resource),)
        return Call(f"{service or 'unknown'}.{action[0]}", {}, caller, used)
    return Call("unknown.Unknown", {}, caller, ())


def _json_call(service: str, operation: str, body: bytes, caller: str) -> Call:
    try:
        request = msgspec.json.decode(body or b"{}", type=dict[str, Any])
        uses = _dynamodb_uses(operation, request) if service == "dynamodb" else []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, AttributeError):
        return Call("unknown.Unknown", {}, caller, ())
    if service != "dynamodb":
        action = operation.removesuffix("Batch") if service == "sqs" else operation
        names = (request.get("QueueUrl"), request.get("QueueName"), request.get("SecretId"))
        named = str(next(filter(None, names), ""))
        uses = [(f"{service}:{action}", named.rpartition("/")[2])]
    return Call(f"{service}.{operation}", request, caller, tuple(uses))


def _dynamodb_uses(operation: str, request: dict[str, Any]) -> list[tuple[str, str]]:
    if operation in ("BatchExecuteStatement", "ExecuteTransaction"):
        statements = request.get("Statements") or request.get("TransactStatements") or []
        return [_partiql(str(one.get("Statement", ""))) for one in statements]
    if operation == "ExecuteStatement":
        return [_partiql(str(request.get("Statement", "")))]
    if operation in ("BatchGetItem", "BatchWriteItem"):
        return [(f"dynamodb:{operation}", table) for table in request.get("RequestItems") or {}]
    table, index = request.get("TableName", ""), request.get("IndexName")
    return [(f"dynamodb:{operation}", f"{table}/index/{index}" if index else str(table))]


def _partiql(statement: str) -> tuple[str, str]:
    verb, table = _VERB.match(statement), _TABLE.search(statement)
    if verb is None or table is None:
        return "dynamodb:PartiQL", ""
    return f"dynamodb:PartiQL{_PARTIQL.get(verb[1].upper(), '')}", table[1]


def _s3_call(method: str, path: str, caller: str) -> Call:
    bucket, _, key = unquote(path.partition("?")[0]).lstrip("/").partition("/")
    operation = _S3.get(method, "Unknown") if key else "ListObjectsV2"
    action = _S3_ACTIONS.get(operation, operation)
    return Call(f"s3.{operation}", {}, caller, ((f"s3:{action}", bucket),))
