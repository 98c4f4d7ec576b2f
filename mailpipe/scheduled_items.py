"""Moves the items of mail that waits for its `sendAt`; `parked_items.py` says why that is safe."""

from collections.abc import Iterable, Sequence

from msgspec import structs

from mailpipe import logs
from mailpipe.aws.table import Tables
from mailpipe.due import DueItems
from mailpipe.outcomes import CallFailed
from mailpipe.parked_items import ParkedItems
from mailpipe.parking import MINUTE_MS, Parked, parked_of
from mailpipe.partiql import delete_from
from mailpipe.resources import DUE_ITEMS
from mailpipe.scheduled import key_of_time, moved

log = logs.get()


class ScheduledItems:
    """Items by their name and the times that they may wait for. Every method raises CallFailed."""

    def __init__(self, due: DueItems, tables: Tables, prefix: str) -> None:
        self._due = due
        self._items = ParkedItems(tables, prefix, due.wall_ms)
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
        return await self._items.put(copy)

    async def send_soon(self, waiting: Iterable[Parked]) -> None:
        """What is due soon goes to its queue, with a delay: it is looked for less often than that.
        What does not go stays.
        """
        soon_ms = self._due.wall_ms() + round(self._due.waits.soon_s * 1000)
        await self._due.send([one for one in waiting if one.at_ms <= soon_ms])

    async def delete(self, waiting: Iterable[Parked]) -> None:
        """They are not needed any more, as they were read."""
        await self._items.delete(waiting)

    async def forget(self, name: str, times: Iterable[int]) -> None:
        """The mail never goes. What is not deleted comes in its time, and is found ended."""
        keys = [key_of_time(name, at) for at in dict.fromkeys(times)]
        statements = [delete_from(self._prefix, DUE_ITEMS, key) for key in keys]
        for fate in await self._tables.write_all(statements):
            if isinstance(fate, CallFailed):
                log.warning("parked_item_stays", code=fate.code)
