"""Both sides of `call` and the errors that AWS documents; answers of what stands in between."""

import json
from typing import Any

import botocore.exceptions
import botocore.session
import pytest

from mailpipe.aws import dynamodb_operations as ddb
from mailpipe.aws import ses_operations as ses
from mailpipe.aws import sqs_operations as sqs
from mailpipe.aws.operations import Operation
from mailpipe.outcomes import Kind
from tests.integration.scripted_aws import GET, SEND, SIDES, Sides, always, answer, each

REQUESTS: list[tuple[Operation[Any, Any], Any]] = [
    (sqs.SEND_MESSAGE_BATCH, sqs.SendMessageBatch(queue_url="http://q", entries=[])),
    (sqs.RECEIVE_MESSAGE, sqs.ReceiveMessage(queue_url="http://q", max_number_of_messages=1)),
    (sqs.DELETE_MESSAGE_BATCH, sqs.DeleteMessageBatch(queue_url="http://q", entries=[])),
    (
        sqs.CHANGE_MESSAGE_VISIBILITY_BATCH,
        sqs.ChangeMessageVisibilityBatch(queue_url="http://q", entries=[]),
    ),
    (sqs.GET_QUEUE_ATTRIBUTES, sqs.GetQueueAttributes(queue_url="http://q", attribute_names=[])),
    (ddb.GET_ITEM, GET),
    (ddb.BATCH_GET_ITEM, ddb.BatchGetItem(request_items={})),
    (
        ddb.QUERY,
        ddb.Query(
            table_name="t",
            key_condition_expression="a",
            expression_attribute_names={},
            expression_attribute_values={},
        ),
    ),
    (ddb.PUT_ITEM, ddb.PutItem(table_name="t", item={})),
    (ddb.UPDATE_ITEM, ddb.UpdateItem(table_name="t", key={}, update_expression="SET a = b")),
    (ddb.BATCH_WRITE_ITEM, ddb.BatchWriteItem(request_items={})),
    (ddb.BATCH_EXECUTE_STATEMENT, ddb.BatchExecuteStatement(statements=[])),
    (ddb.TRANSACT_WRITE_ITEMS, ddb.TransactWriteItems(transact_items=[])),
    (ses.SEND_EMAIL, SEND),
    (ses.GET_ACCOUNT, ses.GetAccount()),
]
COMMON_ERRORS = {
    "AccessDeniedException": 400,
    "ExpiredTokenException": 403,
    "IncompleteSignature": 403,
    "InternalFailure": 500,
    "InternalServerError": 500,
    "InvalidClientTokenId": 403,
    "InvalidSignatureException": 403,
    "MalformedHttpRequestException": 400,
    "NotAuthorized": 400,
    "OptInRequired": 403,
    "RequestExpired": 400,
    "RequestTimeoutException": 408,
    "ServiceUnavailable": 503,
    "ThrottlingException": 400,
    "UnrecognizedClientException": 403,
    "UnknownOperationException": 404,
    "ValidationError": 400,
    "ValidationException": 400,
}
"""Any operation may answer them ("Common Errors" of the API references)."""


def documented(operation: Operation[Any, Any]) -> dict[str, int]:
    """HTTP status by code: the errors in botocore's model of the operation, and the common ones."""
    session, errors = botocore.session.get_session(), dict(COMMON_ERRORS)
    model = session.get_service_model(operation.service).operation_model(operation.name)
    for shape in model.error_shapes:
        said = shape.metadata.get("error", {})
        unsaid = 500 if shape.metadata.get("fault") else 400
        errors[shape.name] = said.get("httpStatusCode", unsaid)
    return errors


@pytest.mark.parametrize(
    ("operation", "request_"), REQUESTS, ids=[operation.name for operation, _ in REQUESTS]
)
async def test_every_documented_error_is_the_same_on_both_sides(
    sides: Sides, operation: Operation[Any, Any], request_: Any
) -> None:
    response = b""
    sides.serve = each(lambda: response)
    for code, status in documented(operation).items():
        if operation.service == "sesv2":
            named = {"X_Amzn_ErrorType": f"{code}:http://internal.amazon.com/"}
            response = answer(b'{"message":"why"}', status=status, **named)
        else:
            kind = f"com.amazonaws.{operation.service}#{code}"
            body = json.dumps({"__type": kind, "message": "why"}).encode()
            legacy = {"x_amzn_query_error": f"AWS.Old.{code};Sender"} if "Queue" in code else {}
            response = answer(body, status=status, **legacy)
        typed, other = [await sides.fails(one, operation, request_) for one in SIDES]
        assert (typed.kind, typed.code, typed.text) == (other.kind, other.code, other.text)
        assert typed.code.endswith(code)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (502, b"<html>Bad Gateway</html>", Kind.IN_DOUBT),
        (503, b"", Kind.IN_DOUBT),
        (403, b"<html>Forbidden by a proxy</html>", Kind.CONFIGURATION),
        (429, b"slow down", Kind.THROTTLED),
        (301, b"", Kind.CONFIGURATION),
    ],
)
async def test_what_stands_in_between_may_answer_in_any_form(
    sides: Sides, status: int, body: bytes, kind: Kind
) -> None:
    sides.serve = always(answer(body, status=status))
    for side in SIDES:
        failed = await sides.fails(side)
        assert (failed.kind, failed.code) == (kind, str(status)), side
