"""The AWS operations that we use: a struct for each request and each answer.

Field names are AWS's members in snake case. Only members that we need are declared; an unknown
member of an answer is ignored, an unset one of a request is left out.
"""

from typing import Any, Generic, NamedTuple, TypeVar

from msgspec import Struct

Item = dict[str, dict[str, Any]]
"""A DynamoDB item: attribute name to typed value (`{"S": "text"}`)."""

Q = TypeVar("Q", bound=Struct)
A = TypeVar("A", bound=Struct)


class Operation(NamedTuple, Generic[Q, A]):
    """An operation by its service, its name and the struct of its answer."""

    service: str
    name: str
    answer: type[A]


class Request(Struct, rename="pascal", omit_defaults=True, kw_only=True):
    """Base of all requests."""


class Answer(Struct, rename="pascal", kw_only=True):
    """Base of all answers; what AWS leaves out has a default."""


# --- SQS ------------------------------------------------------------------------------------------
class StringAttribute(Struct, rename="pascal", kw_only=True):
    """A message attribute of type String (its type must travel, so no default is omitted)."""

    string_value: str
    data_type: str = "String"


class SendEntry(Request):
    """One message to send; `id` is unique within the batch."""

    id: str
    message_body: str
    delay_seconds: int = 0
    message_group_id: str | None = None
    message_attributes: dict[str, StringAttribute] = {}


class SendMessageBatch(Request):
    """At most 10 entries, 1 MiB together."""

    queue_url: str
    entries: list[SendEntry]


class Failed(Answer):
    """The fate of one entry that did not succeed."""

    id: str
    code: str
    message: str = ""
    sender_fault: bool = False


class BatchAnswer(Answer):
    """SQS answers 200 with failures inside."""

    failed: list[Failed] = []


class ReceiveMessage(Request):
    """Long poll of `wait_time_seconds` (0-20) for at most 10 messages."""

    queue_url: str
    max_number_of_messages: int
    wait_time_seconds: int = 0
    message_system_attribute_names: list[str] = []
    message_attribute_names: list[str] = []


class SqsMessage(Answer):
    """A received message."""

    message_id: str
    receipt_handle: str
    body: str = ""
    attributes: dict[str, str] = {}
    message_attributes: dict[str, dict[str, Any]] = {}


class ReceiveAnswer(Answer):
    """SQS leaves `Messages` out when there are none."""

    messages: list[SqsMessage] = []


class DeleteEntry(Request):
    """A message to delete."""

    id: str
    receipt_handle: str


class DeleteMessageBatch(Request):
    """At most 10 entries."""

    queue_url: str
    entries: list[DeleteEntry]


class VisibilityEntry(Struct, rename="pascal", kw_only=True):
    """A message to hide for `visibility_timeout` seconds from now (0 = hand back)."""

    id: str
    receipt_handle: str
    visibility_timeout: int


class ChangeMessageVisibilityBatch(Request):
    """At most 10 entries."""

    queue_url: str
    entries: list[VisibilityEntry]


class GetQueueUrl(Request):
    """The URL of a queue of this account."""

    queue_name: str


class QueueUrlAnswer(Answer):
    """The URL."""

    queue_url: str


class GetQueueAttributes(Request):
    """With no names AWS answers nothing."""

    queue_url: str
    attribute_names: list[str]


class AttributesAnswer(Answer):
    """All values are text."""

    attributes: dict[str, str] = {}


SEND_MESSAGE_BATCH = Operation[SendMessageBatch, BatchAnswer](
    "sqs", "SendMessageBatch", BatchAnswer
)
RECEIVE_MESSAGE = Operation[ReceiveMessage, ReceiveAnswer]("sqs", "ReceiveMessage", ReceiveAnswer)
DELETE_MESSAGE_BATCH = Operation[DeleteMessageBatch, BatchAnswer](
    "sqs", "DeleteMessageBatch", BatchAnswer
)
CHANGE_MESSAGE_VISIBILITY_BATCH = Operation[ChangeMessageVisibilityBatch, BatchAnswer](
    "sqs", "ChangeMessageVisibilityBatch", BatchAnswer
)
GET_QUEUE_URL = Operation[GetQueueUrl, QueueUrlAnswer]("sqs", "GetQueueUrl", QueueUrlAnswer)
GET_QUEUE_ATTRIBUTES = Operation[GetQueueAttributes, AttributesAnswer](
    "sqs", "GetQueueAttributes", AttributesAnswer
)


