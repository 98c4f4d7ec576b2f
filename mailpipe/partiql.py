"""PartiQL statements, each one write with its own condition. Pure.

An UPDATE never creates an item and has no `if_not_exists` (Amazon DynamoDB Developer Guide,
"PartiQL update statements").
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from msgspec import Struct

from mailpipe import resources
from mailpipe.records import Attributes, Value


class Statement(Struct, frozen=True):
    """A PartiQL statement with its parameters as plain values; `key` names the item it is for."""

    text: str
    parameters: tuple[Value, ...]
    key: tuple[Value, ...]


Condition = tuple[str, str, Value]
"""An attribute's name, a comparison, and the value that it is compared with."""
REMOVE = None
"""In a set of changes: take the attribute away (no attribute of a record is ever null)."""


class Usual:
    """What nearly all items of a table are born with. An INSERT writes it out, which costs nothing;
    a parameter costs each time. (Not the attributes themselves, because texts are kept by it.)

    Simple texts, numbers, lists and maps: those Python writes as PartiQL does (Amazon DynamoDB
    Developer Guide, "PartiQL data types").
    """

    def __init__(self, attributes: Attributes) -> None:
        self.literals = {name: repr(value) for name, value in attributes.items()}


def insert_into(
    prefix: str, name: str, attributes: Attributes, usual: Usual | None = None
) -> Statement:
    """An INSERT into this table, of `attributes` and of what is `usual` and not among them;
    DynamoDB answers DuplicateItem when the key exists.
    """
    table = resources.physical(prefix, name)
    key = (table, *map(attributes.__getitem__, resources.KEYS[name]))
    text = _insert_text(table, tuple(attributes), usual)
    return Statement(text, tuple(attributes.values()), key)


def update_in(
    prefix: str,
    name: str,
    changes: Attributes,
    key: Attributes,
    *where: Condition,
    removes: tuple[str, ...] = (),
) -> Statement:
    """An UPDATE of the item with this whole key, under further conditions. It takes away what is
    REMOVE in `changes`, and `removes`.
    """
    table, keys = resources.physical(prefix, name), key.values()
    values: Iterable[Value] = changes.values()
    changed, removed = (*changes, *removes), removes
    if REMOVE in values:
        removed += tuple([name for name, value in changes.items() if value is REMOVE])
        values = [value for value in values if value is not REMOVE]
    names, compares, wanted = _columns(where)
    text = _update_text(table, changed, removed, (*key, *names), compares)
    return Statement(text, (*values, *keys, *wanted), (table, *keys))


def delete_from(prefix: str, name: str, key: Attributes, *where: Condition) -> Statement:
    """A DELETE of the item with this whole key, under further conditions; without them and without
    such an item it changes nothing.
    """
    table = resources.physical(prefix, name)
    names, compares, wanted = _columns(where)
    text = _delete_text(table, (*key, *names), compares)
    return Statement(text, (*key.values(), *wanted), (table, *key.values()))


def _columns(where: tuple[Condition, ...]) -> tuple[tuple[Any, ...], ...]:
    """The names, the comparisons and the values of these conditions."""
    return tuple(zip(*where, strict=True)) or ((), (), ())


# The texts are few and the same for every mail: to put one together takes longer than all the rest
# of a statement.
@lru_cache(maxsize=1024)
def _update_text(
    table: str,
    changed: tuple[str, ...],
    removed: tuple[str, ...],
    where: tuple[str, ...],
    compares: tuple[str, ...],
) -> str:
    sets = "".join(
        f" REMOVE {_path(name)}" if name in removed else f" SET {_path(name)}=?" for name in changed
    )
    return f'UPDATE "{table}"{sets} WHERE {_condition(where, compares)}'


@lru_cache(maxsize=64)
def _delete_text(table: str, where: tuple[str, ...], compares: tuple[str, ...]) -> str:
    return f'DELETE FROM "{table}" WHERE {_condition(where, compares)}'  # noqa: S608 - our names


def _condition(names: tuple[str, ...], compares: tuple[str, ...]) -> str:
    """The key comes first, and is compared with `=`."""
    keys = len(names) - len(compares)
    return " AND ".join(
        f"{_path(name)}{compare}?"
        for name, compare in zip(names, (*["="] * keys, *compares), strict=True)
    )


@lru_cache(maxsize=1024)
def _insert_text(table: str, names: tuple[str, ...], usual: Usual | None) -> str:
    values = dict.fromkeys(names, "?")  # in the order of the parameters
    for name, literal in usual.literals.items() if usual else ():
        values.setdefault(name, literal)
    listed = ", ".join(f"'{name}': {value}" for name, value in values.items())
    return f'INSERT INTO "{table}" VALUE {{{listed}}}'


def _path(name: str) -> str:
    return ".".join(f'"{part}"' for part in name.split("."))
