"""Who has sent a message, as SQS in the local cloud says it."""

from infra.local.cloud import clients
from infra.local.stack import Stack
from mailpipe.aws.queue import Outgoing
from sender.trust import principal
from tests.integration.conftest import Parts


async def test_a_queue_tells_who_has_sent_a_message_only_when_asked(
    parts: Parts, aws: Stack
) -> None:
    asked = await parts.queues.open("ses-engagement", sender_ids=True)
    clients(aws.cloud_url)("sqs").purge_queue(QueueUrl=asked.url)
    await asked.send([Outgoing("m")])
    (message,) = await asked.receive(1, wait_s=1, visibility_s=0)
    assert message.sender_id is not None
    assert principal(message.sender_id).isalnum()
    plain = await parts.queues.open("ses-engagement")
    (again,) = await plain.receive(1, wait_s=1)
    assert (again.body, again.sender_id) == ("m", None)
    await plain.delete([again.receipt])
