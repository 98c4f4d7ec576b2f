"""Tables in memory: the statements that `mailpipe/partiql.py` makes, carried out as DynamoDB does.

They obey the contract suite of the real ones (`tests/integration/test_table_contract.py`). TTL is
strict here: what is over is gone at once, where DynamoDB takes up to days.
"""

import ast
import asyncio
import copy
import operator
import re
import time
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from loadtest.virtual.life import Latency, alive
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
_INSERTED = re.compile(r"'([^']+)': (\?|\d+|'[^']*'|\[[^]]*\]|\{[^}]*\})(?:, |\}\Z)")
_CHANGED = re.compile(r' (SET|REMOVE) ("[\w.\-"]+")(?:=\?)?')
_WHERE = re.compile(r'("[\w.\-"]+")(<=|>=|=|<|>)\?')


class _Plan(NamedTuple):
    """A statement's text, read."""

    verb: str
    changes: tuple[tuple[str, bool], ...]
    where: tuple[tuple[str, str], ...]


_Key = tuple[Value, ...]
_Sorted = dict[Value, list[tuple[Any, _Key]]]
"""By partition, in order: the value to sort by, and the item's key."""


class _Table:
    """Items of one table, in the order of the table and of its indexes."""

    def __init__(self, form: resources.Table) -> None:
        self.form = form
        self.items = dict[_Key, Attributes]()
        self._orders: dict[str | None, tuple[str, str | None, _Sorted]] = {
            None: (form.partition, form.sort, {}),
            **{name: (one.partition, one.sort, {}) for name, one in form.indexes.items()},
        }

    def get(self, key: _Key, now_s: float) -> Attributes | None:
        item = self.items.get(key)
        if item is None or not self._is_over(item, now_s):
            return item
        self.remove(key)
        return None

    def put(self, key: _Key, item: Attributes) -> None:
        before = self.items.get(key, {})
        self.items[key] = item
        for partition, sort, order in self._orders.values():
            if sort is None:
                continue
            old, new = [(one.get(partition), one.get(sort)) for one in (before, item)]
            if old != new:
                _take_out(order, *old, key)
                if None not in new:
                    insort(order.setdefault(new[0], []), (new[1], key))

    def remove(self, key: _Key) -> None:
        item = self.items.pop(key, None)
        for partition, sort, order in self._orders.values():
            if item is not None and sort is not None:
                _take_out(order, item.get(partition), item.get(sort), key)

    def page(
        self,
        index: str | None,
        partition: Value,
        between: tuple[Any, Any] | None,
        after: _Key | None,
        limit: int,
        now_s: float,
    ) -> tuple[list[Attributes], _Key | None]:
        """The items, and the key to go on after."""
        rows = self._orders[index][2].get(partition, [])
        first, last = 0, len(rows)
        if between is not None:
            first = bisect_left(rows, (between[0],))
            last = bisect_right(rows, between[1], key=lambda one: one[0])
        if after is not None:
            first = next((n + 1 for n in range(first, last) if rows[n][1] == after), first)
        wanted = [key for _, key in rows[first : min(last, first + limit)]]
        found = [self.get(key, now_s) for key in wanted]
        goes_on = wanted[-1] if wanted and last - first > limit else None
        return [dict(item) for item in found if item is not None], goes_on

    def _is_over(self, item: Attributes, now_s: float) -> bool:
        ttl = item.get("ttl") if self.form.ttl else None
        return isinstance(ttl, int) and ttl <= now_s


def _take_out(order: _Sorted, partition: Value, sort: Any, key: _Key) -> None:
    rows = order.get(partition)
    if rows is None or sort is None:
        return
    place = bisect_left(rows, (sort, key))
    if place < len(rows) and rows[place] == (sort, key):
        del rows[place]
    if not rows:
        del order[partition]


