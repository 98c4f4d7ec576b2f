"""Which call is hit by which fault. Pure: the time is passed in, in seconds of one clock.

A fault has its own random sequence, seeded by its place in the list, so that adding one does not
change whom the others hit.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from random import Random
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(ge=0, le=86_400)]


class Fault(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What goes wrong, for whom, how often and from when to when.

    `operation` is a pattern of names (`*` matches any text) and `match` a text that must occur in
    what the call is about (recipients, tags, table or queue). `share` of the calls that match are
    hit, `count` at most, from `after_s` for `for_s` (None: for good) seconds of being set.
    `seconds`, `status`, `code` and `copies` are used by those kinds that need them.
    """

    kind: str
    operation: str = "*"
    match: str = ""
    share: Annotated[float, Meta(ge=0, le=1)] = 1.0
    count: Annotated[int, Meta(ge=1)] | None = None
    after_s: Seconds = 0.0
    for_s: Seconds | None = None
    seconds: Seconds = 1.0
    status: Annotated[int, Meta(ge=400, le=599)] = 500
    code: str | None = None
    copies: Annotated[int, Meta(ge=1, le=20)] = 1


class Script(Struct, frozen=True, forbid_unknown_fields=True):
    """A list of faults, as a file or the control interface gives it."""

    faults: list[Fault]


class FaultError(ValueError):
    """The script is wrong; the text names the field and what is allowed."""


class Live:
    """A fault that is set."""

    def __init__(self, fault: Fault, *, number: int, seed: int, now: float) -> None:
        self.fault, self.number, self.hits = fault, number, 0
        self._from = now + fault.after_s
        self._until = float("inf") if fault.for_s is None else self._from + fault.for_s
        self._choice = Random(f"{seed}:{number}")  # noqa: S311 - reproducible on purpose

    @property
    def id(self) -> str:
        """How it is called in logs and at the control interface."""
        return f"{self.fault.kind}-{self.number}"

    def uniform(self, most: float) -> float:
        """A number from 0 to `most`, of this fault's own sequence."""
        return self._choice.uniform(0, most)

    def lives(self, now: float) -> bool:
        """Whether its time is not over."""
        return now < self._until

    def strikes(self, operation: str, about: str, now: float) -> bool:
        """Whether this call is hit; counted if so."""
        fault = self.fault
        if not self._from <= now < self._until:
            return False
        if fault.count is not None and self.hits >= fault.count:
            return False
        if not fnmatchcase(operation, fault.operation) or fault.match not in about:
            return False
        if fault.share < 1 and self._choice.random() >= fault.share:
            return False
        self.hits += 1
        return True


class Faults:
    """Those that are set. `kinds` are what their owner can do."""

    def __init__(self, kinds: Iterable[str], *, seed: int) -> None:
        self._kinds, self._seed = frozenset(kinds), seed
        self._live = list[Live]()
        self._numbers = 0

    def __bool__(self) -> bool:
        return bool(self._live)

    def add(self, script: bytes, now: float) -> list[str]:
        """Set the faults of a script; their ids. Raises FaultError, and then sets none."""
        try:
            faults = msgspec.json.decode(script, type=Script).faults
        except msgspec.DecodeError as error:
            raise FaultError(f"this is no list of faults: {error}") from None
        for fault in faults:
            if fault.kind not in self._kinds:
                allowed = ", ".join(sorted(self._kinds))
                raise FaultError(f"kind: no fault is called {fault.kind!r}; there are {allowed}")
        return [self._add(fault, now) for fault in faults]

    def _add(self, fault: Fault, now: float) -> str:
        self._numbers += 1
        self._live.append(Live(fault, number=self._numbers, seed=self._seed, now=now))
        return self._live[-1].id

    def remove(self, name: str) -> bool:
        """Take one away; whether there was one."""
        before = len(self._live)
        self._live = [one for one in self._live if one.id != name]
        return len(self._live) < before

    def clear(self) -> None:
        """Take all away."""
        self._live.clear()

    def hit(self, kinds: Iterable[str], operation: str, about: str, now: float) -> Live | None:
        """The first fault of one of these kinds that hits this call."""
        for live in self._live:
            if live.fault.kind in kinds and live.strikes(operation, about, now):
                return live
        return None

    def holds(self, live: Live, now: float) -> bool:
        """Whether this one is still set and its time is not over."""
        return live in self._live and live.lives(now)

    def described(self) -> list[dict[str, Any]]:
        """All of them, with how often each has hit."""
        return [
            {"id": one.id, "hits": one.hits, **msgspec.to_builtins(one.fault)} for one in self._live
        ]