# --- DynamoDB -------------------------------------------------------------------------------------
class BatchStatement(Request):
    """One PartiQL statement; on a failed condition AWS returns the item as it is."""

    statement: str
    parameters: list[dict[str, Any]]
    return_values_on_condition_check_failure: str | None = None


class BatchExecuteStatement(Request):
    """At most 25 statements, all reads or all writes."""

    statements: list[BatchStatement]


class StatementError(Answer):
    """Why one statement was not applied."""

    code: str
    message: str = ""
    item: Item | None = None


class StatementAnswer(Answer):
    """The fate of one statement."""

    error: StatementError | None = None
    item: Item | None = None


class BatchStatementAnswer(Answer):
    """In the order of the request."""

    responses: list[StatementAnswer] = []


class GetItem(Request):
    """One item by its key."""

    table_name: str
    key: Item
    consistent_read: bool = False


class ItemAnswer(Answer):
    """None when there is no such item."""

    item: Item | None = None


class KeysAndAttributes(Request):
    """Keys of one table."""

    keys: list[Item]
    consistent_read: bool = False


class BatchGetItem(Request):
    """At most 100 keys."""

    request_items: dict[str, KeysAndAttributes]


class BatchGetAnswer(Answer):
    """Items by table; keys that were not read are in `unprocessed_keys`."""

    responses: dict[str, list[Item]] = {}
    unprocessed_keys: dict[str, Any] = {}


class Query(Request):
    """The items of one partition, in the order of the sort key."""

    table_name: str
    key_condition_expression: str
    expression_attribute_names: dict[str, str]
    expression_attribute_values: Item
    exclusive_start_key: Item | None = None
    consistent_read: bool = False
    limit: int | None = None


class QueryAnswer(Answer):
    """A page; `last_evaluated_key` is set when there is more."""

    items: list[Item] = []
    last_evaluated_key: Item | None = None


BATCH_EXECUTE_STATEMENT = Operation[BatchExecuteStatement, BatchStatementAnswer](
    "dynamodb", "BatchExecuteStatement", BatchStatementAnswer
)
GET_ITEM = Operation[GetItem, ItemAnswer]("dynamodb", "GetItem", ItemAnswer)
BATCH_GET_ITEM = Operation[BatchGetItem, BatchGetAnswer]("dynamodb", "BatchGetItem", BatchGetAnswer)
QUERY = Operation[Query, QueryAnswer]("dynamodb", "Query", QueryAnswer)


# --- SES v2 ---------------------------------------------------------------------------------------
class Destination(Request):
    """Bare addresses, domains in Punycode; at most 50 together."""

    to_addresses: list[str]
    cc_addresses: list[str] = []
    bcc_addresses: list[str] = []


class Content(Struct, rename="pascal", kw_only=True):
    """Text in UTF-8."""

    data: str
    charset: str = "UTF-8"


class Body(Request):
    """Text, HTML, or both."""

    text: Content | None = None
    html: Content | None = None


class Header(Request):
    """A custom header."""

    name: str
    value: str


class Simple(Request):
    """A message that SES composes."""

    subject: Content
    body: Body
    headers: list[Header] = []


class EmailContent(Request):
    """Exactly one form; we use Simple."""

    simple: Simple


class Tag(Request):
    """An `EmailTags` entry; SES repeats it in every event."""

    name: str
    value: str


class SendEmail(Request):
    """One call to SES. There is no idempotency token: never repeat one blindly."""

    from_email_address: str
    destination: Destination
    content: EmailContent
    configuration_set_name: str
    email_tags: list[Tag]
    reply_to_addresses: list[str] = []


class SendEmailAnswer(Answer):
    """SES's id of the message."""

    message_id: str


class GetAccount(Request):
    """No parameters; one call a second per account."""


class SendQuota(Answer):
    """Recipients per rolling 24 h (-1: unlimited), per second, and counted so far."""

    max24_hour_send: float = 0.0
    max_send_rate: float = 0.0
    sent_last24_hours: float = 0.0


class AccountAnswer(Answer):
    """What SES allows this account."""

    send_quota: SendQuota
    sending_enabled: bool = True


SEND_EMAIL = Operation[SendEmail, SendEmailAnswer]("sesv2", "SendEmail", SendEmailAnswer)
GET_ACCOUNT = Operation[GetAccount, AccountAnswer]("sesv2", "GetAccount", AccountAnswer)
