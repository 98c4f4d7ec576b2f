"""What the simulation of the quota is made of: a case, its senders, their lanes and mails."""

from collections import deque
from typing import NamedTuple

from sender.reserving import Account, Terms

BULK, URGENT = "bulk", "transactional"
FREEZE_S = 2.0
LARGE = 0
"""The tenant that always has bulk mail, where there are several."""


class Case(NamedTuple):
    """One run. `urgent` is the load of urgent mail as a part of the rate that may be used; at 1 it
    never ends. Bulk mail never ends, unless there are `mails` (so many in all). With `tenants` all
    but the first share `SMALL_LOAD` of the rate. `freezes` and `kills` are per second.
    """

    name: str
    senders: int
    quota: float
    seconds: float
    urgent: float = 0.1
    mails: int = 0
    tenants: int = 1
    freezes: float = 0.0
    kills: float = 0.0
    one_horizon: bool = False
    seed: int = 1


class Mail(NamedTuple):
    """When it came, and whose it is."""

    at_s: float
    tenant: int = LARGE


class Lane:
    """The mails of one lane in one sender. Tenants take turns, as in the sender's waiting room.

    `endless`: the first tenant always has some; then at most `in_hand` have slots at a time.
    """

    def __init__(self, name: str, *, endless: bool, in_hand: int, now_s: float) -> None:
        self.name = name
        self.endless = endless
        self.free = in_hand
        self.busy = False
        self.granted_s = now_s
        self.starved_s = 0.0
        self._mails = dict[int, deque[Mail]]()
        self._turns = deque[int]([LARGE] if endless else [])

    def wants(self) -> int:
        """How many slots could be used now."""
        return self.free if self.endless else sum(map(len, self._mails.values()))

    def add(self, mail: Mail, *, first: bool = False) -> None:
        """A mail has come, or has missed its slot and is the first of its tenant again."""
        if mail.tenant not in self._mails:
            self._mails[mail.tenant] = deque()
            if not (self.endless and mail.tenant == LARGE):
                self._turns.append(mail.tenant)
        waiting = self._mails[mail.tenant]
        if first:
            waiting.appendleft(mail)
        else:
            waiting.append(mail)

    def take(self, now_s: float) -> Mail | None:
        """The next mail to go."""
        if not self._turns:
            return None
        tenant = self._turns.popleft()
        waiting = self._mails.get(tenant)
        mail = waiting.popleft() if waiting else Mail(now_s)
        if waiting or (self.endless and tenant == LARGE):
            self._turns.append(tenant)
        else:
            self._mails.pop(tenant, None)
        return mail

    def granted(self, now_s: float) -> None:
        """Slots have come; or it is the end."""
        self.starved_s = max(self.starved_s, now_s - self.granted_s)
        self.granted_s = now_s


class Sender:
    """A sender that dies at `dies_s`, and is frozen for 2 s from each of `freezes` on."""

    def __init__(self, lanes: dict[str, Lane], *, offset_s: float, born_s: float) -> None:
        self.account = Account(Terms())
        self.lanes = lanes
        self.offset_s = offset_s
        self.born_s = born_s
        self.dies_s = float("inf")
        self.freezes = list[float]()

    def awake_s(self, at_s: float) -> float:
        """The first moment from `at_s` on at which it runs."""
        for begin_s in self.freezes:
            if begin_s <= at_s < begin_s + FREEZE_S:
                at_s = begin_s + FREEZE_S
        return at_s
