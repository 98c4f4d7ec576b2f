"""One typical request of each operation, 1.2 KB to a message."""

from typing import Any

from loadtest.transport.answers import BODY, RECORD
from mailpipe.aws import dynamodb_operations as ddb
from mailpipe.aws import ses_operations as ses
from mailpipe.aws import sqs_operations as sqs
from mailpipe.aws.operations import Operation
from mailpipe.statements import EmailStatements

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/mailpipe-mail-transactional"
KEY = {"emailId": RECORD["emailId"]}
TEN = range(10)
CLAIM = EmailStatements("mailpipe-").claim(
    "019a0000-0000-7000-8000-000000000000",
    "default",
    attempts=0,
    version=0,
    fingerprint=None,
    token="0123456789abcdef",  # noqa: S106 - a claim's, not a secret
    lease_until_ms=1_764_000_025_000,
)


def _statement() -> ddb.BatchStatement:
    values = [{"S": v} if isinstance(v, str) else {"N": str(v)} for v in CLAIM.parameters]
    return ddb.BatchStatement(
        statement=CLAIM.text, parameters=values, return_values_on_condition_check_failure="ALL_OLD"
    )


def _update(**more: Any) -> ddb.UpdateItem:
    return ddb.UpdateItem(
        table_name="t",
        key=KEY,
        update_expression="SET #s = :s, #r = :r, #u = :u",
        condition_expression="#r < :r",
        expression_attribute_names={"#s": "status", "#r": "rank", "#u": "updatedAt"},
        expression_attribute_values={
            ":s": {"S": "sent"},
            ":r": {"N": "20"},
            ":u": {"N": "1764000000000"},
        },
        **more,
    )


def _mail() -> ses.SendEmail:
    return ses.SendEmail(
        from_email_address="Shop <noreply@example.com>",
        destination=ses.Destination(to_addresses=["someone@example.net"]),
        content=ses.EmailContent(
            simple=ses.Simple(
                subject=ses.Content(data="Order 7 shipped"),
                body=ses.Body(text=ses.Content(data="x" * 600), html=ses.Content(data="y" * 600)),
                headers=[ses.Header(name="X-Email-Id", value="019a0000")],
            )
        ),
        configuration_set_name="enterprise-email",
        email_tags=[
            ses.Tag(name=name, value="1") for name in ("email_id", "attempt", "tenant", "stream")
        ],
    )


HOT: dict[str, tuple[Operation[Any, Any], Any]] = {
    "SendMessageBatch(10)": (
        sqs.SEND_MESSAGE_BATCH,
        sqs.SendMessageBatch(
            queue_url=URL,
            entries=[
                sqs.SendEntry(id=str(n), message_body=BODY, message_group_id="t") for n in TEN
            ],
        ),
    ),
    "ReceiveMessage(10)": (
        sqs.RECEIVE_MESSAGE,
        sqs.ReceiveMessage(
            queue_url=URL,
            max_number_of_messages=10,
            wait_time_seconds=5,
            message_system_attribute_names=["ApproximateReceiveCount", "SentTimestamp"],
            message_attribute_names=["All"],
        ),
    ),
    "DeleteMessageBatch(10)": (
        sqs.DELETE_MESSAGE_BATCH,
        sqs.DeleteMessageBatch(
            queue_url=URL,
            entries=[sqs.DeleteEntry(id=str(n), receipt_handle="r" * 180) for n in TEN],
        ),
    ),
    "SendEmail": (ses.SEND_EMAIL, _mail()),
    "UpdateItem": (ddb.UPDATE_ITEM, _update(return_values="ALL_NEW")),
    "GetItem": (ddb.GET_ITEM, ddb.GetItem(table_name="t", key=KEY, consistent_read=True)),
    "BatchExecuteStatement(25)": (
        ddb.BATCH_EXECUTE_STATEMENT,
        ddb.BatchExecuteStatement(statements=[_statement() for _ in range(25)]),
    ),
    "Query(10)": (
        ddb.QUERY,
        ddb.Query(
            table_name="t",
            key_condition_expression="#p = :p",
            expression_attribute_names={"#p": "emailId"},
            expression_attribute_values={":p": RECORD["emailId"]},
            consistent_read=True,
        ),
    ),
}
"""What every mail needs: held to a ratio."""

OTHERS: dict[str, tuple[Operation[Any, Any], Any]] = {
    "ChangeMessageVisibilityBatch(10)": (
        sqs.CHANGE_MESSAGE_VISIBILITY_BATCH,
        sqs.ChangeMessageVisibilityBatch(
            queue_url=URL,
            entries=[
                sqs.VisibilityEntry(id=str(n), receipt_handle="r" * 180, visibility_timeout=60)
                for n in TEN
            ],
        ),
    ),
    "GetQueueAttributes": (
        sqs.GET_QUEUE_ATTRIBUTES,
        sqs.GetQueueAttributes(queue_url=URL, attribute_names=["All"]),
    ),
    "GetAccount": (ses.GET_ACCOUNT, ses.GetAccount()),
    "BatchGetItem(25)": (
        ddb.BATCH_GET_ITEM,
        ddb.BatchGetItem(
            request_items={
                "t": ddb.KeysAndAttributes(keys=[{"emailId": {"S": str(n)}} for n in range(25)])
            }
        ),
    ),
    "PutItem": (ddb.PUT_ITEM, ddb.PutItem(table_name="t", item=RECORD)),
    "BatchWriteItem(25)": (
        ddb.BATCH_WRITE_ITEM,
        ddb.BatchWriteItem(
            request_items={"t": [ddb.Write(put_request=ddb.Put(item=RECORD)) for _ in range(25)]}
        ),
    ),
    "TransactWriteItems(2)": (
        ddb.TRANSACT_WRITE_ITEMS,
        ddb.TransactWriteItems(
            transact_items=[
                ddb.TransactWrite(put=ddb.PutItem(table_name="t", item=RECORD)),
                ddb.TransactWrite(update=_update()),
            ]
        ),
    ),
}
