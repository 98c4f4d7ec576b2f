"""What lies in queues and tables, read with an AWS client that is not ours."""

from typing import Any

from infra.local.cloud import clients
from infra.local.stack import Stack
from mailpipe import resources


def dead_letters(stack: Stack, queue: str = resources.MAIL_TRANSACTIONAL) -> dict[str, str]:
    """Reasons by the attribute `case` that the message was sent with. They stay where they are."""
    sqs: Any = clients(stack.cloud_url)("sqs")
    name = resources.physical(stack.plan.prefix, resources.dead(queue))
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found = dict[str, str]()
    while True:
        answer = sqs.receive_message(
            QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10
        )
        letters = answer.get("Messages", [])
        if not letters:
            return found
        for one in letters:
            said = one["MessageAttributes"]
            case = said.get("case", {}).get("StringValue", one["MessageId"])
            found[case] = said["reason"]["StringValue"]


def stored_ids(stack: Stack) -> list[str]:
    """The e-mails that have a record."""
    client: Any = clients(stack.cloud_url)("dynamodb")
    name = resources.physical(stack.plan.prefix, resources.EMAIL_TRACKING)
    pages = client.get_paginator("scan").paginate(TableName=name, ProjectionExpression="emailId")
    items = (item for page in pages for item in page["Items"])
    return sorted({item["emailId"]["S"].partition("#")[0] for item in items})


def stored_bodies(stack: Stack) -> list[str]:
    """The e-mails whose body lies in the bucket."""
    client: Any = clients(stack.cloud_url)("s3")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=stack.bodies_bucket)
    keys = (one["Key"] for page in pages for one in page.get("Contents", []))
    return sorted({key.split("/")[2] for key in keys})
