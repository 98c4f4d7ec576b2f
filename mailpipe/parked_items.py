"""How items of mail that waits for a time are put and removed.

A copy too many is harmless (`scheduled.py`); one too few would be a mail that nobody sends. So only
the very item that was read is ever deleted, here and by who releases it: a put of an item that is
there already gives it another `parkedAt`.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from msgspec import structs

from mailpipe.aws.table import Applied, Tables
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.parking import MINUTE_MS, Parked, attributes_of, parked_of
from mailpipe.partiql import delete_from, insert_into, update_in
from mailpipe.records import Attributes
from mailpipe.resources import DUE_ITEMS

WATERMARK: Attributes = {"waitsFor": "watermark", "dueKey": "T"}
"""The minute before which nothing waits for a time. Restored with what waits, too."""
TRIES = 5


class Watermark(NamedTuple):
    """Before `minute` nothing is put any more. The minutes from `look_from` on were passed last and
    are looked at once more: who put something there meanwhile may have asked just before.
    """

    minute: int
    look_from: int


class ParkedItems:
    """Every method raises CallFailed."""

    def __init__(self, tables: Tables, prefix: str, wall_ms: Callable[[], int]) -> None:
        self._tables = tables
        self._prefix = prefix
        self._wall_ms = wall_ms

    async def watermark(self) -> Watermark | None:
        """None: nobody has looked for anything yet."""
        item = await self._tables.get(DUE_ITEMS, WATERMARK) or {}
        minute = item.get("minute")
        if not isinstance(minute, int):
            return None
        look_from = item.get("lookFrom")
        return Watermark(minute, look_from if isinstance(look_from, int) else minute)

    async def put(self, item: Parked) -> list[Parked]:
        """Keep it; all that was put for that. The clock of who releases may be ahead of ours, or a
        call have taken long: where the minute of the item has been passed meanwhile it is put into
        a later one, too, which is not passed before another such delay is over. The item is written
        before the watermark is read, the watermark before its minutes are looked at once more: one
        of the two sees the other.
        """
        found = [await self._put(item)]
        for _ in range(TRIES):
            mark = await self.watermark()
            if mark is None or found[-1].minute >= mark.minute:
                return found
            minute = max(self._wall_ms() // MINUTE_MS, mark.minute + 1)
            found.append(await self._put(item.in_minute(minute)))
        raise _contended()

    async def delete(self, waiting: Iterable[Parked]) -> None:
        """They are not needed any more, as they were read."""
        for one in waiting:
            where = ("parkedAt", "=", one.parked_at)
            await self._tables.write(delete_from(self._prefix, DUE_ITEMS, one.key, where))

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
        raise _contended()


def _contended() -> CallFailed:
    return CallFailed(Kind.IN_DOUBT, "ItemContended", operation="park")
