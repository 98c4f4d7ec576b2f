"""The ingest process: `python -m ingest`."""

from contextlib import AsyncExitStack

from ingest.guard import Guard
from ingest.http import application
from ingest.limits import Intake
from ingest.settings import IngestSettings
from mailpipe import lifecycle
from mailpipe.access import Access
from mailpipe.admin import open_admin, serve
from mailpipe.aws.client import Aws
from mailpipe.aws.queue import TimedQueue
from mailpipe.aws.queues import open_queues
from mailpipe.aws.table import open_tables
from mailpipe.bodies import Bodies, open_bodies_bucket
from mailpipe.lifecycle import Stop
from mailpipe.recall import recall_of
from mailpipe.resources import LANES, SES_EVENTS


async def main(settings: IngestSettings, stop: Stop) -> None:
    """Settings, clients, application, serve until asked to stop."""
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        aws = await enter(Aws(settings.aws_client))
        queues = await open_queues(aws, settings.prefix, connections=settings.connections)
        dynamodb = await aws.client("dynamodb", connections=settings.connections, timeout_s=5)
        lanes: dict[str, TimedQueue] = {
            lane: await queues.open(name) for lane, name in LANES.items()
        }
        tables = open_tables(aws, dynamodb, settings.prefix)
        access = Access(tables, local=settings.local, per_second=settings.key_per_second)
        guard = Guard(access, Intake(settings.limits()))
        bucket = open_bodies_bucket(aws, settings.bodies_bucket)
        recall = recall_of(
            *(tables, settings.prefix),
            events=await queues.open(SES_EVENTS),
            lanes=lanes,
            bucket=bucket,
            retention_days=settings.retention_days,
        )
        app = application(settings, lanes, tables, guard, Bodies(bucket), recall)
        async with (
            open_admin(settings.admin_host, settings.admin_port, stop) as admin_port,
            serve(app, settings.host, settings.port) as port,
        ):
            lifecycle.ready(port=port, admin_port=admin_port)
            await stop.wait()


if __name__ == "__main__":
    lifecycle.run("ingest", IngestSettings, main)
