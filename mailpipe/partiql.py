"""PartiQL statements, each one write with its own condition. Pure.

An UPDATE never creates an item and has no `if_not_exists` (Amazon DynamoDB Developer Guide,
"PartiQL update statements").
"""

from functools import lru_cache
from typing import NamedTuple

from mailpipe import resources
from mailpipe.records import Attributes, Value


class Statement(NamedTuple):
    """A PartiQL statement with its parameters as plain values; `key` names the item it is for."""

    text: str
    parameters: tuple[Value, ...]
    key: tuple[Value, ...]


REMOVE = None
"""In a set of changes: take the attribute away (no attribute of a record is ever null)."""


def insert_into(prefix: str, name: str, attributes: Attributes) -> Statement:
    """An INSERT into this table; DynamoDB answers DuplicateItem when the key exists."""
    table, form = resources.physical(prefix, name), resources.TABLES[name]
    key = (table, *(attributes[part] for part in form.key))
    return Statement(_insert_text(table, tuple(attributes)), tuple(attributes.values()), key)


def update_in(
    prefix: str, name: str, changes: Attributes, key: Attributes, *where: tuple[str, str, Value]
) -> Statement:
    """An UPDATE of the item with this whole key, under further conditions."""
    table = resources.physical(prefix, name)
    conditions = (*[(part, "=", value) for part, value in key.items()], *where)
    return _update(table, (table, *key.values()), changes, conditions)


def delete_from(
    prefix: str, name: str, key: Attributes, *where: tuple[str, str, Value]
) -> Statement:
    """A DELETE of the item with this whole key, under further conditions; without them and without
    such an item it changes nothing.
    """
    table = resources.physical(prefix, name)
    conditions = (*[(part, "=") for part in key], *[one[:2] for one in where])
    values = (*key.values(), *[value for _, _, value in where])
    return Statement(_delete_text(table, conditions), values, (table, *key.values()))


def _update(
    table: str,
    key: tuple[Value, ...],
    changes: Attributes,
    where: tuple[tuple[str, str, Value], ...],
) -> Statement:
    text = _update_text(
        table,
        tuple([(name, value is REMOVE) for name, value in changes.items()]),
        tuple([one[:2] for one in where]),
    )
    values = [value for value in changes.values() if value is not REMOVE]
    return Statement(text, (*values, *[value for _, _, value in where]), key)


# The texts are few and the same for every mail: to put one together takes longer than all the rest
# of a statement.
@lru_cache(maxsize=1024)
def _update_text(
    table: str, changes: tuple[tuple[str, bool], ...], where: tuple[tuple[str, str], ...]
) -> str:
    sets = "".join(
        f" REMOVE {_path(name)}" if removed else f" SET {_path(name)}=?"
        for name, removed in changes
    )
    condition = " AND ".join(f"{_path(name)}{compare}?" for name, compare in where)
    return f'UPDATE "{table}"{sets} WHERE {condition}'


@lru_cache(maxsize=64)
def _delete_text(table: str, where: tuple[tuple[str, str], ...]) -> str:
    condition = " AND ".join(f"{_path(name)}{compare}?" for name, compare in where)
    return f'DELETE FROM "{table}" WHERE {condition}'  # noqa: S608 - names of ours only


@lru_cache(maxsize=1024)
def _insert_text(table: str, names: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table}" VALUE {{{listed}}}'


def _path(name: str) -> str:
    return ".".join(f'"{part}"' for part in name.split("."))
