"""Reads and conditional writes of DynamoDB tables.

A failed condition is a normal answer, not an error: `Refused` carries the item as it stands.
Everything here is harmless to repeat (conditional writes), so transient failures are.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

import msgspec
from msgspec import Struct

from mailpipe import resources
from mailpipe.aws import dynamodb_operations as aws
from mailpipe.aws import errors
from mailpipe.aws.batcher import Batcher
from mailpipe.aws.client import Aws, Client
from mailpipe.aws.items import from_item, to_item, to_value, to_values
from mailpipe.aws.lingering import Limits
from mailpipe.aws.retries import call_again
from mailpipe.outcomes import CallFailed
from mailpipe.partiql import Statement
from mailpipe.records import Attributes, Value


class Applied(Struct, frozen=True):
    """The write happened."""


class Refused(Struct, frozen=True):
    """The condition did not hold. `item` is None when there is none, or for a duplicate INSERT."""

    item: Attributes | None
    duplicate: bool = False


Fate = Applied | Refused
_APPLIED = Applied()


class Page(NamedTuple):
    """Some items of a partition; `last` is the key to go on after, None when there is no more."""

    items: list[Attributes]
    last: Attributes | None


_encode = msgspec.json.Encoder().encode
_NONE_LEFT = aws.KeysAndAttributes(keys=[])

WRITES = Limits(most=25, linger_s=0.03)
"""Statements of one BatchExecuteStatement."""
MAX_KEYS = 100
"""Of one BatchGetItem."""
TOGETHER = 4
"""So many keys of one caller have one fate."""
READS = Limits(most=MAX_KEYS, linger_s=0.02, max_weight=MAX_KEYS)
"""What callers want of one BatchGetItem; an entry weighs as many as its keys."""

_Key = tuple[Value, ...]
"""The table and the values of its key."""


class Tables:
    """The tables of one deployment (names take `prefix`). Callers share calls: see `batcher.py`."""

    def __init__(self, client: Client, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._writes = Batcher[Statement, Fate](
            aws.BATCH_EXECUTE_STATEMENT.name, self._write, WRITES, key=attrgetter("key")
        )
        self._reads = Batcher[list[_Key], list[Attributes]](
            aws.BATCH_GET_ITEM.name, self._read, READS, weigh=len
        )

    async def close(self) -> None:
        """Write what waits."""
        await self._writes.close()
        await self._reads.close()

    async def write(self, statement: Statement, *, heard_s: float = 0.0) -> Fate:
        """Carry out one conditional write. Raises CallFailed. Who is cancelled meanwhile goes on
        when its fate is known, at the latest after `heard_s`: what is written then comes after it.
        """
        if heard_s:
            fate = await self._writes.submit_heard(statement, heard_s=heard_s)
        else:
            fate = await self._writes.submit(statement)
        if isinstance(fate, CallFailed):
            raise fate
        return fate

    async def write_all(self, statements: Sequence[Statement]) -> list[Fate | CallFailed]:
        """Carry out several, each with a fate of its own, in order."""
        return await self._writes.submit_all(statements)

    async def get(self, table: str, key: Attributes) -> Attributes | None:
        """One item, read consistently; None when there is none. Raises CallFailed."""
        items = await self._reads.submit([_key(table, key)])
        if isinstance(items, CallFailed):
            raise items
        return items[0] if items else None

    async def get_all(self, table: str, keys: list[Attributes]) -> list[Attributes]:
        """Those of the distinct keys that exist, read consistently. Raises CallFailed."""
        wanted = [_key(table, key) for key in keys]
        # Of many keys a call may leave some: each is then asked for again, and not all of them.
        parts = [wanted] if 0 < len(wanted) <= TOGETHER else [[key] for key in wanted]
        found: list[Attributes] = []
        for items in await self._reads.submit_all(parts):
            if isinstance(items, CallFailed):
                raise items
            found += items
        return found

    async def _write(self, statements: list[Statement]) -> list[Fate | CallFailed]:
        request = aws.BatchExecuteStatement(
            statements=[
                aws.BatchStatement(
                    statement=one.text,
                    # In JSON at once: else typed values would stay until the answer comes.
                    parameters=msgspec.Raw(_encode(to_values(one.parameters))),
                    return_values_on_condition_check_failure="ALL_OLD",
                )
                for one in statements
            ]
        )
        answer = await call_again(self._client, aws.BATCH_EXECUTE_STATEMENT, request)
        return [_APPLIED if one.error is None else _fate(one.error) for one in answer.responses]

    async def _read(self, wanted: list[list[_Key]]) -> list[list[Attributes] | CallFailed]:
        keys = dict.fromkeys(chain.from_iterable(wanted))
        request = aws.BatchGetItem(request_items=self._asked(keys))
        answer = await call_again(self._client, aws.BATCH_GET_ITEM, request)
        found: dict[_Key, Attributes] = {}
        left: set[_Key] = set()
        for table in {str(table) for table, *_ in keys}:
            name = self._name(table)
            for item in map(from_item, answer.responses.get(name, [])):
                found[_key(table, item)] = item
            for missed in answer.unprocessed_keys.get(name, _NONE_LEFT).keys:
                left.add(_key(table, from_item(missed)))
        return [
            [found[key] for key in part if key in found]
            if left.isdisjoint(part)
            else errors.left_over()
            for part in wanted
        ]

    def _asked(self, keys: Iterable[_Key]) -> dict[str, aws.KeysAndAttributes]:
        asked: dict[str, aws.KeysAndAttributes] = {}
        for table, *values in keys:
            assert isinstance(table, str)  # noqa: S101 - as _key makes it
            name, names = self._name(table), resources.KEYS[table]
            if name not in asked:
                asked[name] = aws.KeysAndAttributes(keys=[], consistent_read=True)
            asked[name].keys.append(dict(zip(names, to_values(values), strict=True)))
        return asked

    async def partition(self, table: str, value: Value) -> list[Attributes]:
        """All items of one partition, in the order of the sort key. Raises CallFailed."""
        found, start = list[Attributes](), None
        while True:
            answer = await call_again(
                self._client,
                aws.QUERY,
                aws.Query(
                    table_name=self._name(table),
                    key_condition_expression="#p = :p",
                    expression_attribute_names={"#p": resources.TABLES[table].partition},
                    expression_attribute_values={":p": to_value(value)},
                    exclusive_start_key=start,
                    consistent_read=True,
                ),
            )
            found += [from_item(item) for item in answer.items]
            start = answer.last_evaluated_key
            if start is None:
                return found

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
        """At most `limit` items of one partition of the table or of an index, `between` two values
        of the sort key (both included), after the key where the last page ended.

        An index is not read consistently, and ours hold keys only. Raises CallFailed.
        """
        form = resources.TABLES[table]
        partition, sort = (
            form.indexes[index][:2] if index is not None else (form.partition, form.sort)
        )
        condition, names, values = "#p = :p", {"#p": partition}, {":p": to_value(value)}
        if between is not None:
            assert sort is not None  # noqa: S101 - who asks for a range knows the table
            condition += " AND #s BETWEEN :low AND :high"
            names["#s"] = sort
            values |= {":low": to_value(between[0]), ":high": to_value(between[1])}
        answer = await call_again(
            self._client,
            aws.QUERY,
            aws.Query(
                table_name=self._name(table),
                index_name=index,
                key_condition_expression=condition,
                expression_attribute_names=names,
                expression_attribute_values=values,
                exclusive_start_key=None if after is None else to_item(after),
                consistent_read=index is None,
                scan_index_forward=not newest_first,
                limit=limit,
            ),
        )
        last = answer.last_evaluated_key
        return Page(
            [from_item(item) for item in answer.items], None if last is None else from_item(last)
        )

    def _name(self, table: str) -> str:
        return resources.physical(self._prefix, table)


def open_tables(opened: Aws, client: Client, prefix: str) -> Tables:
    """Tables that write what waits before the client is closed."""
    tables = Tables(client, prefix)
    opened.at_close(tables.close)
    return tables


def _key(table: str, attributes: Attributes) -> _Key:
    return (table, *map(attributes.__getitem__, resources.KEYS[table]))


def _fate(error: aws.StatementError) -> Fate | CallFailed:
    if error.code == "DuplicateItem":
        return Refused(None, duplicate=True)
    if error.code == "ConditionalCheckFailed":
        return Refused(None if error.item is None else from_item(error.item))
    return errors.statement_failed(error.code, error.message)
