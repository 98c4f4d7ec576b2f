"""The sender process: `python -m sender`."""

import asyncio
from contextlib import AsyncExitStack

from mailpipe import lifecycle, logs
from mailpipe.admin import open_admin
from mailpipe.aws.client import open_client
from mailpipe.aws.queue import open_queues
from mailpipe.aws.table import Tables
from mailpipe.consumer import Consumer
from mailpipe.lifecycle import Stop
from mailpipe.resources import LANES, SES_EVENTS, dead
from sender.handler import Sender
from sender.limiter import LocalLimiter, poll_quota
from sender.pacing import Lead
from sender.settings import SenderSettings
from sender.slots import Slots
from sender.store import SenderStore

log = logs.get()


async def main(settings: SenderSettings, stop: Stop) -> None:
    """Settings, clients, handlers, consumers, run."""
    in_hand = settings.concurrency * len(LANES)
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        queues = await enter(open_queues(settings.prefix, poll_s=settings.poll_s))
        dynamodb = await enter(open_client("dynamodb", connections=in_hand + 8, timeout_s=5))
        ses = await enter(
            open_client(
                "sesv2",
                connections=in_hand + 8,
                timeout_s=settings.ses_timeout_s,
                stamped=settings.local,
            )
        )
        lead = Lead()
        limiter = LocalLimiter(lead, share=settings.share, spread_s=settings.spread_s)
        store = SenderStore(
            Tables(dynamodb, settings.prefix),
            settings.prefix,
            address_hash_key=settings.address_hash_key.encode(),
            lease_s=settings.lease_s,
            grace_s=settings.in_doubt_grace_s,
            retention_days=settings.retention_days,
        )
        events = await queues.open(SES_EVENTS)
        slots = {lane: Slots(limiter, lane) for lane in LANES}
        consumers = [
            Consumer(
                await queues.open(name),
                await queues.open(dead(name)),
                Sender(settings, slots[lane], store, client=ses, events=events, lead=lead).handle,
                concurrency=settings.concurrency,
                visibility_s=settings.visibility_s,
                poll_s=settings.poll_s,
            )
            for lane, name in LANES.items()
        ]
        async with (
            open_admin(settings.admin_host, settings.admin_port, stop) as admin_port,
            lifecycle.side_tasks(
                stop,
                quota_poller=poll_quota(ses, limiter, every_s=settings.quota_refresh_s),
                **{f"slots_{lane}": one.run(stop) for lane, one in slots.items()},
            ),
        ):
            log.info("ready", admin_port=admin_port)
            await asyncio.gather(
                *(consumer.run(stop, drain_s=settings.drain_s) for consumer in consumers)
            )


if __name__ == "__main__":
    lifecycle.run("sender", SenderSettings, main)
