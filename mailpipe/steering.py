"""What people tell all senders by the board: pauses and caps. Every change is audited.

Senders read it every few seconds.
"""

from mailpipe import board, resources
from mailpipe.audit import Audited, NotDone
from mailpipe.aws.table import Tables
from mailpipe.aws.together import Remove, Save
from mailpipe.board import Cap, Pause, Reading
from mailpipe.records import Attributes


class Steering:
    """Reads and changes the board for one person. Every method raises CallFailed."""

    def __init__(self, tables: Tables, audited: Audited, *, who: str) -> None:
        self._tables = tables
        self._audited = audited
        self._who = who

    async def reading(self) -> Reading:
        """All of it."""
        items = await self._tables.partition(resources.COORDINATION, board.KIND)
        return board.reading_of(items)

    async def pause(self, scope: str, reason: str) -> Pause:
        """Its mail waits until a person resumes it, whoever has paused it before. Raises NotDone
        when somebody changes it at the same moment.
        """
        pause = Pause(scope=scope, reason=reason, since=self._audited.wall_ms(), by=self._who)
        await self._save("scope.paused", scope, board.pause_item(pause), what={"reason": reason})
        return pause

    async def resume(self, scope: str) -> None:
        """Its mail goes on. Raises NotDone when it is not paused."""
        sentence = "It is not paused: see `paused`."
        await self._remove("scope.resumed", scope, f"pause#{scope}", otherwise=sentence)

    async def cap(self, scope: str, per_second_milli: int) -> Cap:
        """No more than so much a second. Raises NotDone as `pause` does."""
        cap = Cap(scope=scope, per_second_milli=per_second_milli)
        what: Attributes = {"perSecondMilli": per_second_milli}
        await self._save("scope.capped", scope, board.cap_item(cap), what=what)
        return cap

    async def uncap(self, scope: str) -> None:
        """No cap any more. Raises NotDone when there is none."""
        sentence = "It has no cap: see `quota`."
        await self._remove("scope.uncapped", scope, f"cap#{scope}", otherwise=sentence)

    async def _save(self, action: str, scope: str, item: Attributes, *, what: Attributes) -> None:
        key = board.key_of(str(item["id"]))
        old = await self._tables.get(resources.COORDINATION, key) or {}
        save = Save(resources.COORDINATION, item, old)
        await self._audited.write(action, board.without_local_part(scope), [save], what=what)

    async def _remove(self, action: str, scope: str, item_id: str, *, otherwise: str) -> None:
        key = board.key_of(item_id)
        if await self._tables.get(resources.COORDINATION, key) is None:
            raise NotDone(otherwise)
        remove = Remove(resources.COORDINATION, key)
        on = board.without_local_part(scope)
        await self._audited.write(action, on, [remove], what={}, otherwise=otherwise)
