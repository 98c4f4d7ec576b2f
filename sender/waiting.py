"""Mail that waits outside its queue: where, and the side tasks that send it on, each done by one
sender at a time.
"""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from mailpipe.aws.client import Aws
from mailpipe.aws.queue import Queue
from mailpipe.aws.table import Tables
from mailpipe.bodies import open_bodies_bucket
from mailpipe.consumer import Consumer
from mailpipe.due import DueItems
from mailpipe.leases import Lease, Task, run_leased
from mailpipe.release import DueTimes, ScopeRelease
from mailpipe.renewal import Renewal
from sender.settings import SenderSettings


def open_due(
    settings: SenderSettings, opened: Aws, tables: Tables, lanes: Mapping[str, Queue]
) -> DueItems:
    """Where the mail of these queues waits."""
    bucket = open_bodies_bucket(opened, settings.bodies_bucket)
    return DueItems(tables, settings.prefix, lanes, bucket=bucket, waits=settings.waits)


def side_tasks(
    settings: SenderSettings,
    tables: Tables,
    due: DueItems,
    consumers: Iterable[Consumer],
    *,
    name: str,
    paused: Callable[[str], bool],
    rate: Callable[[], float],
) -> dict[str, Coroutine[Any, Any, None]]:
    """Release of what is due and of scopes that are not `paused`, at the account's `rate`; renewal
    of the consumers' old mail. `name` is this process's, as no other is called.
    """

    def lease(task: str) -> Lease:
        return Lease(tables, settings.prefix, task, name, lease_s=settings.side_lease_s)

    times = DueTimes(due, tables, settings.prefix)
    scopes = ScopeRelease(due, paused=paused, rate=rate, ramp=settings.ramp)
    tasks = {
        "release_due": Task(lease("release_due"), times.work, settings.due_every_s),
        "release_scopes": Task(lease("release_scopes"), scopes.work, settings.release_every_s),
    }
    for consumer in consumers:
        renewal = Renewal(
            consumer.queue,
            consumer.progress,
            fresh_s=settings.renew_after_s,
            stopped_at_s=settings.renew_stopped_s,
        )
        task = f"renew_{consumer.queue.name}".replace("-", "_")
        tasks[task] = Task(lease(task), renewal.work, settings.renew_every_s)
    return {task: run_leased(one) for task, one in tasks.items()}
