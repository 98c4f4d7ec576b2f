"""An `Access` over items in a dict, on a clock that only moves when told to."""

import asyncio
from typing import Any

from mailpipe import resources
from mailpipe.access import Access
from mailpipe.outcomes import CallFailed
from mailpipe.records import Attributes


class Items:
    """The `Access` table; counts the reads."""

    def __init__(self) -> None:
        self.items = dict[tuple[str, str], Attributes]()
        self.reads = 0
        self.fault: CallFailed | None = None

    def put(self, item: Attributes) -> None:
        self.items[str(item["kind"]), str(item["id"])] = item

    async def get(self, table: str, key: Attributes) -> Attributes | None:
        assert table == resources.ACCESS
        self.reads += 1
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        return self.items.get((str(key["kind"]), str(key["id"])))


class Rig:
    """Access with its table and its clocks."""

    def __init__(self, *, local: bool = False, per_second: float = 1000) -> None:
        self.now_s = 1000.0
        self.items = Items()
        tables: Any = self.items
        self.access = Access(
            tables,
            local=local,
            per_second=per_second,
            clock=lambda: self.now_s,
            wall_ms=lambda: round(self.now_s * 1000),
        )
