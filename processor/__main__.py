"""The processor process: `python -m processor`."""

from contextlib import AsyncExitStack
from functools import partial
from secrets import token_hex

from mailpipe import lifecycle
from mailpipe.admin import open_admin
from mailpipe.aws.client import Aws
from mailpipe.aws.hiding import open_hide
from mailpipe.aws.queues import open_queues
from mailpipe.aws.table import open_tables
from mailpipe.consumer import Consumer
from mailpipe.endpoints import Endpoints
from mailpipe.heartbeat import Heartbeat
from mailpipe.lifecycle import Stop
from mailpipe.resources import SES_EVENTS, WEBHOOKS, dead
from mailpipe.tenants import Retention, Tenants
from processor.flow import Flow
from processor.handler import Processor
from processor.publishing import Publisher
from processor.settings import ProcessorSettings
from processor.store import ProcessorStore
from processor.webhooks import Webhooks


async def main(settings: ProcessorSettings, stop: Stop) -> None:
    """Settings, clients, handler, consumer, run."""
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        aws = await enter(Aws(settings.aws_client))
        hide = partial(open_hide, settings.aws_client, visibility_s=settings.visibility_s)
        queues = await open_queues(aws, settings.prefix, poll_s=settings.poll_s)
        dynamodb = await aws.client("dynamodb", connections=settings.concurrency + 8, timeout_s=5)
        tables = open_tables(aws, dynamodb, settings.prefix)
        store = ProcessorStore(
            tables,
            settings.prefix,
            address_hash_key=settings.address_hash_key.encode(),
            retention=Retention(Tenants(tables), usual_days=settings.retention_days),
        )
        webhooks = Webhooks(await queues.open(WEBHOOKS), Endpoints(tables))
        events = await queues.open(SES_EVENTS)
        flow = _flow(settings)
        publisher = Publisher(
            *(tables, settings.prefix, token_hex(8)),
            flow=flow,
            queue=events,
            polled_empty=lambda: consumer.progress.empty_ms,
            every_s=settings.publish_every_s,
            stop=stop,
        )
        heartbeat = await enter(
            Heartbeat(hide, visibility_s=settings.visibility_s, may_keep=publisher.heard)
        )
        consumer = Consumer(
            events,
            await queues.open(dead(SES_EVENTS)),
            Processor(store, webhooks, flow).handle,
            heartbeat=heartbeat,
            concurrency=settings.concurrency,
            poll_s=settings.poll_s,
            appetite=publisher,
        )
        async with (
            open_admin(
                settings.admin_host, settings.admin_port, stop, unready=publisher.unready
            ) as admin_port,
            lifecycle.side_tasks(stop, publisher=publisher.run()),
        ):
            lifecycle.ready(admin_port=admin_port)
            await consumer.run(stop, drain_s=settings.drain_s)
        await publisher.withdraw()


def _flow(settings: ProcessorSettings) -> Flow:
    return Flow(
        every_ms=round(settings.publish_every_s * 1000),
        visibility_ms=round((settings.poll_s + settings.visibility_s) * 1000),
        clocks_ms=round(settings.clocks_s * 1000),
    )


if __name__ == "__main__":
    lifecycle.run("processor", ProcessorSettings, main)
