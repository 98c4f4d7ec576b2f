"""Messages that wait outside their queue (`parking.py` says in which form).

Parked: put, then the message is deleted. Released: sent, then the item is deleted. Killed in
between, it is there twice, which is harmless: one id is one mail, claimed once.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec

from mailpipe import logs, metrics, resources
from mailpipe.aws.queue import Outgoing, Queue, Received
from mailpipe.aws.s3 import Bucket
from mailpipe.aws.table import Refused, Tables
from mailpipe.messages import MAX_MESSAGE_BYTES
from mailpipe.outcomes import CallFailed, Kind, Park, Retry
from mailpipe.parking import (
    MAX_INLINE_BYTES,
    MAX_ITEM_BODY_BYTES,
    MISSING_BODIES,
    Parked,
    Waits,
    attributes_of,
    copy_of,
    instead_of,
    item_of,
    oldest,
    parked_of,
    range_of,
    released,
)
from mailpipe.reads import SharedReads
from mailpipe.records import Attributes
from mailpipe.resources import COORDINATION, DUE_ITEMS, SHARDS
from mailpipe.statements import delete_from, insert_into, update_in
from mailpipe.timing import now_ms

KIND = "parked"
"""Items of `Coordination`, one for each scope that mail may wait for."""
TOLD_FOR_S = 30.0
"""A process says that often that it parks mail for a scope."""
FORGET_S = 300.0
"""A scope without mail, for which nobody has parked for so long, is forgotten. A put that follows
the word takes far less than the difference."""
MAX_SCOPES = 1_000

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
        self._told = SharedReads[str, None](self._tell, most=MAX_SCOPES, fresh_s=TOLD_FOR_S)

    def instead_of(self, retry: Retry, message: Received, queue: str) -> Park | None:
        """See parking.instead_of."""
        return instead_of(retry, message, queue, self.waits, now_ms=self.wall_ms())

    async def park(self, message: Received, queue: str, park: Park) -> None:
        """Keep it; durable when this returns, so that the message may be deleted. What is due soon
        goes straight back to its queue, anew and delayed. Raises CallFailed.
        """
        now = self.wall_ms()
        if park.scope is None and (park.due_ms or 0) - now <= self.waits.soon_s * 1000:
            delay_ms = max(0, (park.due_ms or 0) - now)
            await self._send(queue, copy_of(message, delay_s=-(-delay_ms // 1000)))
        else:
            if park.scope is not None:
                await self._told.get(park.scope)
            body_key = await self._body_kept(message)
            item = item_of(message, queue, park, now_ms=now, body_key=body_key)
            # Refused: it was parked before, and its message has come once more.
            await self._tables.write(insert_into(self._prefix, DUE_ITEMS, attributes_of(item)))
        metrics.bound(metrics.PARKED, kind_of(park.scope)).inc()

    async def scopes(self) -> dict[str, int]:
        """Those that mail may wait for, and when somebody has last said so (epoch ms). Raises
        CallFailed.
        """
        items = await self._tables.partition(COORDINATION, KIND)
        return {str(one["id"]): at for one in items if isinstance(at := one["at"], int)}

    async def first(self, scope: str, queue: str, most: int) -> list[Parked]:
        """What waits for the scope and is from this queue, the oldest first. Raises CallFailed."""
        each = -(-most // SHARDS) + 1
        partitions = [resources.waits_for_scope(scope, number) for number in range(SHARDS)]
        low, high = range_of(queue)
        pages = [self.page(one, (low, high), limit=each) for one in partitions]
        return oldest(await asyncio.gather(*pages), most)

    async def page(
        self, partition: str, between: tuple[str, str], *, limit: int
    ) -> tuple[list[Parked], bool]:
        """The first items there, and whether there may be more. Raises CallFailed."""
        page = await self._tables.page(DUE_ITEMS, partition, between=between, limit=limit)
        return [parked_of(item) for item in page.items], page.last is not None

    async def probe(self, scope: str) -> bool:
        """Send the first mail that waits for the scope, marked; False when none waits. Raises
        CallFailed.
        """
        for queue in self.queues:
            if first := await self.first(scope, queue, 1):
                await self.send(first, probe=scope)  # if it fails another probe follows
                return True
        return False

    async def send(self, parked: Sequence[Parked], *, probe: str | None = None) -> list[Parked]:
        """Send them to their queues, then delete their items; those that went. Raises CallFailed
        when a body cannot be read.
        """
        bodies = await asyncio.gather(*map(self._body_of, parked))
        by_queue = dict[str, list[tuple[Parked, Outgoing]]]()
        for one, body in zip(parked, bodies, strict=True):
            if body is None:
                await self._set_aside(one)
            elif one.queue not in self.queues:
                log.error("parked_for_no_queue", queue=one.queue, message_id=one.message_id)
            else:
                message = released(one, body, now_ms=self.wall_ms(), probe=probe)
                by_queue.setdefault(one.queue, []).append((one, message))
        sent = list[Parked]()
        for name, pairs in by_queue.items():
            faults = await self.queues[name].send([message for _, message in pairs])
            for (one, _), fault in zip(pairs, faults, strict=True):
                if fault is None:
                    sent.append(one)
                else:
                    log.warning("release_failed", queue=name, code=fault.code)
        await self._delete(sent)
        return sent

    async def _delete(self, parked: Sequence[Parked]) -> None:
        """What is not deleted is sent again."""
        statements = [delete_from(self._prefix, DUE_ITEMS, one.key) for one in parked]
        for one, fate in zip(parked, await self._tables.write_all(statements), strict=True):
            if isinstance(fate, CallFailed):
                log.warning("parked_item_stays", code=fate.code)
            else:
                metrics.bound(metrics.RELEASED, kind_of(one.scope)).inc()

    async def forget(self, scope: str, at: int) -> None:
        """Nothing waits for the scope: if somebody last said so long ago (`at`, as `scopes` told
        before that was seen), it is looked at no more. Raises CallFailed.
        """
        key: Attributes = {"kind": KIND, "id": scope}
        if at < self.wall_ms() - FORGET_S * 1000:
            await self._tables.write(delete_from(self._prefix, COORDINATION, key, ("at", "=", at)))

    async def _tell(self, scope: str) -> None:
        """From now on whoever releases looks at this scope too."""
        key: Attributes = {"kind": KIND, "id": scope}
        changes: Attributes = {"at": self.wall_ms()}
        where = ("at", "<", changes["at"])
        fate = await self._tables.write(update_in(self._prefix, COORDINATION, changes, key, where))
        if isinstance(fate, Refused) and fate.item is None:
            await self._tables.write(insert_into(self._prefix, COORDINATION, key | changes))

    async def _send(self, queue: str, message: Outgoing) -> None:
        (fault,) = await self.queues[queue].send([message])
        if fault is not None:
            raise fault

    async def _body_kept(self, message: Received) -> str | None:
        """Where a body that is too large for an item lies; None: it is not."""
        size = len(message.body.encode())
        if size <= (MAX_INLINE_BYTES if self._bucket is not None else MAX_ITEM_BODY_BYTES):
            return None
        key = f"{resources.PARKED_PREFIX}{message.message_id}"
        await self._needed().put(key, message.body.encode())
        return key

    async def _body_of(self, parked: Parked) -> str | None:
        if parked.body_key is None:
            return parked.body
        body = await self._needed().get(parked.body_key, max_bytes=MAX_MESSAGE_BYTES)
        return None if body is None else body.decode()

    async def _set_aside(self, parked: Parked) -> None:
        """Its body is gone: nothing else may wait behind it, and a person has to look."""
        log.error("parked_body_missing", queue=parked.queue, message_id=parked.message_id)
        aside = msgspec.structs.replace(parked, waits_for=MISSING_BODIES)
        await self._tables.write(insert_into(self._prefix, DUE_ITEMS, attributes_of(aside)))
        await self._tables.write(delete_from(self._prefix, DUE_ITEMS, parked.key))

    def _needed(self) -> Bucket:
        if self._bucket is None:
            text = "a parked message of this size needs the bucket: set MAILPIPE_BODIES_BUCKET"
            raise CallFailed(Kind.CONFIGURATION, "NoBodiesBucket", text)
        return self._bucket


def kind_of(scope: str | None) -> str:
    """For metrics: what a message waits for."""
    return "time" if scope is None else scope.partition("#")[0]
