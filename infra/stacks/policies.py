"""What each service may do on AWS: exactly what it is seen to call. Pure.

`tests/acceptance/test_policies.py` compares these lists with recorded calls, both ways. Batch calls
of SQS are allowed by the single action (SQS Developer Guide, "Amazon SQS API permissions"); PartiQL
has actions of its own (DynamoDB Developer Guide, "IAM security policies with PartiQL").
"""

from typing import NamedTuple

from mailpipe import resources

LISTS_OF_MAIL = ((resources.EMAIL_TRACKING, "byRecipient"), (resources.EMAIL_TRACKING, "byDay"))
OPEN_MAIL = ((resources.EMAIL_TRACKING, "byState"),)
QUEUES_OF_MAIL = (resources.MAIL_TRANSACTIONAL, resources.MAIL_BULK)
_WHEREABOUTS, _SEND = "sqs:GetQueueUrl", "sqs:SendMessage"
_CONSUME = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility")
FOR_404 = "s3:ListBucket"
"""Never called. Without it S3 answers 403 for an object that is not there (S3 API reference,
"GetObject"), and a missing body could not be told from a wrong policy."""
_INSERT, _UPDATE = "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"
_DELETE = "dynamodb:PartiQLDelete"


class Grant(NamedTuple):
    """These actions on these queues, tables and indexes (each a table and the index's name), on the
    bodies, or on their bucket.
    """

    actions: tuple[str, ...]
    queues: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    indexes: tuple[tuple[str, str], ...] = ()
    bodies: bool = False
    bucket: bool = False


def _consumer(*queues: str) -> tuple[Grant, Grant]:
    """Take messages from these queues; put what cannot be read into their dead-letter queues."""
    dead = tuple(map(resources.dead, queues))
    return Grant((_WHEREABOUTS, *_CONSUME), queues), Grant((_WHEREABOUTS, _SEND), dead)


GRANTS: dict[str, tuple[Grant, ...]] = {
    "ingest": (
        Grant((_WHEREABOUTS, _SEND, "sqs:GetQueueAttributes"), queues=QUEUES_OF_MAIL),
        Grant((_WHEREABOUTS, _SEND), queues=(resources.SES_EVENTS,)),
        Grant((_INSERT, _UPDATE, "dynamodb:BatchGetItem"), tables=(resources.EMAIL_TRACKING,)),
        Grant(
            (_INSERT, _UPDATE, _DELETE, "dynamodb:BatchGetItem", "dynamodb:Query"),
            tables=(resources.DUE_ITEMS,),
        ),
        Grant(("dynamodb:Query",), indexes=LISTS_OF_MAIL),
        Grant(("dynamodb:Query",), tables=(resources.EMAIL_EVENTS, resources.COORDINATION)),
        Grant(("dynamodb:BatchGetItem",), tables=(resources.ACCESS,)),
        Grant(
            (_INSERT, _DELETE, "dynamodb:BatchGetItem", "dynamodb:Query"),
            tables=(resources.SUPPRESSION_LIST, resources.WEBHOOK_ENDPOINTS),
        ),
        Grant((_UPDATE,), tables=(resources.SUPPRESSION_LIST,)),
        Grant(("s3:GetObject", "s3:PutObject"), bodies=True),
        Grant((FOR_404,), bucket=True),
    ),
    "sender": (
        *_consumer(*QUEUES_OF_MAIL),
        Grant((_WHEREABOUTS, _SEND), queues=(resources.SES_EVENTS,)),
        Grant((_INSERT, _UPDATE, "dynamodb:BatchGetItem"), tables=(resources.EMAIL_TRACKING,)),
        Grant(("dynamodb:Query",), indexes=OPEN_MAIL),
        Grant(("dynamodb:BatchGetItem",), tables=(resources.SUPPRESSION_LIST, resources.ACCESS)),
        Grant((_INSERT, _UPDATE, _DELETE, "dynamodb:Query"), tables=(resources.COORDINATION,)),
        Grant(("dynamodb:UpdateItem",), tables=(resources.COORDINATION,)),
        Grant(
            (_INSERT, _UPDATE, _DELETE, "dynamodb:BatchGetItem", "dynamodb:Query"),
            tables=(resources.DUE_ITEMS,),
        ),
        Grant((_SEND, "sqs:GetQueueAttributes"), queues=QUEUES_OF_MAIL),
        Grant(("s3:GetObject", "s3:PutObject"), bodies=True),
        Grant((FOR_404,), bucket=True),
    ),
    "processor": (
        *_consumer(resources.SES_EVENTS),
        Grant((_WHEREABOUTS, _SEND), queues=(resources.WEBHOOKS,)),
        Grant((_INSERT, _UPDATE, "dynamodb:BatchGetItem"), tables=(resources.EMAIL_TRACKING,)),
        Grant((_INSERT,), tables=(resources.EMAIL_EVENTS, resources.SUPPRESSION_LIST)),
        Grant(("dynamodb:BatchGetItem",), tables=(resources.ACCESS,)),
        Grant((_UPDATE,), tables=(resources.SUPPRESSION_LIST,)),
        Grant(("dynamodb:Query",), tables=(resources.WEBHOOK_ENDPOINTS,)),
        Grant((_INSERT, _UPDATE), tables=(resources.COORDINATION,)),
        Grant(("sqs:GetQueueAttributes",), queues=(resources.SES_EVENTS,)),
    ),
    "notifier": (
        *_consumer(resources.WEBHOOKS),
        Grant((_SEND,), queues=(resources.WEBHOOKS,)),
        Grant(("dynamodb:Query",), tables=(resources.WEBHOOK_ENDPOINTS,)),
    ),
}

SES_SENDER = "sender"
"""The only service that may call SES: SendEmail and GetAccount."""
