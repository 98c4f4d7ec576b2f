"""Tables in memory: the statements that `mailpipe/partiql.py` makes, carried out as DynamoDB does.

They obey the contract suite of the real ones (`tests/integration/test_table_contract.py`). TTL is
strict here: what is over is gone at once, where DynamoDB takes up to days.
"""

import operator
import re
import time
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from mailpipe import resources
from mailpipe.aws.table import Applied, Fate, Page, Refused, Tables
from mailpipe.outcomes import CallFailed
from mailpipe.partiql import Statement
from mailpipe.records import Attributes, Value

_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_INSERTED = re.compile(r"'([^']+)': \?")
_CHANGED = re.compile(r' (SET|REMOVE) ("[\w.\-"]+")(?:=\?)?')
_WHERE = re.compile(r'("[\w.\-"]+")(<=|>=|=|<|>)\?')


class _Plan(NamedTuple):
    """A statement's text, read."""

    verb: str
    changes: tuple[tuple[str, bool], ...]
    where: tuple[tuple[str, str], ...]


class _Table:
    """Items of one table: by partition in the order of the sort key."""

    def __init__(self, form: resources.Table) -> None:
        self.form = form
        self.items = dict[tuple[Value, ...], Attributes]()
        self.order = defaultdict[Value, list[Any]](list)
        self.indexed = {name: defaultdict[Value, list[Any]](list) for name in form.indexes}

    def get(self, key: tuple[Value, ...], now_s: float) -> Attributes | None:
        item = self.items.get(key)
        if item is None or not self._is_over(item, now_s):
            return item
        self.remove(key)
        return None

    def put(self, key: tuple[Value, ...], item: Attributes) -> None:
        if key in self.items:
            self._index(self.items[key], key, remove=True)
        elif self.form.sort is not None:
            insort(self.order[key[0]], key[1])
        self.items[key] = item
        self._index(item, key)

    def remove(self, key: tuple[Value, ...]) -> None:
        item = self.items.pop(key, None)
        if item is None:
            return
        self._index(item, key, remove=True)
        if self.form.sort is not None:
            keys = self.order[key[0]]
            del keys[bisect_left(keys, key[1])]
            if not keys:
                del self.order[key[0]]

    def of_index(
        self, name: str, partition: Value, between: tuple[Any, Any], after: Any, limit: int
    ) -> Page:
        """Its keys, in order; `after` is the last key of the page before."""
        entries, sort = self.indexed[name].get(partition, []), self.form.indexes[name].sort
        first = bisect_left(entries, (between[0],))
        if after is not None:
            first = bisect_right(entries, (after[sort], self._key(after)))
        found = [one for one in entries[first:] if one[0] <= between[1]]
        names = (sort, *self.form.key)
        items: list[Attributes] = [
            dict(zip(names, (at, *key), strict=True)) for at, key in found[:limit]
        ]
        return Page(items, items[-1] if len(found) > limit else None)

    def _index(self, item: Attributes, key: tuple[Value, ...], *, remove: bool = False) -> None:
        for name, index in self.form.indexes.items():
            if index.partition in item and index.sort in item:
                entries, entry = self.indexed[name][item[index.partition]], (item[index.sort], key)
                if remove:
                    del entries[bisect_left(entries, entry)]
                else:
                    insort(entries, entry)

    def _key(self, item: Attributes) -> tuple[Value, ...]:
        return tuple(item[name] for name in self.form.key)

    def between(self, partition: Value, low: Any, high: Any, limit: int, now_s: float) -> Page:
        keys = self.order.get(partition, [])
        first = 0 if low is None else bisect_left(keys, low)
        last = len(keys) if high is None else bisect_right(keys, high)
        wanted = keys[first : min(last, first + limit)]
        found = [self.get((partition, one), now_s) for one in wanted]
        items = [dict(item) for item in found if item is not None]
        end = {self.form.partition: partition, str(self.form.sort): wanted[-1]} if wanted else None
        return Page(items, end if last - first > limit else None)

    def _is_over(self, item: Attributes, now_s: float) -> bool:
        ttl = item.get("ttl") if self.form.ttl else None
        return isinstance(ttl, int) and ttl <= now_s


