"""What became of the mails: lost, sent twice, shown wrongly."""

from collections import Counter

from loadtest.evidence import Event, Evidence

TERMINAL = frozenset(
    (
        *("delivered", "bounced", "complained", "rejected", "failed"),
        *("suppressed", "cancelled", "expired", "unknown"),
    )
)
_TIMELINE_TYPES = {"Delivery": "delivery", "Bounce": "bounce", "Complaint": "complaint"}


def lost_ids(known: Evidence) -> list[str]:
    """Acknowledged mails that SES never accepted and that nothing excuses."""
    return [
        email_id
        for email_id in known.acks
        if email_id not in known.attempts and not known.unsent_rightly(email_id)
    ]


def lost(known: Evidence) -> list[str]:
    """One per mail that is lost."""
    faults = []
    for email_id in lost_ids(known):
        status = known.status(email_id)
        why = ", though none of its recipients had bounced or complained before"
        faults.append(
            f"{email_id} was acknowledged ({known.acks[email_id].door}) but SES never accepted it; "
            f"the API says {status}{why if status == 'suppressed' else ''}."
        )
    return faults


def duplicates(known: Evidence) -> list[str]:
    """One per accepted attempt too many."""
    return [
        f"SES accepted {email_id} {len(attempts)} times."
        for email_id, attempts in known.attempts.items()
        for _ in attempts[1:]
    ]


def unexpected(known: Evidence) -> list[str]:
    """One per accepted attempt of a mail that nobody was promised."""
    return [
        f"SES accepted {email_id}, which was never acknowledged."
        for email_id, attempts in known.attempts.items()
        if email_id not in known.acks
        for _ in attempts
    ]


def wrong_statuses(known: Evidence) -> list[str]:
    """Mails of which the API says something else than SES's events prove."""
    faults = []
    for email_id in known.acks:
        expected, status = _expected(known, email_id), known.status(email_id)
        if expected is not None and status != expected:
            faults.append(f"{email_id} must be {expected} by SES's events; the API says {status}.")
    return faults


def _expected(known: Evidence, email_id: str) -> str | None:
    event = deciding(known.events.get(email_id, []))
    if event is not None:
        return event.standing[1]
    return "sent" if email_id in known.attempts else None


def deciding(events: list[Event]) -> Event | None:
    """The event that sets the status: the highest rank, and of those the first."""
    return max(events, key=lambda event: (event.standing[0], -event.t), default=None)


def wrong_timelines(known: Evidence) -> list[str]:
    """One per event that is missing from the API's timeline or is too many there."""
    faults = []
    for email_id in known.acks:
        answer = known.statuses.get(email_id)
        shown = Counter(entry.type for entry in answer.events) if answer else Counter[str]()
        published = Counter[str](event.event_type for event in known.events.get(email_id, []))
        for event_type, name in _TIMELINE_TYPES.items():
            said, true = shown[name], published[event_type]
            faults += [
                f"{email_id} had {true} {event_type} events; the API's timeline shows {said}."
            ] * abs(said - true)
    return faults
