"""What became of the webhooks: owed, arrived, repeated, forged."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from loadtest.evidence import WEBHOOK_TYPES, Arrival, Evidence, Key

AGAIN = "came again after it had been taken."


@dataclass(frozen=True)
class WebhookFaults:
    """How many were owed and arrived well, and a sentence per fault."""

    expected: int
    verified: int
    missing: list[str] = field(default_factory=list)
    unverified: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)


def check(known: Evidence) -> WebhookFaults:
    """Compare what was owed with what arrived."""
    owed, ids, taken = Counter(_owed(known)), _ids(known, taken=False), _ids(known, taken=True)
    arrived = {key: min(count, len(taken.get(key, ()))) for key, count in owed.items()}
    faults = WebhookFaults(expected=owed.total(), verified=sum(arrived.values()))
    for key, count in owed.items():
        faults.missing.extend([f"{_name(key)} never arrived."] * (count - arrived[key]))
    for key, found in ids.items():
        if key not in owed:
            faults.unexpected.extend([f"{_name(key)} arrived and was not owed."] * len(found))
            continue
        extra = len(found) - owed[key]
        faults.doubled.extend([f"{_name(key)} arrived under {len(found)} ids."] * extra)
    faults.unverified.extend(
        f"{_name(one.key)} arrived with a signature that does not verify."
        for one in known.arrivals
        if not one.verified
    )
    faults.repeated.extend(_repeated(known))
    return faults


def _owed(known: Evidence) -> Iterator[Key]:
    for email_id, events in known.events.items():
        for event in events:
            yield from _to_subscribers(known, WEBHOOK_TYPES[event.event_type], email_id=email_id)
    for email_id in known.acks:
        unsent = email_id not in known.attempts and known.unsent_rightly(email_id)
        if unsent or known.ended_in_doubt(email_id):
            kind = f"email.{known.status(email_id)}"
            yield from _to_subscribers(known, kind, email_id=email_id)


def _to_subscribers(known: Evidence, webhook_type: str, *, email_id: str) -> Iterator[Key]:
    for endpoint, types in known.endpoints.items():
        if webhook_type in types:
            yield endpoint, webhook_type, email_id


def _ids(known: Evidence, *, taken: bool) -> dict[Key, set[str | None]]:
    """The webhook ids of the verified arrivals; `taken`: only of those answered 2xx."""
    ids: dict[Key, set[str | None]] = defaultdict(set)
    for arrival in known.arrivals:
        if arrival.verified and (arrival.taken or not taken):
            ids[arrival.key].add(arrival.webhook_id)
    return ids


def _repeated(known: Evidence) -> Iterator[str]:
    seen = set[tuple[str, str | None]]()
    for arrival in filter(_was_taken, known.arrivals):
        one = (arrival.endpoint, arrival.webhook_id)
        if one in seen:
            yield f"{_name(arrival.key)} {AGAIN}"
        seen.add(one)


def _was_taken(arrival: Arrival) -> bool:
    return arrival.taken


def _name(key: Key) -> str:
    endpoint, webhook_type, email_id = key
    return f"The webhook {webhook_type} of {email_id} for {endpoint}"
