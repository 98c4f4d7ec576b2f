"""Reads what an explanation needs: no more than a handful of calls, and shared ones."""

import asyncio
from collections.abc import Mapping

from mailpipe import board, evidence, presence, resources
from mailpipe.aws.queue import Queue
from mailpipe.aws.table import Tables
from mailpipe.due import SCOPES
from mailpipe.endings import event_of
from mailpipe.explain import Explanation, World, explain, pause_of
from mailpipe.open_states import could_go_ms
from mailpipe.parking import parked_of, range_of
from mailpipe.reads import SharedReads
from mailpipe.records import Attributes, Record
from mailpipe.resources import LANES
from mailpipe.scopes import scopes_of_record
from mailpipe.status import FIRST_ENDED_RANK
from mailpipe.timing import now_ms

FRESH_S = 5.0
"""So old may be what many explanations share."""
MOST_SCOPES = 100
NEWEST_EVENTS = 20
"""Among them the event is looked for that made a mail's status."""


class Explainer:
    """Explains records; `queues` are those of the lanes."""

    def __init__(self, tables: Tables, queues: Mapping[str, Queue]) -> None:
        self._tables = tables
        self._queues = queues
        self._told = SharedReads[str, list[Attributes]](self._partition, most=4, fresh_s=FRESH_S)
        self._depths = SharedReads[str, int](self._depth, most=len(LANES), fresh_s=FRESH_S)
        self._scopes = SharedReads[str, list[Attributes]](self._listed, most=1, fresh_s=FRESH_S)
        self._oldest = SharedReads[tuple[str, str], int | None](
            self._oldest_of, most=MOST_SCOPES, fresh_s=FRESH_S
        )

    async def explain(self, record: Record) -> Explanation:
        """Why it stands as it does. Raises CallFailed."""
        now = now_ms()
        if record.rank >= FIRST_ENDED_RANK:
            senders = presence.living(await self._told.get(presence.KIND), now)
            return explain(record, World(senders=senders, event=await self._event(record)), now)
        return explain(record, await self._world(record, now), now)

    async def _world(self, record: Record, now: int) -> World:
        reading = board.reading_of(await self._told.get(board.KIND))
        senders = presence.living(await self._told.get(presence.KIND), now)
        if record.lease_until > 0:
            processors = evidence.read(await self._told.get(evidence.KIND))
            return World(reading, senders, processors=processors)
        if could_go_ms(record) > now or pause_of(record, reading) is not None:
            return World(reading, senders)
        depths = await self._before(record.stream)
        return World(reading, senders, depths, await self._parked(record))

    async def _before(self, stream: str) -> dict[str, int]:
        """How much is on the lane's queue, and on those of more urgent ones."""
        depths = dict[str, int]()
        for lane in LANES:
            depths[lane] = await self._depths.get(lane)
            if lane == stream:
                break
        return depths

    async def _parked(self, record: Record) -> dict[str, int]:
        """By scope, when the oldest was accepted of the mail of its lane that is parked there."""
        listed = {one["dueKey"] for one in await self._scopes.get(SCOPES)}
        scopes = [scope for scope in scopes_of_record(record) if scope in listed]
        oldest = {one: await self._oldest.get((one, LANES[record.stream])) for one in scopes}
        return {scope: at_ms for scope, at_ms in oldest.items() if at_ms is not None}

    async def _oldest_of(self, key: tuple[str, str]) -> int | None:
        scope, queue = key
        shards = [resources.waits_for_scope(scope, number) for number in range(resources.SHARDS)]
        between = range_of(queue)
        pages = [
            self._tables.page(resources.DUE_ITEMS, one, between=between, limit=1) for one in shards
        ]
        found = [parked_of(item) for page in await asyncio.gather(*pages) for item in page.items]
        return min((one.at_ms for one in found if one is not None), default=None)

    async def _event(self, record: Record) -> Attributes | None:
        page = await self._tables.page(
            *(resources.EMAIL_EVENTS, record.email_id), newest_first=True, limit=NEWEST_EVENTS
        )
        return event_of(record, page.items)

    async def _partition(self, kind: str) -> list[Attributes]:
        return await self._tables.partition(resources.COORDINATION, kind)

    async def _listed(self, kind: str) -> list[Attributes]:
        return await self._tables.partition(resources.DUE_ITEMS, kind)

    async def _depth(self, lane: str) -> int:
        depth = await self._queues[lane].depth()
        return depth.waiting + depth.in_flight
