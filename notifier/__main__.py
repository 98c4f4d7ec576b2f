"""The notifier process: `python -m notifier`."""

from contextlib import AsyncExitStack

from mailpipe import lifecycle, logs
from mailpipe.admin import open_admin
from mailpipe.aws.client import open_client
from mailpipe.aws.queue import open_queues
from mailpipe.aws.table import Tables
from mailpipe.consumer import Consumer
from mailpipe.endpoints import Endpoints
from mailpipe.lifecycle import Stop
from mailpipe.resources import WEBHOOKS, dead
from notifier.handler import Notifier
from notifier.post import open_session
from notifier.settings import NotifierSettings

log = logs.get()


async def main(settings: NotifierSettings, stop: Stop) -> None:
    """Settings, clients, handler, consumer, run."""
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        queues = await enter(open_queues(settings.prefix, poll_s=settings.poll_s))
        dynamodb = await enter(open_client("dynamodb", connections=16, timeout_s=5))
        session = await enter(
            open_session(connections=settings.concurrency, timeout_s=settings.timeout_s)
        )
        webhooks = await queues.open(WEBHOOKS)
        endpoints = Endpoints(Tables(dynamodb, settings.prefix))
        notifier = Notifier(session, endpoints, webhooks, retry_base_s=settings.retry_base_s)
        consumer = Consumer(
            webhooks,
            await queues.open(dead(WEBHOOKS)),
            notifier.handle,
            concurrency=settings.concurrency,
            visibility_s=settings.visibility_s,
            poll_s=settings.poll_s,
        )
        async with open_admin(settings.admin_host, settings.admin_port, stop) as admin_port:
            log.info("ready", admin_port=admin_port)
            await consumer.run(stop, drain_s=settings.drain_s)


if __name__ == "__main__":
    lifecycle.run("notifier", NotifierSettings, main)
