"""What a read or a write of an item costs, in DynamoDB's capacity units. Pure.

`BatchExecuteStatement` on an emulator says nothing of use about it, so it is computed from the
items: sizes by the Amazon DynamoDB Developer Guide, "DynamoDB item sizes and formats"; units by
"DynamoDB read and write operations"; indexes by "Using Global Secondary Indexes in DynamoDB", write
capacity units.
"""

from decimal import Decimal
from typing import Any, NamedTuple

from mailpipe import resources
from mailpipe.aws.dynamodb_operations import Item
from mailpipe.resources import Index, Table

WRITE_UNIT_BYTES = 1024
READ_UNIT_BYTES = 4096
_NESTING_BYTES = 3
_ELEMENT_BYTES = 1


class WriteUnits(NamedTuple):
    """Write request units of one write: of the table, and of each index that it touches."""

    table: int
    indexes: dict[str, int]

    @property
    def total(self) -> int:
        """All of them; an index is billed as the table is."""
        return self.table + sum(self.indexes.values())


def item_bytes(item: Item) -> int:
    """The size that is billed, in bytes: names and values.

    Exact but for numbers, whose size AWS gives as approximate. The 100 bytes that AWS adds to each
    item are for storage, not for reads and writes. Raises ValueError for a type that we never
    write.
    """
    return sum(_name_bytes(name) + _value_bytes(value) for name, value in item.items())


def write_units(
    table: str,
    before: Item | None,
    after: Item | None,
    *,
    applied: bool = True,
    transactional: bool = False,
) -> WriteUnits:
    """What it costs to turn `before` into `after`, an item of `resources.TABLES[table]`.

    None is no item: an insert has none before, a delete none after. The larger of the two counts,
    however little of it changes. A write whose condition fails (`applied=False`; `after` is what it
    would have made) costs the table the same and no index anything.

    A transactional write costs the table twice ("Amazon DynamoDB Transactions: How it works",
    capacity management). The page says so of items and nothing of indexes, which follow after the
    commit: they count once here.
    """
    sizes = [item_bytes(item) for item in (before, after) if item is not None]
    units = _units(max(sizes, default=0), WRITE_UNIT_BYTES) * (2 if transactional else 1)
    if not applied:
        return WriteUnits(units, {})
    here = resources.TABLES[table]
    touched = {name: _index_units(here, one, before, after) for name, one in here.indexes.items()}
    return WriteUnits(units, {name: cost for name, cost in touched.items() if cost})


def read_units(size_bytes: int, *, consistent: bool) -> float:
    """Read request units of a GetItem of this size, or of a Query's items together.

    A read of what is not there (0 bytes) costs as much as the smallest.
    """
    return _units(size_bytes, READ_UNIT_BYTES) * (1.0 if consistent else 0.5)


def _index_units(table: Table, index: Index, before: Item | None, after: Item | None) -> int:
    """What the write costs this index: nothing, a put, a delete, or both when the entry moves.

    Our indexes hold keys only, so an entry whose keys are as they were is not written.
    """
    old, new = _entry(table, index, before), _entry(table, index, after)
    if old == new:
        return 0
    return sum(_units(item_bytes(one), WRITE_UNIT_BYTES) for one in (old, new) if one is not None)


def _entry(table: Table, index: Index, item: Item | None) -> Item | None:
    """What the index holds of the item; None when the item lacks one of the index's keys."""
    if item is None or index.partition not in item or index.sort not in item:
        return None
    names = {index.partition, index.sort, table.partition, table.sort}
    return {name: value for name, value in item.items() if name in names}


def _units(size_bytes: int, unit_bytes: int) -> int:
    """Every unit that is begun counts, and there is always one."""
    return max(1, -(-size_bytes // unit_bytes))


def _value_bytes(typed: dict[str, Any]) -> int:
    ((kind, value),) = typed.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            return _number_bytes(value)
        case "BOOL" | "NULL":
            return 1
        case "L":
            return _NESTING_BYTES + sum(_ELEMENT_BYTES + _value_bytes(one) for one in value)
        case "M":
            return _NESTING_BYTES + sum(
                _ELEMENT_BYTES + _name_bytes(name) + _value_bytes(one)
                for name, one in value.items()
            )
    raise ValueError(f"unexpected DynamoDB type {kind}")


def _name_bytes(name: str) -> int:
    return len(name.encode())


def _number_bytes(text: str) -> int:
    """A byte for two significant digits begun, and one: zeros before and after are no digits."""
    digits = "".join(map(str, Decimal(text).as_tuple().digits)).strip("0")
    return (len(digits) + 1) // 2 + 1
