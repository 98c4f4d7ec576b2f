"""The room in which the mails of one lane wait for slots, and whose turn it is. Pure.

Tenants take turns, one recipient each: a mail to several is let go at once, and its tenant passes
for as many rounds as it was ahead (deficit round robin). A tenant that comes stands behind the
others, so a pause saves up nothing.

The room is small: what is not in it waits in the queue, where another sender may take it.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

LEAST = 10
"""Recipients that the room always holds."""

ROOM_S = 3.0
"""The room holds as many recipients as got slots in so many last seconds."""

W = TypeVar("W")


class Room:
    """How many recipients may wait, at most `most`."""

    def __init__(self, most: int) -> None:
        self.most = max(LEAST, most)
        self.size = LEAST
        """At the last look: before mail is fetched, and when slots are given away."""
        self._given = deque[tuple[float, int]]()
        self._lately = 0

    def gave(self, slots: int, now_s: float) -> None:
        """So many slots were given away now."""
        self._given.append((now_s, slots))
        self._lately += slots
        self.look(now_s)

    def look(self, now_s: float) -> int:
        """Its size now."""
        self.size = min(self.most, max(LEAST, self.lately(now_s)))
        return self.size

    def lately(self, now_s: float) -> int:
        """The slots that were given away in the last `ROOM_S`."""
        while self._given and self._given[0][0] < now_s - ROOM_S:
            self._lately -= self._given.popleft()[1]
        return self._lately


@dataclass(frozen=True, slots=True)
class Excess:
    """More than its tenant's share is in hand: the mail goes back for a while."""


@dataclass(frozen=True, slots=True)
class Joined(Generic[W]):
    """The mail is in the room; `displaced` had to leave for it."""

    displaced: W | None = None


_JOINED: Joined[Any] = Joined()


@dataclass(slots=True)
class _Tenant(Generic[W]):
    name: str
    held: int = 0
    ahead: int = 0
    mails: deque[tuple[int, W]] = field(default_factory=deque)


class Turns(Generic[W]):
    """Who waits, by tenant. `W` is whatever stands for a waiting mail."""

    def __init__(self) -> None:
        self.recipients = 0
        self.mails = 0
        self._tenants = dict[str, _Tenant[W]]()
        self._round = deque[
            _Tenant[W]
        ]()  # those who wait, and those who passed ahead of their turn

    def has_place(self, tenant: str, room: int) -> bool:
        """Whether a mail of this tenant may join, perhaps in place of another tenant's."""
        if self.recipients < room:
            return True
        known = self._tenants.get(tenant)
        held = known.held if known else 0
        present = sum(bool(one.mails) for one in self._round) + (held == 0)
        return held * present < room

    def holds_little(self, tenant: str) -> bool:
        """Whether others wait, and hold more than this one on the average."""
        count = len(self._tenants)
        return count > 1 and self._tenants[tenant].held * count < self.recipients

    def join(self, tenant: str, recipients: int, mail: W, *, room: int) -> Joined[W] | Excess:
        """Take a place in a room for so many recipients.

        In a full one a tenant below its share (an equal part of the room) takes the place of the
        newest mail of the tenant that holds most.
        """
        joined: Joined[W] = _JOINED
        if self.recipients >= room:
            if not self.has_place(tenant, room):
                return Excess()
            joined = Joined(self._displace())
        if (known := self._tenants.get(tenant)) is None:
            known = self._tenants[tenant] = _Tenant(tenant)
            self._round.append(known)
        known.mails.append((recipients, mail))
        known.held += recipients
        self.recipients += recipients
        self.mails += 1
        return joined

    def peek(self) -> int:
        """The recipients of the mail whose turn it is; 0 in an empty room."""
        return self._whose_turn().mails[0][0] if self.mails else 0

    def take(self, most: int) -> tuple[int, W] | None:
        """The next mail, if it has at most so many recipients. Else the next that has: who needs
        more slots waits until there are as many, and those that would be gone by then are used.
        """
        if not self.mails:
            return None
        first = self._whose_turn()
        if first.mails[0][0] <= most:
            self._round.rotate(-1)
            first.ahead -= 1  # this round is its own
            return self._let_go(first)
        for one in self._round:
            if one.mails and one.mails[0][0] <= most:
                return self._let_go(one)
        return None

    def clear(self) -> list[W]:
        """Everybody leaves."""
        left = [mail for one in self._round for _, mail in one.mails]
        self._tenants.clear()
        self._round.clear()
        self.recipients = self.mails = 0
        return left

    def _whose_turn(self) -> _Tenant[W]:
        """Goes round until it is somebody's turn who waits: each step pays for one recipient."""
        while True:
            first = self._round[0]
            if first.ahead > 0:
                first.ahead -= 1
                self._round.rotate(-1)
            elif first.mails:
                return first
            else:
                del self._tenants[self._round.popleft().name]

    def _let_go(self, tenant: _Tenant[W]) -> tuple[int, W]:
        recipients, mail = tenant.mails.popleft()
        tenant.ahead += recipients
        tenant.held -= recipients
        self.recipients -= recipients
        self.mails -= 1
        return recipients, mail

    def _displace(self) -> W:
        largest = max(self._round, key=lambda one: one.held)
        recipients, mail = largest.mails.pop()
        largest.held -= recipients
        self.recipients -= recipients
        self.mails -= 1
        return mail
