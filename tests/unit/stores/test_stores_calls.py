"""What a request to AWS asks for, as values."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.stores.calls import read


def signed(service: str, **more: str) -> dict[str, str]:
    """Headers of a call that `sender` signed."""
    scope = f"Credential=sender/20261124/us-east-1/{service}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0", **more}


def uses(target: str, **request: Any) -> tuple[tuple[str, str], ...]:
    """What a JSON call uses."""
    service = "sqs" if "SQS" in target else "dynamodb"
    headers = signed(service, **{"X-Amz-Target": target})
    call = read("POST", "/", headers, json.dumps(request).encode())
    assert call.caller == "sender"
    return call.uses


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("SendMessage", "SendMessage"),
        ("SendMessageBatch", "SendMessage"),
        ("DeleteMessageBatch", "DeleteMessage"),
        ("ChangeMessageVisibilityBatch", "ChangeMessageVisibility"),
        ("ReceiveMessage", "ReceiveMessage"),
    ],
)
def test_batches_of_sqs_use_the_single_action(operation: str, action: str) -> None:
    used = uses(f"AmazonSQS.{operation}", QueueUrl="http://localhost/000000000000/mail")
    assert used == ((f"sqs:{action}", "mail"),)


def test_the_queue_may_be_named() -> None:
    assert uses("AmazonSQS.GetQueueUrl", QueueName="mail") == (("sqs:GetQueueUrl", "mail"),)


def test_dynamodb_uses_its_tables() -> None:
    api = "DynamoDB_20120810"
    assert uses(f"{api}.GetItem", TableName="T") == (("dynamodb:GetItem", "T"),)
    query = uses(f"{api}.Query", TableName="T", IndexName="I")
    assert query == (("dynamodb:Query", "T/index/I"),)
    items = {"A": {"Keys": []}, "B": {"Keys": []}}
    assert uses(f"{api}.BatchGetItem", RequestItems=items) == (
        ("dynamodb:BatchGetItem", "A"),
        ("dynamodb:BatchGetItem", "B"),
    )


@pytest.mark.parametrize(
    ("statement", "used"),
    [
        ('INSERT INTO "T" VALUE {}', ("dynamodb:PartiQLInsert", "T")),
        ('UPDATE "T" SET "a"=? WHERE "id"=?', ("dynamodb:PartiQLUpdate", "T")),
        ('select "a" from "T"."byDay"', ("dynamodb:PartiQLSelect", "T")),
        ('DELETE FROM "T" WHERE "id"=?', ("dynamodb:PartiQLDelete", "T")),
        ("nonsense", ("dynamodb:PartiQL", "")),
    ],
)
def test_partiql_has_actions_of_its_own(statement: str, used: tuple[str, str]) -> None:
    api = "DynamoDB_20120810"
    assert uses(f"{api}.ExecuteStatement", Statement=statement) == (used,)
    both = [{"Statement": statement}] * 2
    assert uses(f"{api}.BatchExecuteStatement", Statements=both) == (used, used)


def test_the_query_protocol_and_s3_are_read() -> None:
    body = b"Action=PublishBatch&TopicArn=arn:aws:sns:us-east-1:0:events"
    call = read("POST", "/", signed("sns"), body)
    assert (call.operation, call.uses) == ("sns.PublishBatch", (("sns:PublishBatch", "events"),))
    call = read("PUT", "/bucket/a%2Fb/c?x=1", signed("s3"), b"")
    assert (call.operation, call.uses) == ("s3.PutObject", (("s3:PutObject", "bucket"),))
    assert read("GET", "/bucket?list-type=2", signed("s3"), b"").operation == "s3.ListObjectsV2"


def test_a_batch_of_the_wrong_form_is_unknown() -> None:
    for body in (b'{"Statements": 5}', b'{"RequestItems": 5}', b'{"Statements": [5]}'):
        for operation in ("BatchExecuteStatement", "BatchGetItem"):
            target = {"X-Amz-Target": f"DynamoDB_20120810.{operation}"}
            assert read("POST", "/", target, body).operation


@given(st.binary(max_size=60), st.sampled_from(["DynamoDB_20120810.PutItem", "AmazonSQS.X", ""]))
def test_no_request_breaks_it(body: bytes, target: str) -> None:
    headers = {"X-Amz-Target": target} if target else {}
    assert "." in read("POST", "/", headers, body).operation
