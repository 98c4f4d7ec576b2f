"""Judges runs in which mail for later was cancelled and given other times. Pure.

Times are wall seconds of one machine. What counts is what the owner was told: the door's yes to the
mail, and the answer to each change. A yes to a cancel means that SES never takes the mail, a no
(409) that it does. A yes to another time means that no sender had it in hand before: SES takes it
then or later, whatever the time was before. A change that was answered with 503, or not at all, may
have been made or not.

- `doubled`, `lost`: SES took it more than once; never, and nobody was told that it was cancelled.
- `cancelled_sent`: SES took it although a cancel was answered with 200.
- `early`: SES took it before its time, by more than `TOLERANCE_S`.
- `stale`: SES took it after its `expiresAt`, by more than `UNDER_WAY_S`; `denied`: SES took it, and
  its owner was told that it has expired.
- `refused`: a change was answered with something that no owner who asks rightly may hear.
- `untrue`: it was said to be too late for a change (409) while it was not due for long.
- lateness is counted from the time, or from the answer that set it where the time was past then.
  `p95_hasty_ms` is that of mails whose time was set by a change with less than `NOTICE_S` notice:
  they wait until somebody next looks for what is due. `p95_late_ms` is that of all others. What
  was on its queue already, within `soon_s` of its time, is not late before that time.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

OK, CONFLICT, UNAVAILABLE = 200, 409, 503
NO_ANSWER = 0
NONE_YET = 404
"""Mail of the SDK has no record until a sender has seen it."""
TOLERANCE_S = 0.02
"""Clocks are read in milliseconds; an instant is kept to within 20 ms."""
TRUTH_S = 2.0
"""So long before its time no sender has a mail in hand."""
MAX_P95_MS = 1000.0
NOTICE_S = 12.0
"""The release looks every ten seconds, and takes a moment."""
LEAST_RACES = 0.02
"""Of the mails, at least: cancelled in time, and too late; both, or nothing raced."""
MOST_UNANSWERED, FEW = 0.05, 5
"""Of the changes, at most, and so many in any case: a door on a busy machine answers with 503."""
MOST_EXPIRED = 0.1
"""Of what expires soon, where only the release makes mail late."""
UNDER_WAY_S = 1.0
"""From a sender's last look at the time to SES's yes."""
FAIL = (
    *("lost", "doubled", "cancelled_sent", "early", "untrue", "stale", "denied", "refused"),
    "unexpected",
)
MAX_EXAMPLES = 8


class Asked(NamedTuple):
    """A change: when it was asked for and answered, with which HTTP status, and to which time the
    mail was to go. What is asked again is another one.
    """

    what: str
    asked_s: float
    answered_s: float
    status: int
    to_s: float = 0.0


class Order(NamedTuple):
    """A mail: its id, its first time, when the door took it, the changes, and when it expires."""

    email_id: str
    send_at_s: float
    accepted_s: float
    changes: tuple[Asked, ...] = ()
    expires_s: float | None = None


class Terms(NamedTuple):
    """What a run has to show, or it proves nothing: at least `due` mails that had to go, changes in
    time and too late (`raced`), `kills`, mail that `expires`. `late_ms` bounds the p95 of lateness
    (None: the machine is not judged), `again` what only a release has sent twice.
    """

    due: int = 0
    raced: bool = True
    kills: int = 0
    expires: bool = False
    late_ms: float | None = MAX_P95_MS
    again: int = 0


def row(
    case: str,
    orders: Sequence[Order],
    sent: Iterable[tuple[float, str]],
    *,
    ended: Mapping[str, Collection[str]] = {},
    soon_s: float = 60.0,
    **more: Any,
) -> dict[str, Any]:
    """The numbers of a case; `sent` is when SES took which mail, `ended` what its owner was told of
    mail that can expire.
    """
    times = dict[str, list[float]]()
    for at_s, email_id in sent:
        times.setdefault(email_id, []).append(at_s)
    found = dict[str, list[str]]({kind: [] for kind in FAIL})
    lates, hasty = list[float](), list[float]()
    for order in orders:
        taken = times.get(order.email_id, [])
        for fault in _faults(order, taken, ended.get(order.email_id, ())):
            found[fault].append(order.email_id)
        if taken:
            (hasty if _is_hasty(order) else lates).append(min(taken) - _due(order, soon_s)[1])
    found["unexpected"] = list(times.keys() - {order.email_id for order in orders})
    answers = [one for order in orders for one in order.changes]
    unsent = [order for order in orders if order.email_id not in times]
    never = [_why_never(order, ended.get(order.email_id, ())) for order in unsent]
    cancelled = sum(map(_was_cancelled, orders))
    went = sum(order.email_id in times and not _was_cancelled(order) for order in orders)
    return {
        "case": case,
        "due": went + never.count(None),
        "released": went,
        **{kind: len(ids) for kind, ids in found.items()},
        "p95_late_ms": p95_ms(lates),
        "p95_hasty_ms": p95_ms(hasty),
        "cancelled": cancelled,
        "expiring": sum(order.expires_s is not None for order in orders),
        "expired": never.count("expired"),
        "unknown": never.count("unknown"),
        "asked": len(answers),
        "moved": sum(one.what == "reschedule" and one.status == OK for one in answers),
        "conflicts": sum(one.status == CONFLICT for one in answers),
        "unanswered": sum(one.status not in (OK, CONFLICT) for one in answers),
        **more,
        "examples": [f"{kind}: {one}" for kind, ids in found.items() for one in ids][:MAX_EXAMPLES],
    }


def short(found: Mapping[str, Any], terms: Terms) -> list[str]:
    """What of a case is not as it must be, in sentences."""
    # What a door has answered with 503 may have been sent (`cut`): nobody was told what it is.
    allowed = {"unexpected": found.get("cut", 0)}
    faults = [f"{found[kind]} {kind}" for kind in FAIL if found[kind] > allowed.get(kind, 0)]
    if found["unanswered"] > max(FEW, MOST_UNANSWERED * found["asked"]):
        faults.append(f"{found['unanswered']} of {found['asked']} changes without an answer")
    if (again := found.get("again", 0)) > terms.again:
        faults.append(f"{again} sent again")
    if found["unknown"] and not terms.kills:
        faults.append(f"{found['unknown']} unknown")
    return [
        f"{found['case']}: {one}" for one in [*faults, *_late(found, terms), *_idle(found, terms)]
    ]


def _late(found: Mapping[str, Any], terms: Terms) -> Iterable[str]:
    if terms.late_ms is None:
        return
    late_ms, hasty_ms = found["p95_late_ms"], found["p95_hasty_ms"]
    if late_ms is None or late_ms >= terms.late_ms:
        yield f"late by {late_ms} ms (p95)"
    if hasty_ms is not None and hasty_ms >= max(1000 * NOTICE_S, terms.late_ms):
        yield f"late by {hasty_ms} ms (p95) at short notice"
    if not terms.kills and found["expired"] > max(FEW, MOST_EXPIRED * found["expiring"]):
        yield f"{found['expired']} of {found['expiring']} expired"


def _idle(found: Mapping[str, Any], terms: Terms) -> Iterable[str]:
    """What would have to happen for the run to prove anything."""
    if found["due"] < terms.due:
        yield f"only {found['due']} were due; {terms.due} are needed"
    if found.get("kills", 0) < terms.kills:
        yield f"only {found.get('kills', 0)} kills; {terms.kills} are needed"
    if terms.expires and not found["expired"]:
        yield "nothing expired"
    for kind in ("cancelled", "conflicts", "moved") if terms.raced else ():
        if found[kind] < LEAST_RACES * found["due"]:
            yield f"only {found[kind]} {kind}: nothing raced"


def p95_ms(lates: Sequence[float]) -> float | None:
    """Of seconds, in milliseconds; None of nothing."""
    ordered = sorted(lates)
    return round(1000 * ordered[int(0.95 * len(ordered))], 1) if ordered else None


def _faults(order: Order, taken: Sequence[float], told: Collection[str]) -> Iterable[str]:
    allowed = (OK, CONFLICT, UNAVAILABLE, NO_ANSWER)
    if any(one.status not in allowed for one in order.changes):
        yield "refused"
    if _was_cancelled(order):
        if taken:
            yield "cancelled_sent"
        return
    earliest_s, _ = _due(order)
    if _is_untrue(order, earliest_s):
        yield "untrue"
    if taken:
        yield from _of_taken(order, taken, told, earliest_s)
    elif _why_never(order, told) is None:
        yield "lost"


def _of_taken(
    order: Order, taken: Sequence[float], told: Collection[str], earliest_s: float
) -> Iterable[str]:
    if len(taken) > 1:
        yield "doubled"
    if order.expires_s is not None and max(taken) > order.expires_s + UNDER_WAY_S:
        yield "stale"
    if "expired" in told:
        yield "denied"
    if min(taken) < earliest_s - TOLERANCE_S:
        yield "early"


def _is_untrue(order: Order, earliest_s: float) -> bool:
    return any(
        one.status == CONFLICT and one.answered_s < earliest_s - TRUTH_S for one in order.changes
    )


def _why_never(order: Order, told: Collection[str]) -> str | None:
    """Why a mail that SES never took had not to go; None: it had to."""
    cancels = [one.status for one in order.changes if one.what == "cancel"]
    if OK in cancels:
        return "cancelled"
    # What is too late once stays so: then no cancel without an answer was made either.
    if CONFLICT not in cancels and any(one not in (CONFLICT, NONE_YET) for one in cancels):
        return "cancelled, perhaps"
    if order.expires_s is None:
        return None
    return next((one for one in ("expired", "unknown") if one in told), None)


def _is_hasty(order: Order) -> bool:
    moved = [one for one in order.changes if one.what == "reschedule" and one.status != CONFLICT]
    return bool(moved) and moved[-1].to_s - moved[-1].answered_s < NOTICE_S


def _was_cancelled(order: Order) -> bool:
    return any(one.what == "cancel" and one.status == OK for one in order.changes)


def _due(order: Order, soon_s: float = 0.0) -> tuple[float, float]:
    """The earliest time at which the mail may go, and that from which on it is late."""
    earliest_s, late_s = order.send_at_s, max(order.send_at_s, order.accepted_s)
    for one in order.changes:
        if one.what != "reschedule":
            continue
        if one.status == OK:
            on_queue = late_s - one.answered_s <= soon_s + 1
            earliest_s = one.to_s
            late_s = max(one.to_s, one.answered_s, late_s if on_queue else 0.0)
        elif one.status != CONFLICT:
            earliest_s = min(earliest_s, one.to_s)
            late_s = max(late_s, one.to_s, _finite(one.answered_s))
    return earliest_s, late_s


def _finite(seconds: float) -> float:
    return 0.0 if seconds == inf else seconds
