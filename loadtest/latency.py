"""How long it took, in milliseconds, from outside clocks of one machine."""

import math
from collections import defaultdict
from collections.abc import Iterator

from loadtest.evidence import WEBHOOK_TYPES, Evidence, Key
from loadtest.mails import deciding

PERCENTILES = (50, 95, 99)
Latency = dict[str, float | None]


def latencies(known: Evidence) -> dict[str, Latency]:
    """The three stretches; None where a run has no sample."""
    return {
        "accept_to_ses": percentiles(list(_accept_to_ses(known))),
        "event_to_status": percentiles(list(_event_to_status(known))),
        "event_to_webhook": percentiles(list(_event_to_webhook(known))),
    }


def percentiles(samples_ms: list[float]) -> Latency:
    """By nearest rank: each is a sample that occurred."""
    ordered, count = sorted(samples_ms), len(samples_ms)
    return {
        f"p{one}": round(ordered[math.ceil(count * one / 100) - 1], 1) if ordered else None
        for one in PERCENTILES
    }


def _ms(begin_s: float, end_s: float) -> float:
    # An acknowledgement may be stamped after SES has the mail, and the API cuts to milliseconds.
    return max(0.0, (end_s - begin_s) * 1000)


def _accept_to_ses(known: Evidence) -> Iterator[float]:
    for email_id, ack in known.acks.items():
        if attempts := known.attempts.get(email_id):
            yield _ms(ack.t, min(attempt.t for attempt in attempts))


def _event_to_status(known: Evidence) -> Iterator[float]:
    """Of mails with one recipient: with several, `lastUpdated` moves again when the last ends."""
    for email_id, ack in known.acks.items():
        answer, event = known.statuses.get(email_id), deciding(known.events.get(email_id, []))
        if answer is None or event is None or len(ack.recipients) != 1:
            continue
        if answer.status == event.standing[1]:
            yield _ms(event.t, answer.updated_s)


def _event_to_webhook(known: Evidence) -> Iterator[float]:
    """Several of one key are paired in the order of time."""
    first: dict[Key, dict[str | None, float]] = defaultdict(dict)
    for arrival in known.arrivals:
        if arrival.verified:
            seen = first[arrival.key]
            seen[arrival.webhook_id] = min(arrival.t, seen.get(arrival.webhook_id, arrival.t))
    published: dict[tuple[str, str], list[float]] = defaultdict(list)
    for email_id, events in known.events.items():
        for event in events:
            published[WEBHOOK_TYPES[event.event_type], email_id].append(event.t)
    for (webhook_type, email_id), times in published.items():
        for endpoint in known.endpoints:
            arrived = first.get((endpoint, webhook_type, email_id), {})
            for event_s, arrived_s in zip(sorted(times), sorted(arrived.values()), strict=False):
                yield _ms(event_s, arrived_s)
