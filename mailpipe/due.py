"""Messages that wait outside their queue (`parking.py` says in which form).

Parked: put, then the message is deleted. Released: sent, then the item is deleted. Killed in
between, it is there twice, which is harmless: one id is one mail, claimed once. What can never go
is set aside, so that nothing waits behind it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from mailpipe import failpoints, logs, metrics, resources
from mailpipe.aws.queue import Outgoing, Queue, Received
from mailpipe.aws.s3 import Bucket, TooLarge
from mailpipe.aws.table import Refused, Tables
from mailpipe.board import kind_of
from mailpipe.messages import MAX_MESSAGE_BYTES
from mailpipe.outcomes import CallFailed, Kind, Park, Retry
from mailpipe.parked_items import ParkedItems, Watermark
from mailpipe.parking import (
    MAX_INLINE_BYTES,
    MAX_ITEM_BODY_BYTES,
    SCHEDULED,
    Parked,
    Waits,
    aside_of,
    attributes_of,
    copy_of,
    delay_of,
    instead_of,
    item_of,
    oldest,
    parked_of,
    portions,
    range_of,
    released,
    scheduled,
)
from mailpipe.partiql import delete_from, insert_into, update_in
from mailpipe.reads import SharedReads
from mailpipe.records import Attributes
from mailpipe.resources import DUE_ITEMS, SHARDS
from mailpipe.timing import now_ms

SCOPES = "scopes"
"""Partition with an item for each scope that mail may wait for: restored with that mail."""
TOLD_FOR_S = 30.0
"""A process says that often that it parks mail for a scope."""
FORGET_S = 300.0
"""A scope without mail, for which nobody has parked for so long, is forgotten. A put that follows
the word takes far less than the difference."""
MAX_SCOPES = 1_000
NO_QUEUE_S = 6 * 3600.0
"""So long a sender of a newer version may be waited for that knows a message's queue."""
AT_ONCE_BYTES = 16_000_000
"""Of bodies that are in memory while they are sent."""
PROBES = 8
"""Items that one probe may find unfit before it gives up."""

log = logs.get()


