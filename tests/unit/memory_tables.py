"""Tables in this process that take our PartiQL statements as DynamoDB does.

`tests/integration/test_memory_tables.py` holds them to the real thing. Every call is a step: who
drives the caller may let others go first, or let it die before or after the write.
"""

import copy
import operator
import re
from collections.abc import Callable, Generator, Sequence
from types import coroutine
from typing import Any

from loadtest.virtual.tables import inserted
from mailpipe import resources
from mailpipe.aws.table import Applied, Fate, Refused
from mailpipe.outcomes import CallFailed
from mailpipe.partiql import Statement
from mailpipe.records import Attributes

_UPDATE = re.compile(r'UPDATE "([^"]+)"(.*) WHERE (.*)')
_CHANGE = re.compile(r' (SET|REMOVE) ("[^=\s]+")(=\?)?')
_CONDITION = re.compile(r'("[^<>=]+")(<=|>=|<>|<|>|=)\?')
_DELETE = re.compile(r'DELETE FROM "([^"]+)" WHERE (.*)')
_COMPARE = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


@coroutine
def step(what: str) -> Generator[str, None, None]:
    """Others may go first."""
    yield what


class MemoryTables:
    """The face of `mailpipe.aws.table.Tables`. `watch` sees every item before and after a change.
    While `repeats` answers to writes are lost, and each
    is made once more, as `call_again` does it.
    """

    def __init__(self, prefix: str, *, stepwise: bool = False) -> None:
        self.items = dict[tuple[Any, ...], Attributes]()
        self._prefix = prefix
        self._stepwise = stepwise
        self.repeats = False
        self.watch: Callable[[Attributes | None, Attributes], None] = lambda before, after: None

    async def write(self, statement: Statement, *, heard_s: float = 0.0) -> Fate:
        """See Tables.write. What is cancelled here is written, or never will be."""
        await self._step("before a write")
        fate = self._carried_out(statement)
        await self._step("after a write")
        if self.repeats:
            fate = self._carried_out(statement)
            await self._step("after the same write")
        return fate

    async def write_all(self, statements: Sequence[Statement]) -> list[Fate | CallFailed]:
        """See Tables.write_all."""
        return [await self.write(one) for one in statements]

    async def get(self, table: str, key: Attributes) -> Attributes | None:
        """See Tables.get."""
        await self._step("before a read")
        names = resources.TABLES[table].key
        found = self.items.get((self._prefix + table, *(key[name] for name in names)))
        return copy.deepcopy(found)

    async def get_all(self, table: str, keys: list[Attributes]) -> list[Attributes]:
        """See Tables.get_all."""
        return [found for key in keys if (found := await self.get(table, key)) is not None]

    async def _step(self, what: str) -> None:
        if self._stepwise:
            await step(what)

    def _carried_out(self, statement: Statement) -> Fate:
        text = statement.text
        if text.startswith("INSERT"):
            if statement.key in self.items:
                return Refused(None, duplicate=True)
            item = self.items[statement.key] = inserted(statement)
            self.watch(None, item)
            return Applied()
        changes, where, parameters = [], text, list(copy.deepcopy(statement.parameters))
        if match := _UPDATE.fullmatch(text):
            changes, where = _CHANGE.findall(match[2]), match[3]
        elif match := _DELETE.fullmatch(text):
            where = match[2]
        else:
            raise AssertionError(text)
        values = [parameters.pop(0) if given else None for _, _, given in changes]
        return self._changed(statement.key, changes, values, where, parameters)

    def _changed(
        self,
        key: tuple[Any, ...],
        changes: list[tuple[str, str, str]],
        values: list[Any],
        where: str,
        parameters: list[Any],
    ) -> Fate:
        item = self.items.get(key)
        conditions = _CONDITION.findall(where)
        if item is None:
            return Refused(None) if changes else Applied()
        for (path, compare, *_), wanted in zip(conditions, parameters, strict=True):
            holder, name = _place(item, path)
            found = holder.get(name)
            same = type(found) is type(wanted)
            if found is None or not same or not _COMPARE[compare](found, wanted):
                return Refused(copy.deepcopy(item))
        if not changes:
            del self.items[key]
            return Applied()
        before = copy.deepcopy(item)
        for (verb, path, _), value in zip(changes, values, strict=True):
            holder, name = _place(item, path)
            if verb == "SET":
                holder[name] = value
            else:
                holder.pop(name, None)
        self.watch(before, item)
        return Applied()


def _place(item: Attributes, path: str) -> tuple[dict[str, Any], str]:
    *outer, name = [part.strip('" ') for part in path.split('"."')]
    holder: Any = item
    for part in outer:
        holder = holder[part]
    return holder, name
