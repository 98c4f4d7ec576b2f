"""A sender in virtual time: every part of the real one, put together as `sender/__main__.py` does,
but for clients, signals and the thread of the heartbeat.
"""

import asyncio
import time
from contextlib import AbstractAsyncContextManager

from loadtest.virtual.account import Account
from loadtest.virtual.cloud import PREFIX, Cloud
from mailpipe.bodies import Bodies
from mailpipe.consumer import Consumer
from mailpipe.due import DueItems
from mailpipe.heartbeat import Heartbeat, Hide
from mailpipe.lifecycle import Stop, side_tasks
from mailpipe.records import Record
from mailpipe.resources import LANES
from mailpipe.scopes import scopes_of_record
from mailpipe.tenants import Retention, Tenants
from mailpipe.timing import now_ms
from sender import waiting
from sender.adapting import Adapting
from sender.answers import Answers
from sender.clock import Clock
from sender.doubts import Doubts
from sender.handler import Sender
from sender.lanes import Home, Lane
from sender.limiter import SharedLimiter
from sender.outage import Outage
from sender.pacing import Lead
from sender.paths import Paths
from sender.reserving import Terms
from sender.scheduling import TimedParking
from sender.settings import SenderSettings
from sender.slots import Slots
from sender.store import SenderStore
from sender.sweeping import Sweeper

HASH_KEY = "k" * 32


class Beats(Heartbeat):
    """Renews on the event loop, as often as the thread does."""

    def __init__(self, cloud: Cloud, *, visibility_s: float) -> None:
        super().__init__(_no_client, visibility_s=visibility_s)
        self._queues = {lane.url: lane for lane in cloud.lanes.values()}
        self._beating = dict[str, asyncio.Task[None]]()

    def hold(self, receipt: str, queue: str) -> None:
        """See Heartbeat.hold."""
        self._beating[receipt] = asyncio.create_task(self._keep(receipt, queue))

    def drop(self, receipt: str) -> None:
        """See Heartbeat.drop."""
        if (beats := self._beating.pop(receipt, None)) is not None:
            beats.cancel()

    async def let_go(self, receipt: str) -> None:
        """See Heartbeat.let_go."""
        self.drop(receipt)

    async def _keep(self, receipt: str, queue: str) -> None:
        fault = None
        while fault is None:
            await asyncio.sleep(self.visibility_s / 3)
            (fault,) = await self._queues[queue].hide([(receipt, round(self.visibility_s))])


def _no_client() -> AbstractAsyncContextManager[Hide]:
    raise NotImplementedError("the loop itself renews")


class GoodClock:
    """All senders have the same time."""

    good = True

    def epoch_us(self) -> int:
        """See sender.limiter.Time."""
        return time.time_ns() // 1000


class VirtualSender:
    """One process, called `name` as no other. Without `parks` what waits is hidden in its queue."""

    def __init__(
        self, name: str, cloud: Cloud, account: Account, settings: SenderSettings, *, parks: bool
    ) -> None:
        self._name, self._cloud, self._settings = name, cloud, settings
        self._account = account
        lanes = {lane.name: lane for lane in cloud.lanes.values()}
        urgent = next(iter(lanes.values()))
        self._lanes = {
            name: Lane(lane, settings.trusted, urgent=urgent) for name, lane in lanes.items()
        }
        self._due = DueItems(
            *(cloud.tables, PREFIX, self._lanes), bucket=cloud.bucket, waits=settings.waits
        )
        self._adapting = Adapting(
            *(settings, cloud.tables, account), name=name, probe_with=self._due.probe
        )
        lead = Lead()
        self._limiter = SharedLimiter(
            *(cloud.counters, self._adapting.rates, Terms()),
            lead=lead,
            outage=Outage(after_s=2, rate=0),
            clock=GoodClock(),
        )
        self._slots = {
            lane: Slots(
                *(self._limiter, lane),
                lead=lead,
                most=settings.concurrency // 2,
                dig_every_s=settings.dig_every_s,
            )
            for lane in LANES
        }
        self._consumers = [self._consumer(lane, lead, parks=parks) for lane in LANES]

    def _consumer(self, lane: str, lead: Lead, *, parks: bool) -> Consumer:
        settings, cloud = self._settings, self._cloud
        tenants = Tenants(cloud.tables)
        store = SenderStore(
            *(cloud.tables, PREFIX),
            address_hash_key=HASH_KEY.encode(),
            lease_s=settings.lease_s,
            grace_s=settings.in_doubt_grace_s,
            retention=Retention(tenants, usual_days=settings.retention_days),
        )
        paths = Paths(
            *(self._account, self._account),
            at_once=settings.large_at_once,
            upload_bytes_per_s=float(settings.upload_bytes_per_s),
        )
        slots, pauses, bodies = self._slots[lane], self._adapting.pauses, Bodies(cloud.bucket)
        answers = Answers(
            store,
            slots=slots,
            events=cloud.events,
            pauses=pauses,
            limiter=self._limiter,
            grace_s=settings.in_doubt_grace_s,
        )
        sender = Sender(
            *(settings, slots, store),
            bodies=bodies,
            paths=paths,
            answers=answers,
            doubts=Doubts(settings, cloud.tables, store),
            lead=lead,
            tenants=tenants,
            pauses=pauses,
            limiter=self._limiter,
        )
        return Consumer(
            *(self._lanes[LANES[lane]], cloud.dead, sender.handle),
            heartbeat=Beats(cloud, visibility_s=settings.visibility_s),
            concurrency=settings.concurrency,
            poll_s=settings.poll_s,
            appetite=slots,
            parking=TimedParking(Home(self._due), cloud.tables, bodies) if parks else None,
        )

    def _sweeper(self) -> Sweeper:
        settings, board, tables = self._settings, self._adapting.board, self._cloud.tables

        def paused_since_ms(record: Record) -> int | None:
            pause = board.stops(scopes_of_record(record)) if board.pauses else None
            return None if pause is None else pause.since

        return Sweeper(
            *(tables, PREFIX, self._cloud.events),
            retention=Retention(Tenants(tables), usual_days=settings.retention_days),
            terms=settings.terms,
            most=settings.sweep_records,
            fresh_s=3 * settings.sweep_every_s,
            paused_since_ms=paused_since_ms,
            wall_ms=now_ms,
        )

    async def run(self, stop: Stop) -> None:
        """Until `stop`."""
        await self._limiter.prepare()
        adapting, settings = self._adapting, self._settings
        tasks = {
            **adapting.side_tasks(self._slots),
            **waiting.side_tasks(
                *(settings, self._cloud.tables, self._due, self._consumers, self._sweeper()),
                name=self._name,
                clock=Clock(time.time, time.monotonic, budget_s=1),
                paused=lambda scope: scope in adapting.board.pauses,
                rate=lambda: adapting.rates.account() * settings.share,
            ),
            **{f"slots_{lane}": slots.run(stop) for lane, slots in self._slots.items()},
        }
        async with side_tasks(stop, **tasks):
            await asyncio.gather(*(one.run(stop, drain_s=30) for one in self._consumers))
