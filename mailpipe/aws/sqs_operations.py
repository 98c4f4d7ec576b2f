"""The SQS operations that we use (SQS API reference)."""

from typing import Any

import msgspec

from mailpipe.aws.operations import Answer, Discreet, Operation, Request


class StringAttribute(Discreet, rename="pascal", kw_only=True):
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


class Sent(Answer):
    """An entry that SQS has stored, with the MD5 of the body that it took."""

    id: str
    md5_of_message_body: str | None = msgspec.field(name="MD5OfMessageBody", default=None)


class SendAnswer(Answer):
    """SQS answers 200 with failures inside; only what is in `successful` is durable."""

    successful: list[Sent] = []
    failed: list[Failed] = []


class BatchAnswer(Answer):
    """SQS answers 200 with failures inside."""

    failed: list[Failed] = []


class ReceiveMessage(Request):
    """Long poll of `wait_time_seconds` (0-20) for at most 10 messages."""

    queue_url: str
    max_number_of_messages: int
    wait_time_seconds: int = 0
    visibility_timeout: int | None = None
    message_system_attribute_names: list[str] = []
    message_attribute_names: list[str] = []


class SqsMessage(Answer):
    """A received message."""

    message_id: str
    receipt_handle: str
    body: str = ""
    md5_of_body: str | None = msgspec.field(name="MD5OfBody", default=None)
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


class VisibilityEntry(Discreet, rename="pascal", kw_only=True):
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


MAX_ENTRIES = 10
"""Of any batch, and of what one receive brings."""
MAX_RECEIVE_BYTES = 12_000_000
"""Ten messages of 1 MiB, escaped as JSON."""

SEND_MESSAGE_BATCH = Operation[SendMessageBatch, SendAnswer]("sqs", "SendMessageBatch", SendAnswer)
RECEIVE_MESSAGE = Operation[ReceiveMessage, ReceiveAnswer](
    "sqs", "ReceiveMessage", ReceiveAnswer, max_bytes=MAX_RECEIVE_BYTES
)
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
