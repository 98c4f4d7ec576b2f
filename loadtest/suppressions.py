"""Judges races between mail to an address and the suppression of that address. Pure.

All times are `time.monotonic_ns()`, which every process of a machine shares. A suppression is
acknowledged when the generator has received the answer to `POST /suppression/add`. A mail is
claimed when DynamoDB has answered the write that makes an attempt somebody's, as the proxy in front
of it saw: the sender sees that later still. So a mail that was claimed after the acknowledgement
can only have been sent by a sender that did not look at the list then.

- `violations`: SES took a mail whose claim was answered after the acknowledgement.
- `unclaimed`: SES took a mail that nobody had claimed, at that attempt, before.
- `lost`: neither taken by SES nor ended as suppressed; `untold`: suppressed, and no verified
  webhook says so; `wrong`: taken by SES, and said to be suppressed.

What proves nothing fails, too: of all mails a share was claimed on each side of the
acknowledgement, and a share of the races was close (`close_before`, `close_after`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

TABLE = "EmailTracking"
SUPPRESSED = "suppressed"
CLOSE_NS = 50_000_000
"""At least; where mail goes further apart, see `close_ns`."""
CLOSE_SHARE = 1 / 6
"""Of the time over which the mail of a race is spread."""
EACH_SIDE = 0.1
"""Of the mails, at least."""
CLOSE_RACES = 0.1
"""Of the races, at least, on each side."""
MAX_EXAMPLES = 10
FAIL = ("violations", "unclaimed", "lost", "untold", "wrong", "unreadable")


class Race(NamedTuple):
    """Mails to one address, and when its suppression was asked for and acknowledged."""

    address: str
    mails: tuple[str, ...]
    asked_ns: int
    acknowledged_ns: int


class _Seen(NamedTuple):
    """What the logs say: claims by (mail, attempt), sends by mail, mails told to be suppressed."""

    claims: dict[tuple[str, int], int]
    sends: dict[str, list[tuple[int, int]]]
    told: set[str]
    unreadable: int


def waits_s(accepted_ns: Mapping[str, int], stores: Iterable[Any]) -> list[float]:
    """How long after a door's yes those of these mails were first claimed that were (seconds)."""
    first = _first(_seen(stores, (), ()))
    return [max(0, first[one] - at_ns) / 1e9 for one, at_ns in accepted_ns.items() if one in first]


def close_ns(spread_s: float) -> int:
    """What is close to the acknowledgement where early mail goes up to so long before it."""
    return max(CLOSE_NS, round(spread_s * CLOSE_SHARE * 1e9))


def row(
    races: Sequence[Race],
    *,
    close_ns: int = CLOSE_NS,
    stores: Iterable[Any],
    simulator: Iterable[Any],
    receiver: Iterable[Any],
    statuses: Mapping[str, Any],
) -> dict[str, Any]:
    """The numbers of the run."""
    seen = _seen(stores, simulator, receiver)
    judged = [
        (email_id, race, fault)
        for race in races
        for email_id in race.mails
        for fault in _faults(email_id, race, seen, statuses)
    ]
    counts = Counter(fault for _, _, fault in judged)
    before, after = _sides(races, seen)
    sent = [(at, race) for race in races for one in race.mails for at, _ in seen.sends.get(one, ())]
    return {
        "races": len(races),
        "mails": sum(len(race.mails) for race in races),
        "sent_before": sum(at <= race.acknowledged_ns for at, race in sent),
        "sent_after": sum(at > race.acknowledged_ns for at, race in sent),
        "suppressed": sum(_status(one) == SUPPRESSED for one in statuses.values()),
        "claimed_before": sum(map(len, before.values())),
        "claimed_after": sum(map(len, after.values())),
        "close_before": sum(min(late) <= close_ns for late in before.values()),
        "close_after": sum(min(late) <= close_ns for late in after.values()),
        **{kind: counts[kind] for kind in FAIL if kind != "unreadable"},
        "unreadable": seen.unreadable,
        "examples": [f"{fault}: {one}" for one, _, fault in judged[:MAX_EXAMPLES]],
    }


def short(found: Mapping[str, Any], *, races: int) -> list[str]:
    """What of the run is not as it must be, in sentences."""
    faults = [f"{kind}: {found[kind]}" for kind in FAIL if found[kind]]
    if found["races"] < races:
        faults.append(f"only {found['races']} races; {races} are needed")
    for side in ("before", "after"):
        if found[f"claimed_{side}"] < EACH_SIDE * found["mails"]:
            faults.append(f"only {found[f'claimed_{side}']} mails were claimed {side} it")
        if found[f"close_{side}"] < CLOSE_RACES * found["races"]:
            faults.append(f"only {found[f'close_{side}']} races were close, {side} it")
    return faults


def _faults(email_id: str, race: Race, seen: _Seen, statuses: Mapping[str, Any]) -> Iterator[str]:
    status, sends = _status(statuses.get(email_id)), seen.sends.get(email_id, [])
    for at_ns, attempt in sends:
        claimed_ns = seen.claims.get((email_id, attempt))
        if claimed_ns is None or claimed_ns > at_ns:
            yield "unclaimed"
        elif claimed_ns > race.acknowledged_ns:
            yield "violations"
    if sends and status == SUPPRESSED:
        yield "wrong"
    elif not sends and status != SUPPRESSED:
        yield "lost"
    elif not sends and email_id not in seen.told:
        yield "untold"


def _sides(races: Sequence[Race], seen: _Seen) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """How long before and after the acknowledgement the mails were first claimed, by address."""
    before, after = dict[str, list[int]](), dict[str, list[int]]()
    first = _first(seen)
    for race in races:
        for claimed_ns in (first[one] for one in race.mails if one in first):
            side = before if claimed_ns <= race.acknowledged_ns else after
            side.setdefault(race.address, []).append(abs(claimed_ns - race.acknowledged_ns))
    return before, after


def _first(seen: _Seen) -> dict[str, int]:
    """When each mail was first claimed."""
    first = dict[str, int]()
    for (email_id, _), at_ns in seen.claims.items():
        first[email_id] = min(at_ns, first.get(email_id, at_ns))
    return first


def _seen(stores: Iterable[Any], simulator: Iterable[Any], receiver: Iterable[Any]) -> _Seen:
    seen = _Seen({}, {}, set(), 0)
    unreadable = 0
    for line in chain(stores, simulator, receiver):
        match line:
            case {"kind": "write", "code": None, "table": str(table), "set": {"attempt": int(n)}}:
                email_id = {**line["where"], **line["set"]}.get("emailId")
                if table.endswith(TABLE) and line["set"].get("leaseUntil"):
                    seen.claims[str(email_id), n] = line["t_ns"]
            case {"kind": "attempt", "verdict": "accepted", "tags": {"email_id": str(email_id)}}:
                sent = line["t_ns"], int(line["tags"].get("attempt", 0))
                seen.sends.setdefault(email_id, []).append(sent)
            case {"type": "email.suppressed", "verified": True, "emailId": str(email_id)}:
                seen.told.add(email_id)
            case Mapping():
                pass
            case _:
                unreadable += 1
    return seen._replace(unreadable=unreadable)


def _status(answer: Any) -> str:
    return str(answer.get("status")) if isinstance(answer, Mapping) else "none"
