"""The outside logs of a run, read into one form. A line that cannot be read becomes a fault.

Nothing is guessed: a line without a field that judging needs is left out and told of, so it can
only make a verdict stricter.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parseaddr
from typing import Annotated, Any, Literal, TypeVar

import msgspec

WEBHOOK_TYPES = {
    "Send": "email.sent",
    "Delivery": "email.delivered",
    "Bounce": "email.bounced",
    "Complaint": "email.complained",
}
_REFUSALS = ("throttled", "daily_quota", "refused")
_ISO_SKEW_S = 0.001
"""The API's times are cut to milliseconds."""

T = TypeVar("T")


class Ack(msgspec.Struct, frozen=True, rename="camel"):
    """A door's promise that the mail is durable."""

    email_id: str
    t: float
    recipients: list[str]
    door: str = "unknown"


class Tags(msgspec.Struct, frozen=True):
    """What of SES's message tags says whose an attempt or an event is."""

    email_id: str


class Attempt(msgspec.Struct, frozen=True):
    """A SendEmail that SES accepted."""

    t: float
    verdict: Literal["accepted"]
    tags: Tags


class Event(msgspec.Struct, frozen=True, rename="camel"):
    """What SES published about a mail."""

    t: float
    event_type: Literal["Send", "Delivery", "Bounce", "Complaint"]
    tags: Tags
    recipients: list[str] = []
    bounce_type: str | None = None

    @property
    def suppresses(self) -> bool:
        """Whether no more mail may go to its recipients."""
        return self.event_type == "Complaint" or self.bounce_type == "Permanent"

    @property
    def standing(self) -> tuple[int, str]:
        """The rank and the status that it proves."""
        match self.event_type:
            case "Send":
                return 20, "sent"
            case "Delivery":
                return 40, "delivered"
            case "Complaint":
                return 60, "complained"
            case "Bounce":
                return (50 if self.bounce_type == "Permanent" else 30), "bounced"


class Arrival(msgspec.Struct, frozen=True, rename={"email_id": "emailId"}):
    """A request at the receiver."""

    t: float
    endpoint: str
    webhook_id: str | None
    verified: bool
    type: str | None
    email_id: str | None
    answered: int | None

    @property
    def key(self) -> "Key":
        """What it is about."""
        return self.endpoint, self.type, self.email_id

    @property
    def taken(self) -> bool:
        """Whether the receiver said that it has it."""
        return self.answered is not None and 200 <= self.answered < 300


class TimelineEntry(msgspec.Struct, frozen=True):
    """One of the API's events of a mail."""

    type: str


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """What the API says of a mail."""

    status: str
    last_updated: Annotated[datetime, msgspec.Meta(tz=True)]
    events: list[TimelineEntry]

    @property
    def updated_s(self) -> float:
        """Wall seconds."""
        return self.last_updated.timestamp()


Key = tuple[str, str | None, str | None]
"""Endpoint, webhook type, e-mail."""


@dataclass(frozen=True)
class Evidence:
    """All that is known from outside, by e-mail."""

    endpoints: dict[str, frozenset[str]]
    acks: dict[str, Ack] = field(default_factory=dict)
    attempts: dict[str, list[Attempt]] = field(default_factory=lambda: defaultdict(list))
    events: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    arrivals: list[Arrival] = field(default_factory=list)
    statuses: dict[str, Status] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    excused: frozenset[str] = frozenset({"suppressed"})
    """Statuses of a mail that SES need not have accepted, if that was `justified`."""
    _suppressed_from: dict[str, float] = field(default_factory=dict)

    def status(self, email_id: str) -> str:
        """The API's word on a mail."""
        known = self.statuses.get(email_id)
        return "missing" if known is None else known.status

    def unsent_rightly(self, email_id: str) -> bool:
        """Whether SES need not have accepted it."""
        return self.status(email_id) in self.excused and self.justified(email_id)

    def ended_in_doubt(self, email_id: str) -> bool:
        """Whether nobody knows what became of it, where that is allowed, whatever SES did."""
        return self.status(email_id) == "unknown" and "unknown" in self.excused

    def justified(self, email_id: str) -> bool:
        """Whether a suppressed mail had a recipient that must not get mail at that time."""
        known, ack = self.statuses.get(email_id), self.acks.get(email_id)
        if known is None or ack is None:
            return False
        since = (self._suppressed_from.get(_address(one)) for one in ack.recipients)
        return any(t is not None and t < known.updated_s + _ISO_SKEW_S for t in since)

    def read(self, line: object, kind: type[T], *, source: str) -> T | None:
        """The line in its form; None and a fault when it has none."""
        try:
            return msgspec.convert(line, kind)
        except (msgspec.ValidationError, TypeError, ValueError, OverflowError) as error:
            self.unreadable.append(f"The {source} has a line that cannot be judged: {error}.")
            return None

    def add_simulator_line(self, line: Any) -> None:
        """Refusals prove nothing, and other kinds of lines are not about mails."""
        kind = line.get("kind") if isinstance(line, Mapping) else None
        if kind == "attempt" and line.get("verdict") not in _REFUSALS:
            if attempt := self.read(line, Attempt, source="simulator's log"):
                self.attempts[attempt.tags.email_id].append(attempt)
        elif kind == "event":
            if event := self.read(line, Event, source="simulator's log"):
                self.events[event.tags.email_id].append(event)
                self._note_suppression(event)
        elif not isinstance(kind, str):
            self.unreadable.append("The simulator's log has a line without a kind.")

    def _note_suppression(self, event: Event) -> None:
        if event.suppresses:
            for recipient in map(_address, event.recipients):
                first = min(event.t, self._suppressed_from.get(recipient, event.t))
                self._suppressed_from[recipient] = first

    def note_strangers(self) -> None:
        """Events of mails that nobody acknowledged and SES never accepted."""
        for email_id in self.events.keys() - self.acks.keys() - self.attempts.keys():
            self.unreadable.append(f"SES published events of {email_id}, which nobody sent.")


def gather(
    acks: Iterable[Any],
    simulator: Iterable[Any],
    *,
    receiver: Iterable[Any],
    statuses: Mapping[str, Any],
    endpoints: Mapping[str, Iterable[str]],
    excused: Iterable[str] = ("suppressed",),
) -> Evidence:
    """Read everything."""
    known = Evidence(
        {name: frozenset(types) for name, types in endpoints.items()}, excused=frozenset(excused)
    )
    for line in acks:
        if ack := known.read(line, Ack, source="list of acknowledgements"):
            known.acks.setdefault(ack.email_id, ack)
    for line in simulator:
        known.add_simulator_line(line)
    for line in receiver:
        if arrival := known.read(line, Arrival, source="receiver's log"):
            known.arrivals.append(arrival)
    for email_id, answer in statuses.items():
        if status := known.read(answer, Status, source=f"API's answer about {email_id}"):
            known.statuses[email_id] = status
    known.note_strangers()
    return known


def _address(text: str) -> str:
    return parseaddr(text)[1].casefold()
