"""Mail that waits outside its queue: where, and the side tasks that send it on, or end what waits
for nothing; each is done by one sender at a time.
"""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from mailpipe.aws.client import Aws
from mailpipe.aws.queue import Queue
from mailpipe.aws.table import Tables
from mailpipe.bodies import open_bodies_bucket
from mailpipe.consumer import Consumer
from mailpipe.due import DueItems
from mailpipe.due_times import DueTimes
from mailpipe.leases import Lease, Task, Work, lasts_s, run_leased
from mailpipe.release import ScopeRelease
from mailpipe.renewal import Renewal
from sender.clock import Clock
from sender.settings import SenderSettings
from sender.sweeping import Sweeper


def open_due(
    settings: SenderSettings,
    opened: Aws,
    tables: Tables,
    lanes: Mapping[str, Queue],
    clock: Clock,
) -> DueItems:
    """Where the mail of these queues waits."""
    return DueItems(
        *(tables, settings.prefix, lanes),
        bucket=open_bodies_bucket(opened, settings.bodies_bucket),
        waits=settings.waits,
        wall_ms=clock.wall_ms,
    )


def side_tasks(
    settings: SenderSettings,
    tables: Tables,
    due: DueItems,
    consumers: Iterable[Consumer],
    sweeper: Sweeper,
    *,
    name: str,
    clock: Clock,
    paused: Callable[[str], bool],
    rate: Callable[[], float],
) -> dict[str, Coroutine[Any, Any, None]]:
    """Release of what is due and of scopes that are not `paused`, at the account's `rate`; renewal
    of the consumers' old mail; the sweeper. `name` is this process's, as no other is called.
    """

    def task(task: str, work: Work, every_s: float) -> Task:
        lease_s = lasts_s(every_s, least_s=settings.side_lease_s)
        lease = Lease(
            *(tables, settings.prefix, task, name), lease_s=lease_s, wall_ms=clock.wall_ms
        )
        return Task(lease, work, every_s)

    times = DueTimes(due, tables, settings.prefix, time_is_right=lambda: clock.right)
    scopes = ScopeRelease(due, paused=paused, rate=rate, ramp=settings.ramp)
    tasks = {
        "release_due": task("release_due", times.work, settings.due_every_s),
        "release_scopes": task("release_scopes", scopes.work, settings.release_every_s),
        "sweep": task("sweep", sweeper.work, settings.sweep_every_s),
    }
    for consumer in consumers:
        renewal = Renewal(
            consumer.queue,
            consumer.progress,
            fresh_s=settings.renew_after_s,
            stopped_at_s=settings.renew_stopped_s,
            wall_ms=clock.wall_ms,
        )
        renew = f"renew_{consumer.queue.name}".replace("-", "_")
        tasks[renew] = task(renew, renewal.work, settings.renew_every_s)
    return {one: run_leased(tasks[one]) for one in tasks}
