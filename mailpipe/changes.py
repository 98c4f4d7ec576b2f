"""Conditional changes of one item of whole numbers, as values. Pure.

DynamoDB carries them out (`aws/counters.py`), tests and simulations use `Change.applied`; both obey
the same contract suite.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

Numbers = dict[str, int]
"""The whole numbers of an item by name, without its key."""

Comparison = Literal["=", "<", "<=", ">="]

_COMPARED: dict[Comparison, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">=": operator.ge,
}


class Where(NamedTuple):
    """This number compares so. A number that is not there compares with nothing."""

    name: str
    comparison: Comparison
    value: int


class Change(NamedTuple):
    """Set and add to numbers of an item, if all of `where` holds and none of `absent` is there.

    An item that is not there is made, if the conditions hold without it.
    """

    sets: Mapping[str, int] = {}
    adds: Mapping[str, int] = {}
    where: tuple[Where, ...] = ()
    absent: tuple[str, ...] = ()

    def applied(self, item: Numbers | None) -> "Fate":
        """What becomes of the item."""
        now = item or {}
        holds = all(
            one.name in now and _COMPARED[one.comparison](now[one.name], one.value)
            for one in self.where
        )
        if not holds or any(name in now for name in self.absent):
            return Refused(item)
        added = {name: now[name] + by for name, by in self.adds.items()}
        return Changed({**now, **self.sets, **added})


class Changed(NamedTuple):
    """The change was made; the item as it is now."""

    item: Numbers


class Refused(NamedTuple):
    """The condition did not hold; the item as it is, None when there is none."""

    item: Numbers | None


Fate = Changed | Refused
