"""Who has sent a message, as SQS in the local cloud says it, and through its dead letters."""

import asyncio

import msgspec
import pytest

from infra.local.cloud import clients
from infra.local.stack import Stack
from mailpipe import origins
from mailpipe.aws.queue import Outgoing
from mailpipe.messages import encode
from mailpipe.origins import principal
from mailpipe.outcomes import Dead, Done, Outcome
from mailpipe.tenants import Tenant
from sender.lanes import open_lanes
from sender.settings import SenderSettings
from tests.integration.command_line import done, refused
from tests.integration.conftest import Parts, message
from tests.integration.sender_rig import INGEST, Rig, known, rig

__all__ = ["rig"]


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


ANYBODY = "000000000000"
"""Whoever sends in the local cloud."""


@pytest.mark.parametrize(
    ("attributes", "arguments", "expected"),
    [
        pytest.param(
            {"reason": "version: x", "sender_id": "AIDAFORGER"},
            ("--reason", "version"),
            Dead("auth: AIDAFORGER may not send for this tenant"),
            id="what a forger wrote stays his",
        ),
        pytest.param({}, (), Done(), id="a crash loop's is whose it was"),
        pytest.param(
            {"sender_id": "AIDAFORGER"},
            ("--reason", "crash_loop", "--trust"),
            Done(),
            id="vouched for",
        ),
    ],
)
async def test_put_back_mail_is_judged_by_who_wrote_it(
    rig: Rig,
    aws: Stack,
    attributes: dict[str, str],
    arguments: tuple[str, ...],
    expected: Outcome,
) -> None:
    await known(rig.parts, Tenant(tenant="redriven", principals=[ANYBODY]))
    one = msgspec.structs.replace(message(), tenant="redriven")
    queue, dead = [
        await rig.parts.queues.open(name, sender_ids=True)
        for name in ("mail-bulk", "mail-bulk-dead")
    ]
    for used in (queue, dead):  # other files use them too
        clients(aws.cloud_url)("sqs").purge_queue(QueueUrl=used.url)
    await dead.send([Outgoing(encode(one), attributes=attributes)])
    (tally,) = await asyncio.to_thread(done, "dlq", "redrive", "mail-bulk", *arguments)
    assert (tally["done"], tally["left"]) == (1, 0)
    (back,) = await queue.receive(1, wait_s=1)
    await queue.delete([back.receipt])
    assert await rig.sender.handle(back) == expected
    assert origins.ATTRIBUTE not in back.attributes or "--trust" not in arguments


@pytest.mark.parametrize(("trusted", "kept"), [(ANYBODY, True), (INGEST, False)])
async def test_what_others_write_in_our_name_does_not_get_into_a_lane(
    parts: Parts, aws: Stack, trusted: str, kept: bool
) -> None:
    settings = SenderSettings(address_hash_key="k" * 32, trusted_principals=trusted)
    lane = (await open_lanes(settings, parts.queues))["mail-bulk"]
    clients(aws.cloud_url)("sqs").purge_queue(QueueUrl=lane.url)
    await lane.send([Outgoing("m", attributes={"paused_ms": "9"})])
    (message,) = await lane.receive(1, wait_s=1)
    await lane.delete([message.receipt])
    assert ("paused_ms" in message.attributes) is kept


async def test_who_vouches_says_for_what(parts: Parts) -> None:
    said = await asyncio.to_thread(refused, "dlq", "redrive", "mail-bulk", "--trust", code=2)
    assert "--reason" in said