class MemoryTables(Tables):
    """All tables of a deployment. `inserted` counts the INSERTs that were applied, by table."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._tables = {
            resources.physical(prefix, name): _Table(form)
            for name, form in resources.TABLES.items()
        }
        self.inserted = defaultdict[str, int](int)

    async def close(self) -> None:
        """See Tables.close."""

    async def write(self, statement: Statement) -> Fate:
        """See Tables.write."""
        plan = _read(statement.text)
        table = self._tables[str(statement.key[0])]
        key = statement.key[1:]
        item = table.get(key, time.time())
        if plan.verb == "INSERT":
            if item is not None:
                return Refused(None, duplicate=True)
            self.inserted[str(statement.key[0]).removeprefix(self._prefix)] += 1
            names = [name for name, _ in plan.changes]
            table.put(key, dict(zip(names, statement.parameters, strict=True)))
            return Applied()
        set_names = [name for name, removed in plan.changes if not removed]
        wanted = statement.parameters[len(set_names) :]
        if item is None:
            further = len(plan.where) > len(key)
            return Refused(None) if plan.verb == "UPDATE" or further else Applied()
        if not all(_holds(item, *one) for one in zip(plan.where, wanted, strict=True)):
            return Refused(dict(item))
        if plan.verb == "DELETE":
            table.remove(key)
        else:
            values = dict(zip(set_names, statement.parameters, strict=False))
            table.put(key, _changed(item, plan.changes, values))
        return Applied()

    async def write_all(self, statements: Sequence[Statement]) -> list[Fate | CallFailed]:
        """See Tables.write_all."""
        return [await self.write(one) for one in statements]

    async def get(self, table: str, key: Attributes) -> Attributes | None:
        """See Tables.get."""
        found = self._of(table)
        item = found.get(tuple(key[name] for name in found.form.key), time.time())
        return None if item is None else dict(item)

    async def get_all(self, table: str, keys: list[Attributes]) -> list[Attributes]:
        """See Tables.get_all."""
        items = [await self.get(table, key) for key in keys]
        return [item for item in items if item is not None]

    async def partition(self, table: str, value: Value) -> list[Attributes]:
        """See Tables.partition."""
        found = self._of(table)
        return found.between(value, None, None, len(found.items), time.time()).items

    async def page(
        self,
        table: str,
        value: Value,
        *,
        index: str | None = None,
        between: tuple[Value, Value] | None = None,
        newest_first: bool = False,
        after: Attributes | None = None,
        limit: int,
    ) -> Page:
        """See Tables.page: a table from its first item on, an index between two values."""
        if newest_first or (index is None and after is not None):
            raise NotImplementedError("nothing that waits is read so")
        if index is not None and between is not None:
            return self._of(table).of_index(index, value, between, after, limit)
        low, high = between or (None, None)
        return self._of(table).between(value, low, high, limit, time.time())

    def _of(self, table: str) -> _Table:
        return self._tables[resources.physical(self._prefix, table)]


@lru_cache(maxsize=1024)
def _read(text: str) -> _Plan:
    verb = text.split(" ", 1)[0]
    head, _, condition = text.partition(" WHERE ")
    if verb == "INSERT":
        return _Plan(verb, tuple((name, False) for name in _INSERTED.findall(head)), ())
    changes = [(_plain(name), what == "REMOVE") for what, name in _CHANGED.findall(head)]
    where = [(_plain(name), compare) for name, compare in _WHERE.findall(condition)]
    return _Plan(verb, tuple(changes), tuple(where))


def _plain(path: str) -> str:
    return path.replace('"', "")


def _holds(item: Attributes, one: tuple[str, str], value: Value) -> bool:
    """What is not there, or of another type, compares with nothing."""
    found: Any = item
    for part in one[0].split("."):
        found = found.get(part) if isinstance(found, dict) else None
    comparable = found is not None and type(found) is type(value)
    return comparable and _COMPARED[one[1]](found, value)


def _changed(
    item: Attributes, changes: tuple[tuple[str, bool], ...], values: Attributes
) -> Attributes:
    changed = dict(item)
    for name, removed in changes:
        parent, _, child = name.rpartition(".")
        if parent:
            inner = changed[parent]
            assert isinstance(inner, dict)  # noqa: S101 - items are born with their maps
            changed[parent] = {**inner, child: values[name]}
        elif removed:
            changed.pop(name, None)
        else:
            changed[name] = values[name]
    return changed
