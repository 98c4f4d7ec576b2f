"""The notifier process: `python -m notifier`."""

from contextlib import AsyncExitStack
from functools import partial

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
from mailpipe.resources import WEBHOOKS, dead
from notifier.handler import Notifier
from notifier.post import open_posts
from notifier.settings import NotifierSettings


async def main(settings: NotifierSettings, stop: Stop) -> None:
    """Settings, clients, handler, consumer, run."""
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        aws = await enter(Aws(settings.aws_client))
        hide = partial(open_hide, settings.aws_client, visibility_s=settings.visibility_s)
        heartbeat = await enter(Heartbeat(hide, visibility_s=settings.visibility_s))
        queues = await open_queues(aws, settings.prefix, poll_s=settings.poll_s)
        dynamodb = await aws.client("dynamodb", connections=16, timeout_s=5)
        posts = await enter(
            open_posts(connections=settings.concurrency, timeout_s=settings.timeout_s)
        )
        webhooks = await queues.open(WEBHOOKS)
        endpoints = Endpoints(open_tables(aws, dynamodb, settings.prefix))
        notifier = Notifier(posts, endpoints, webhooks, retry_base_s=settings.retry_base_s)
        consumer = Consumer(
            webhooks,
            await queues.open(dead(WEBHOOKS)),
            notifier.handle,
            heartbeat=heartbeat,
            concurrency=settings.concurrency,
            poll_s=settings.poll_s,
        )
        async with open_admin(settings.admin_host, settings.admin_port, stop) as admin_port:
            lifecycle.ready(admin_port=admin_port)
            await consumer.run(stop, drain_s=settings.drain_s)


if __name__ == "__main__":
    lifecycle.run("notifier", NotifierSettings, main)