class MemoryTables(Tables):
    """All tables of a deployment. `inserted` counts the INSERTs that were applied, by table. The
    condition names in `blind` always hold: a bug, to see whether a proof finds it. `delays` says
    how long a statement is under way before it is carried out.
    """

    def __init__(
        self,
        prefix: str,
        *,
        latency: Latency | None = None,
        delays: Callable[[Statement], float] = lambda _: 0.0,
        blind: frozenset[str] = frozenset(),
    ) -> None:
        self._prefix = prefix
        self.latency = latency
        self._delays = delays
        self._blind = blind
        self._tables = {
            resources.physical(prefix, name): _Table(form)
            for name, form in resources.TABLES.items()
        }
        self.inserted = defaultdict[str, int](int)

    async def close(self) -> None:
        """See Tables.close."""

    async def write(self, statement: Statement, *, heard_s: float = 0.0) -> Fate:
        """See Tables.write. What is cancelled here is written, or never will be."""
        await alive()
        if late_s := self._delays(statement):
            await asyncio.sleep(late_s)
        fate = self._carry_out(statement)
        await self._answered()
        return fate

    def _carry_out(self, statement: Statement) -> Fate:
        plan = _read(statement.text)
        table = self._tables[str(statement.key[0])]
        key = statement.key[1:]
        item = table.get(key, time.time())
        if plan.verb == "INSERT":
            if item is not None:
                return Refused(None, duplicate=True)
            self.inserted[str(statement.key[0]).removeprefix(self._prefix)] += 1
            table.put(key, inserted(statement))
            return Applied()
        set_names = [name for name, removed in plan.changes if not removed]
        wanted = statement.parameters[len(set_names) :]
        if item is None:
            further = len(plan.where) > len(key)
            return Refused(None) if plan.verb == "UPDATE" or further else Applied()
        for one, value in zip(plan.where, wanted, strict=True):
            if one[0] not in self._blind and not _holds(item, one, value):
                return Refused(dict(item))
        if plan.verb == "DELETE":
            table.remove(key)
        else:
            values = dict(zip(set_names, statement.parameters, strict=False))
            table.put(key, _changed(item, plan.changes, values))
        return Applied()

    async def write_all(self, statements: Sequence[Statement]) -> list[Fate | CallFailed]:
        """See Tables.write_all."""
        await alive()
        fates = list[Fate | CallFailed](map(self._carry_out, statements))
        if fates:
            await self._answered()
        return fates

    async def get(self, table: str, key: Attributes) -> Attributes | None:
        """See Tables.get."""
        (item,) = await self._read_all(table, [key])
        return item

    async def get_all(self, table: str, keys: list[Attributes]) -> list[Attributes]:
        """See Tables.get_all."""
        return [item for item in await self._read_all(table, keys) if item is not None]

    async def _read_all(self, table: str, keys: list[Attributes]) -> list[Attributes | None]:
        await alive()
        found, now_s = self._of(table), time.time()
        items = [found.get(tuple(key[name] for name in found.form.key), now_s) for key in keys]
        copies = [None if item is None else dict(item) for item in items]
        await self._answered()
        return copies

    async def partition(self, table: str, value: Value) -> list[Attributes]:
        """See Tables.partition."""
        return (await self.page(table, value, limit=len(self._of(table).items))).items

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
        """See Tables.page; oldest first."""
        if newest_first:
            raise NotImplementedError("senders do not read so")
        await alive()
        found = self._of(table)
        names = found.form.key
        begin = None if after is None else tuple(after[name] for name in names)
        items, last = found.page(index, value, between, begin, limit, time.time())
        await self._answered()
        return Page(items, None if last is None else dict(zip(names, last, strict=True)))

    async def _answered(self) -> None:
        if self.latency is not None:
            await self.latency.pass_by()

    def _of(self, table: str) -> _Table:
        return self._tables[resources.physical(self._prefix, table)]


def inserted(statement: Statement) -> Attributes:
    """The item that an INSERT makes."""
    _, listed = statement.text.split(" VALUE {")
    if rest := _INSERTED.sub("", listed):
        raise AssertionError(f"{rest!r} in {statement.text}")
    values = iter(copy.deepcopy(statement.parameters))
    return {
        name: next(values) if literal == "?" else ast.literal_eval(literal)
        for name, literal in _INSERTED.findall(listed)
    }


@lru_cache(maxsize=1024)
def _read(text: str) -> _Plan:
    verb = text.split(" ", 1)[0]
    head, _, condition = text.partition(" WHERE ")
    if verb == "INSERT":
        return _Plan(verb, (), ())
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