class DueItems:
    """Parks messages and sends them again. `queues` are those that messages go back to, the most
    urgent first; `bucket` takes what is large (None: all lies in the items).
    """

    def __init__(
        self,
        tables: Tables,
        prefix: str,
        queues: Mapping[str, Queue],
        *,
        bucket: Bucket | None = None,
        waits: Waits,
        wall_ms: Callable[[], int] = now_ms,
    ) -> None:
        self.queues = queues
        self.waits = waits
        self.wall_ms = wall_ms
        self._tables = tables
        self._prefix = prefix
        self._bucket = bucket
        self._items = ParkedItems(tables, prefix, wall_ms)
        self._told = SharedReads[str, None](self._tell, most=MAX_SCOPES, fresh_s=TOLD_FOR_S)

    def instead_of(self, retry: Retry, message: Received, queue: str) -> Park | None:
        """See parking.instead_of."""
        return instead_of(retry, message, queue, self.waits, now_ms=self.wall_ms())

    async def park(self, message: Received, queue: str, park: Park) -> None:
        """Keep it; durable when this returns, so that the message may be deleted. What is due soon
        goes straight back to its queue, anew and delayed. What has a name waits for the time in its
        mail's record. Raises CallFailed.
        """
        if park.name is not None:
            message = scheduled(message)
        if park.scope is not None:
            await self._told.get(park.scope)
            item = await self._item_of(message, queue, park)
            # Refused: it was parked before, and its message has come once more.
            await self._tables.write(insert_into(self._prefix, DUE_ITEMS, attributes_of(item)))
        elif (delay_ms := (park.due_ms or 0) - self.wall_ms()) <= self.waits.soon_s * 1000:
            delay_s = delay_of(message.attributes, delay_ms)
            copy = copy_of(message, delay_s=delay_s, in_doubt=park.in_doubt)
            (fault,) = await self.queues[queue].send([copy])
            if fault is not None and fault.kind is Kind.REFUSED:
                item = await self._item_of(message, queue, park)
                await self._set_aside(attributes_of(item), "refused")
            elif fault is not None:
                raise fault
        else:
            await self._items.put(await self._item_of(message, queue, park))
        metrics.bound(metrics.PARKED, kind_of(park.scope)).inc()

    async def _item_of(self, message: Received, queue: str, park: Park) -> Parked:
        body_key = await self._body_kept(message)
        return item_of(message, queue, park, now_ms=self.wall_ms(), body_key=body_key)

    async def scopes(self) -> dict[str, int]:
        """Those that mail may wait for, and when somebody has last said so (epoch ms). Raises
        CallFailed.
        """
        items = await self._tables.partition(DUE_ITEMS, SCOPES)
        return {str(one["dueKey"]): at for one in items if isinstance(at := one.get("at"), int)}

    async def watermark(self) -> Watermark | None:
        """See ParkedItems.watermark."""
        return await self._items.watermark()

    async def first(
        self, scope: str, queue: str, most: int, *, after: str | None = None
    ) -> list[Parked]:
        """What waits for the scope and is from this queue, the oldest first, or what comes `after`
        a due key. Raises CallFailed.
        """
        each = -(-most // SHARDS) + 1
        partitions = [resources.waits_for_scope(scope, number) for number in range(SHARDS)]
        low, high = range_of(queue)
        low = low if after is None else f"{after}~"
        pages = [self.page(one, (low, high), limit=each) for one in partitions]
        return oldest(await asyncio.gather(*pages), most)

    async def page(
        self, partition: str, between: tuple[str, str], *, limit: int
    ) -> tuple[list[Parked], bool]:
        """The first items there, and whether there may be more. Raises CallFailed."""
        while True:
            page = await self._tables.page(DUE_ITEMS, partition, between=between, limit=limit)
            parked = [parked_of(item) for item in page.items]
            if None not in parked:
                return [one for one in parked if one is not None], page.last is not None
            for item, one in zip(page.items, parked, strict=True):
                if one is None:
                    await self._set_aside(item, "unreadable")

    async def probe(self, scope: str) -> bool:
        """Send the first mail that waits for the scope and can go, marked; False when none waits.
        Raises CallFailed.
        """
        waits = False
        for queue in self.queues:
            for one in await self.first(scope, queue, PROBES):
                waits = True
                if await self.send([one], probe=scope):
                    return True
        return waits  # if none could go another probe follows

    async def send(self, parked: Sequence[Parked], *, probe: str | None = None) -> list[Parked]:
        """Send them to their queues, then delete their items; those that went. What cannot go now
        stays, what never can is set aside. Raises CallFailed where the table fails.
        """
        sent = list[Parked]()
        for portion in portions(parked, AT_ONCE_BYTES):
            sent += await self._send_portion(portion, probe)
        return sent

    async def _send_portion(self, parked: Sequence[Parked], probe: str | None) -> list[Parked]:
        messages = await asyncio.gather(*(self._message_of(one, probe) for one in parked))
        by_queue = dict[str, list[tuple[Parked, Outgoing]]]()
        for one, message in zip(parked, messages, strict=True):
            if message is not None:
                by_queue.setdefault(one.queue, []).append((one, message))
        sent = list[Parked]()
        for name, pairs in by_queue.items():
            faults = await self.queues[name].send([message for _, message in pairs])
            for (one, _), fault in zip(pairs, faults, strict=True):
                if fault is None:
                    sent.append(one)
                    failpoints.hit("sender.released")
                elif fault.kind is Kind.REFUSED:
                    await self._set_aside(attributes_of(one), "refused")
                else:
                    log.warning("release_failed", queue=name, code=fault.code)
        await self._delete(sent)
        return sent

    async def _message_of(self, parked: Parked, probe: str | None) -> Outgoing | None:
        """What is sent; None: it cannot go now, or was set aside."""
        now = self.wall_ms()
        if parked.queue not in self.queues:
            log.error("parked_for_no_queue", queue=parked.queue, message_id=parked.message_id)
            if now - max(parked.at_ms, parked.parked_at) >= NO_QUEUE_S * 1000:
                await self._set_aside(attributes_of(parked), "no_queue")
            return None
        try:
            body = await self._body_of(parked)
        except CallFailed as error:
            log.warning("parked_body_unread", code=error.code, message_id=parked.message_id)
            return None
        except (TooLarge, UnicodeDecodeError):
            await self._set_aside(attributes_of(parked), "unreadable")
            return None
        if body is None:
            await self._set_aside(attributes_of(parked), "body_missing")
            return None
        return released(parked, body, now_ms=now, probe=probe)

    async def _delete(self, parked: Sequence[Parked]) -> None:
        """What is not deleted is sent again; so is what was put once more since it was read."""
        statements = [
            delete_from(self._prefix, DUE_ITEMS, one.key, ("parkedAt", "=", one.parked_at))
            for one in parked
        ]
        for one, fate in zip(parked, await self._tables.write_all(statements), strict=True):
            if isinstance(fate, CallFailed):
                log.warning("parked_item_stays", code=fate.code)
            else:
                metrics.bound(metrics.RELEASED, kind_of(one.scope)).inc()

    async def forget(self, scope: str, at: int) -> None:
        """Nothing waits for the scope: if somebody last said so long ago (`at`, as `scopes` told
        before that was seen), it is looked at no more. Raises CallFailed.
        """
        if at < self.wall_ms() - FORGET_S * 1000:
            statement = delete_from(self._prefix, DUE_ITEMS, _key_of(scope), ("at", "=", at))
            await self._tables.write(statement)

    async def _tell(self, scope: str) -> None:
        """From now on whoever releases looks at this scope too."""
        key, changes = _key_of(scope), Attributes(at=self.wall_ms())
        where = ("at", "<", changes["at"])
        fate = await self._tables.write(update_in(self._prefix, DUE_ITEMS, changes, key, where))
        if isinstance(fate, Refused) and fate.item is None:
            await self._tables.write(insert_into(self._prefix, DUE_ITEMS, key | changes))

    async def _body_kept(self, message: Received) -> str | None:
        """Where a body that is too large for an item lies; None: it is not."""
        size = len(message.body.encode())
        if size <= (MAX_INLINE_BYTES if self._bucket is not None else MAX_ITEM_BODY_BYTES):
            return None
        later = SCHEDULED in message.attributes
        prefix = resources.SCHEDULED_PARKED_PREFIX if later else resources.PARKED_PREFIX
        key = f"{prefix}{message.message_id}"
        await self._needed().put(key, message.body.encode())
        return key

    async def _body_of(self, parked: Parked) -> str | None:
        if parked.body_key is None:
            return parked.body
        body = await self._needed().get(parked.body_key, max_bytes=MAX_MESSAGE_BYTES)
        return None if body is None else body.decode()

    async def _set_aside(self, item: Attributes, why: str) -> None:
        """It can never go: nothing else may wait behind it, and a person has to look."""
        log.error("parked_set_aside", why=why, message_id=str(item.get("messageId")))
        key = {name: item[name] for name in ("waitsFor", "dueKey")}
        aside = aside_of(item, why, now_ms=self.wall_ms())
        await self._tables.write(insert_into(self._prefix, DUE_ITEMS, aside))
        await self._tables.write(delete_from(self._prefix, DUE_ITEMS, key))
        metrics.bound(metrics.SET_ASIDE, why).inc()

    def _needed(self) -> Bucket:
        if self._bucket is None:
            text = "a parked message of this size needs the bucket: set MAILPIPE_BODIES_BUCKET"
            raise CallFailed(Kind.CONFIGURATION, "NoBodiesBucket", text)
        return self._bucket


def _key_of(scope: str) -> Attributes:
    return {"waitsFor": SCOPES, "dueKey": scope}
