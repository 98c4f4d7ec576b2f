"""Moves the items of mail that waits for its `sendAt`.

A copy too many is harmless (`scheduled.py`); one too few would be a mail that nobody sends. So only
the very item that was read is ever deleted, here and by who releases it: a put of an item that is
there already gives it another `parkedAt`.
"""

from collections.abc import Iterable, Sequence

from msgspec import structs

from mailpipe import logs
from mailpipe.aws.table import Applied, Tables
from mailpipe.due import DueItems
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.parking import MINUTE_MS, Parked, attributes_of, parked_of
from mailpipe.partiql import delete_from, insert_into, update_in
from mailpipe.records import Attributes
from mailpipe.resources import DUE_ITEMS
from mailpipe.scheduled import key_of_time, moved

TRIES = 5

log = logs.get()


class ScheduledItems:
    """Items by their name and the times that they may wait for. Every method raises CallFailed."""

    def __init__(self, due: DueItems, tables: Tables, prefix: str) -> None:
        self._due = due
        self._tables = tables
        self._prefix = prefix

    async def find(self, name: str, times: Iterable[int]) -> list[Parked]:
        """Those that are there."""
        keys = [key_of_time(name, at) for at in dict.fromkeys(times)]
        items = await self._tables.get_all(DUE_ITEMS, keys)
        return [one for one in map(parked_of, items) if one is not None]

    async def put(self, waiting: Sequence[Parked], at_ms: int) -> list[Parked]:
        """The mail that these hold waits for this time, too; at once if that is past."""
        if not waiting:
            return []
        now = self._due.wall_ms()
        copy = structs.replace(moved(waiting[0], at_ms), parked_at=now)
        if at_ms < now:  # a minute that is over may have been passed by who releases what is due
            copy = copy.in_minute(now // MINUTE_MS)
        copies = [await self._put(copy)]
        passed = await self._due.watermark()
        if passed is not None and copy.minute < passed:
            copies.append(await self._put(copy.in_minute(passed + 1)))
        return copies

    async def send_soon(self, waiting: Iterable[Parked]) -> None:
        """What is due soon goes to its queue, with a delay: it is looked for less often than that.
        What does not go stays.
        """
        soon_ms = self._due.wall_ms() + round(self._due.waits.soon_s * 1000)
        await self._due.send([one for one in waiting if one.at_ms <= soon_ms])

    async def delete(self, waiting: Iterable[Parked]) -> None:
        """They are not needed any more, as they were read."""
        for one in waiting:
            where = ("parkedAt", "=", one.parked_at)
            await self._tables.write(delete_from(self._prefix, DUE_ITEMS, one.key, where))

    async def forget(self, name: str, times: Iterable[int]) -> None:
        """The mail never goes. What is not deleted comes in its time, and is found ended."""
        keys = [key_of_time(name, at) for at in dict.fromkeys(times)]
        statements = [delete_from(self._prefix, DUE_ITEMS, key) for key in keys]
        for fate in await self._tables.write_all(statements):
            if isinstance(fate, CallFailed):
                log.warning("parked_item_stays", code=fate.code)

    async def _put(self, item: Parked) -> Parked:
        for _ in range(TRIES):
            insert = insert_into(self._prefix, DUE_ITEMS, attributes_of(item))
            if isinstance(await self._tables.write(insert), Applied):
                return item
            there = await self._tables.get(DUE_ITEMS, item.key)
            parked = None if there is None else parked_of(there)
            if parked is None:
                continue  # released meanwhile
            again = structs.replace(parked, parked_at=max(item.parked_at, parked.parked_at + 1))
            changes: Attributes = {"parkedAt": again.parked_at}
            where = ("parkedAt", "=", parked.parked_at)
            update = update_in(self._prefix, DUE_ITEMS, changes, item.key, where)
            if isinstance(await self._tables.write(update), Applied):
                return again
        raise CallFailed(Kind.IN_DOUBT, "ItemContended", operation="park")
