"""The sender process: `python -m sender`."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from secrets import token_hex
from typing import Any, NamedTuple

from mailpipe import lifecycle
from mailpipe.admin import open_admin
from mailpipe.aws.client import Aws, Client
from mailpipe.aws.counters import Counters
from mailpipe.aws.hiding import open_hide
from mailpipe.aws.queue import Queue
from mailpipe.aws.queues import Queues, open_queues
from mailpipe.aws.table import Tables, open_tables
from mailpipe.bodies import open_bodies_of_lanes
from mailpipe.consumer import Consumer
from mailpipe.due import DueItems
from mailpipe.heartbeat import Heartbeat
from mailpipe.lifecycle import Stop
from mailpipe.records import Record
from mailpipe.resources import LANES, SES_EVENTS, dead
from mailpipe.scopes import scopes_of_record
from mailpipe.tenants import Retention, Tenants
from sender import waiting
from sender.adapting import Adapting
from sender.answers import Answers
from sender.board import Board
from sender.clock import Clock
from sender.doubts import Doubts
from sender.handler import Sender
from sender.lanes import Home, open_lanes
from sender.limiter import Rates, SharedLimiter
from sender.outage import Outage
from sender.pacing import Lead
from sender.paths import Paths
from sender.pauses import Pauses
from sender.reserving import Terms
from sender.scheduling import TimedParking
from sender.settings import SenderSettings
from sender.slots import Slots
from sender.store import SenderStore
from sender.sweeping import Sweeper
from sender.ticks import cheap_read, keep_time, known


class Shared(NamedTuple):
    """What the consumers of all lanes share."""

    aws: Aws
    queues: Queues
    tables: Tables
    ses: Client
    heartbeat: Heartbeat
    due: DueItems
    pauses: Pauses
    limiter: SharedLimiter
    lead: Lead
    clock: Clock


async def main(settings: SenderSettings, stop: Stop) -> None:
    """Settings, clients, handlers, consumers, run."""
    in_hand = settings.concurrency * len(LANES)
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        clock = Clock(time.time, time.monotonic, budget_s=settings.clock_budget_s)
        aws = await enter(Aws(settings.aws_client, stamped=settings.local, on_date=clock.observe))
        hide = partial(open_hide, settings.aws_client, visibility_s=settings.visibility_s)
        heartbeat = await enter(Heartbeat(hide, visibility_s=settings.visibility_s))
        queues = await open_queues(aws, settings.prefix, poll_s=settings.poll_s)
        dynamodb = await aws.client("dynamodb", connections=in_hand + 8, timeout_s=5)
        ses = await aws.client("sesv2", connections=in_hand + 8, timeout_s=settings.ses_timeout_s)
        tables = open_tables(aws, dynamodb, settings.prefix)
        lanes = await open_lanes(settings, queues)
        due = waiting.open_due(settings, aws, tables, lanes, clock)
        process = token_hex(8)
        adapting = Adapting(
            *(settings, tables, ses), name=process, probe_with=due.probe, wall_ms=clock.wall_ms
        )
        lead = Lead()
        limiter = await _limiter(settings, aws, adapting.rates, lead, clock)
        slots = _slots(settings, limiter, lead)
        shared = Shared(
            *(aws, queues, tables, ses, heartbeat),
            *(due, adapting.pauses, limiter, lead, clock),
        )
        consumers = await _consumers(settings, shared, lanes, slots)
        await _run(
            *(settings, stop, clock, consumers),
            lambda: limiter.unready() or adapting.pauses.unready(),
            {
                **adapting.side_tasks(slots),
                "timekeeper": keep_time(clock, cheap_read(dynamodb, settings.prefix)),
                **waiting.side_tasks(
                    *(settings, tables, due, consumers),
                    await _sweeper(settings, shared, adapting.board),
                    name=process,
                    clock=clock,
                    paused=lambda scope: scope in adapting.board.pauses,
                    rate=lambda: adapting.rates.account() * settings.share,
                ),
                **{f"slots_{lane}": one.run(stop) for lane, one in slots.items()},
            },
        )


async def _run(
    settings: SenderSettings,
    stop: Stop,
    clock: Clock,
    consumers: Sequence[Consumer],
    unready: Callable[[], str | None],
    side_tasks: Mapping[str, Coroutine[Any, Any, None]],
) -> None:
    """Until `stop`, and then until what is in hand is done or handed back."""
    host, port = settings.admin_host, settings.admin_port
    async with (
        open_admin(host, port, stop, unready=unready) as admin_port,
        lifecycle.side_tasks(stop, **side_tasks),
    ):
        await known(clock, stop, within_s=settings.clock_wait_s)
        lifecycle.ready(admin_port=admin_port)
        await asyncio.gather(
            *(consumer.run(stop, drain_s=settings.drain_s) for consumer in consumers)
        )


def _slots(settings: SenderSettings, limiter: SharedLimiter, lead: Lead) -> dict[str, Slots]:
    # Half of what may be in hand may wait; the rest is claimed, sent, recorded or dug up.
    most = settings.concurrency // 2
    return {
        lane: Slots(limiter, lane, lead=lead, most=most, dig_every_s=settings.dig_every_s)
        for lane in LANES
    }


async def _consumers(
    settings: SenderSettings,
    shared: Shared,
    lanes: Mapping[str, Queue],
    slots: Mapping[str, Slots],
) -> list[Consumer]:
    """One for each lane, with its handler."""
    paths = await _paths(settings, shared.aws, shared.ses)
    tenants = Tenants(shared.tables)
    clock, wall_ms = shared.clock, shared.clock.wall_ms
    store = _store(settings, shared.tables, tenants, wall_ms)
    events = await shared.queues.open(SES_EVENTS)
    bodies = open_bodies_of_lanes(shared.aws, settings.bodies_bucket)
    doubts = Doubts(
        settings, shared.tables, store, wall_ms=wall_ms, time_is_right=lambda: clock.right
    )
    return [
        Consumer(
            lanes[name],
            await shared.queues.open(dead(name)),
            Sender(
                *(settings, slots[lane], store),
                bodies=bodies[lane],
                paths=paths[lane],
                answers=_answers(settings, shared, store, slots=slots[lane], events=events),
                doubts=doubts,
                lead=shared.lead,
                tenants=tenants,
                pauses=shared.pauses,
                limiter=shared.limiter,
                wall_ms=wall_ms,
            ).handle,
            heartbeat=shared.heartbeat,
            concurrency=settings.concurrency,
            poll_s=settings.poll_s,
            appetite=slots[lane],
            parking=TimedParking(Home(shared.due), shared.tables, bodies[lane]),
        )
        for lane, name in LANES.items()
    ]


def _answers(
    settings: SenderSettings, shared: Shared, store: SenderStore, *, slots: Slots, events: Queue
) -> Answers:
    return Answers(
        store,
        slots=slots,
        events=events,
        pauses=shared.pauses,
        limiter=shared.limiter,
        grace_s=settings.in_doubt_grace_s,
        wall_ms=shared.clock.wall_ms,
    )


async def _sweeper(settings: SenderSettings, shared: Shared, board: Board) -> Sweeper:
    def paused_since_ms(record: Record) -> int | None:
        pause = board.stops(scopes_of_record(record)) if board.pauses else None
        return None if pause is None else pause.since

    return Sweeper(
        *(shared.tables, settings.prefix, await shared.queues.open(SES_EVENTS)),
        retention=Retention(Tenants(shared.tables), usual_days=settings.retention_days),
        terms=settings.terms,
        most=settings.sweep_records,
        fresh_s=3 * settings.sweep_every_s,
        paused_since_ms=paused_since_ms,
        wall_ms=shared.clock.wall_ms,
        time_is_right=lambda: shared.clock.right,
    )


async def _limiter(
    settings: SenderSettings, aws: Aws, rates: Rates, lead: Lead, clock: Clock
) -> SharedLimiter:
    """With connections of its own: a reservation never waits for other writes."""
    account, caps = [
        Counters(
            await aws.client("dynamodb", connections=8, timeout_s=settings.reserve_timeout_s),
            settings.prefix,
            kind="slots",
        )
        for _ in range(2)
    ]
    limiter = SharedLimiter(
        account,
        rates,
        Terms(settings.share, settings.spread_s, settings.unsure_share, settings.bulk_share),
        lead=lead,
        outage=Outage(after_s=settings.unreachable_after_s, rate=settings.unreachable_rate),
        clock=clock,
        caps=caps,
    )
    await limiter.prepare()
    return limiter


async def _paths(settings: SenderSettings, aws: Aws, ses: Client) -> dict[str, Paths]:
    at_once, bytes_per_s = settings.large_at_once, float(settings.upload_bytes_per_s)
    large = await aws.client(
        "sesv2",
        connections=at_once * len(LANES) + 1,
        timeout_s=settings.ses_timeout_s,
        upload_bytes_per_s=bytes_per_s,
    )
    return {
        lane: Paths(ses, large, at_once=at_once, upload_bytes_per_s=bytes_per_s) for lane in LANES
    }


def _store(
    settings: SenderSettings, tables: Tables, tenants: Tenants, wall_ms: Callable[[], int]
) -> SenderStore:
    return SenderStore(
        tables,
        settings.prefix,
        address_hash_key=settings.address_hash_key.encode(),
        lease_s=settings.lease_s,
        grace_s=settings.in_doubt_grace_s,
        retention=Retention(tenants, usual_days=settings.retention_days),
        wall_ms=wall_ms,
    )


if __name__ == "__main__":
    lifecycle.run("sender", SenderSettings, main)
