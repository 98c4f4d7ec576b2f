"""The board: what all senders of a deployment know together, and what people tell them. Pure.

One partition of `Coordination` holds SES's quota, the scopes that are paused and the caps, so that
one query reads it. Scopes: see `sender/scopes.py`.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from msgspec import Struct

from mailpipe.records import Attributes

KIND = "board"
QUOTA = "quota"
ACCOUNT = "account"
BY_SENDERS = "senders"
"""Who has paused a scope, when it was no person."""
MILLI = 1000
"""Rates are stored in thousandths: all numbers in our tables are whole."""


class Quota(Struct, rename="camel", kw_only=True, frozen=True):
    """What GetAccount said at `read_at` (epoch ms), and how many senders lived then.

    Recipients in thousandths per second, and per rolling 24 h (-1: unlimited).
    """

    max_send_rate_milli: int
    max_24_hour: int
    sent_24_hours: int
    sending_enabled: bool
    enforcement: str
    senders: int
    read_at: int

    @property
    def rate(self) -> float:
        """Recipients a second."""
        return self.max_send_rate_milli / MILLI


class Pause(Struct, rename="camel", kw_only=True, frozen=True):
    """A scope whose mail waits. Times are epoch ms; `probe_at` is when one mail may try again, 0 =
    never: only a person resumes what a person has paused. `tenant`: whose mail an identity was
    found on.
    """

    scope: str
    reason: str
    since: int
    by: str = BY_SENDERS
    code: str = ""
    probe_at: int = 0
    tenant: str = ""

    @property
    def ours(self) -> bool:
        """Whether senders have found it out, and may find out that it is over."""
        return self.by == BY_SENDERS


class Cap(Struct, rename="camel", kw_only=True, frozen=True):
    """The most that a tenant (`tenant#t`) or a From domain (`domain#d`) may send a second."""

    scope: str
    per_second_milli: int

    @property
    def rate(self) -> float:
        """Recipients a second."""
        return self.per_second_milli / MILLI


class Reading(NamedTuple):
    """The board at one moment; pauses and caps by their scope."""

    quota: Quota | None
    pauses: dict[str, Pause]
    caps: dict[str, Cap]
    unreadable: list[str]


def kind_of(scope: str | None) -> str:
    """For metrics: `account`, `set`, `identity`, `domain` or `tenant`; `time` without a scope."""
    return "time" if scope is None else scope.partition("#")[0]


def without_local_part(scope: str) -> str:
    """A scope for audits and logs: the identity of an address is told by its domain."""
    kind, _, name = scope.partition("#")
    _, at, domain = name.rpartition("@")
    return f"{kind}#…@{domain}" if at else scope


def pause_item(pause: Pause) -> Attributes:
    """Its item in `Coordination`."""
    return {"kind": KIND, "id": f"pause#{pause.scope}", **msgspec.to_builtins(pause)}


def cap_item(cap: Cap) -> Attributes:
    """Its item in `Coordination`."""
    return {"kind": KIND, "id": f"cap#{cap.scope}", **msgspec.to_builtins(cap)}


def key_of(item_id: str) -> Attributes:
    """The key of an item of the board."""
    return {"kind": KIND, "id": item_id}


def reading_of(items: Iterable[Attributes]) -> Reading:
    """The board from its items. One that a person has written, and wrongly, counts as none."""
    found = Reading(None, {}, {}, [])
    for item in items:
        name = str(item["id"])
        try:
            match name.partition("#")[0]:
                case "quota":
                    found = found._replace(quota=msgspec.convert(item, Quota))
                case "pause":
                    pause = msgspec.convert(item, Pause)
                    found.pauses[pause.scope] = pause
                case "cap":
                    cap = msgspec.convert(item, Cap)
                    found.caps[cap.scope] = cap
        except msgspec.ValidationError:
            found.unreadable.append(name)
    return found
