"""Judges runs in which mail for later was cancelled and given other times. Pure.

Times are wall seconds of one machine. What counts is what the owner was told: the door's yes to the
mail, and the answer to each change. A yes to a cancel means that SES never takes the mail, a no
(409) that it does. A yes to another time means that no sender had it in hand before: SES takes it
then or later, whatever the time was before. A change without an answer may have been made or not.

- `doubled`, `lost`: SES took it more than once; never, and nobody was told that it was cancelled.
- `cancelled_sent`: SES took it although a cancel was answered with 200.
- `early`: SES took it before its time, by more than `TOLERANCE_S`.
- `untrue`: it was said to be too late for a change (409) while it was not due for long.
- lateness is counted from the time, or from the answer that set it where the time was past then.
  `p95_hasty_ms` is that of mails whose time was set by a change with less than `NOTICE_S` notice:
  they wait until somebody next looks for what is due. `p95_late_ms` is that of all others. What
  was on its queue already, within `soon_s` of its time, is not late before that time.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

OK, CONFLICT = 200, 409
TOLERANCE_S = 0.02
"""Clocks are read in milliseconds; an instant is kept to within 20 ms."""
TRUTH_S = 2.0
"""So long before its time no sender has a mail in hand."""
MAX_P95_MS = 1000.0
NOTICE_S = 12.0
"""The release looks every ten seconds, and takes a moment."""
LEAST_RACES = 0.02
"""Of the mails, at least: cancelled in time, and too late; both, or nothing raced."""
FAIL = ("lost", "doubled", "cancelled_sent", "early", "untrue", "unexpected")
MAX_EXAMPLES = 8


class Asked(NamedTuple):
    """A change: when it was asked for and answered, with which HTTP status (0: no answer), and to
    which time the mail was to go.
    """

    what: str
    asked_s: float
    answered_s: float
    status: int
    to_s: float = 0.0


class Order(NamedTuple):
    """A mail: its id, its first time, when the door took it, and the changes."""

    email_id: str
    send_at_s: float
    accepted_s: float
    changes: tuple[Asked, ...] = ()


def row(
    case: str,
    orders: Sequence[Order],
    sent: Iterable[tuple[float, str]],
    *,
    soon_s: float = 60.0,
    **more: Any,
) -> dict[str, Any]:
    """The numbers of a case; `sent` is when SES took which mail."""
    times = dict[str, list[float]]()
    for at_s, email_id in sent:
        times.setdefault(email_id, []).append(at_s)
    found = dict[str, list[str]]({kind: [] for kind in FAIL})
    lates, hasty = list[float](), list[float]()
    for order in orders:
        taken = times.get(order.email_id, [])
        for fault in _faults(order, taken):
            found[fault].append(order.email_id)
        if taken:
            (hasty if _is_hasty(order) else lates).append(min(taken) - _due(order, soon_s)[1])
    found["unexpected"] = list(times.keys() - {order.email_id for order in orders})
    answers = [one for order in orders for one in order.changes]
    cancelled = sum(_was_cancelled(order) for order in orders)
    return {
        "case": case,
        "due": len(orders) - cancelled,
        "released": sum(order.email_id in times for order in orders if not _was_cancelled(order)),
        **{kind: len(ids) for kind, ids in found.items()},
        "p95_late_ms": p95_ms(lates),
        "p95_hasty_ms": p95_ms(hasty),
        "cancelled": cancelled,
        "moved": sum(one.what == "reschedule" and one.status == OK for one in answers),
        "conflicts": sum(one.status == CONFLICT for one in answers),
        "unanswered": sum(one.status not in (OK, CONFLICT) for one in answers),
        **more,
        "examples": [f"{kind}: {one}" for kind, ids in found.items() for one in ids][:MAX_EXAMPLES],
    }


def short(
    found: Mapping[str, Any], *, due: int, raced: bool = True, punctual: bool = True
) -> list[str]:
    """What of a case is not as it must be, in sentences. At least `due` mails had to go;
    `punctual`: nothing else than the release made them late.
    """
    # What a door has answered with 503 may have been sent (`cut`): nobody was told what it is.
    allowed = {"unexpected": found.get("cut", 0)}
    faults = [f"{found[kind]} {kind}" for kind in FAIL if found[kind] > allowed.get(kind, 0)]
    if found["due"] < due:
        faults.append(f"only {found['due']} were due; {due} are needed")
    late_ms = found["p95_late_ms"]
    if punctual and (late_ms is None or late_ms >= MAX_P95_MS):
        faults.append(f"late by {late_ms} ms (p95)")
    hasty_ms = found["p95_hasty_ms"]
    if punctual and hasty_ms is not None and hasty_ms >= 1000 * NOTICE_S:
        faults.append(f"late by {hasty_ms} ms (p95) at short notice")
    for kind in ("cancelled", "conflicts", "moved") if raced else ():
        if found[kind] < LEAST_RACES * found["due"]:
            faults.append(f"only {found[kind]} {kind}: nothing raced")
    return [f"{found['case']}: {one}" for one in faults]


def p95_ms(lates: Sequence[float]) -> float | None:
    """Of seconds, in milliseconds; None of nothing."""
    ordered = sorted(lates)
    return round(1000 * ordered[int(0.95 * len(ordered))], 1) if ordered else None


def _faults(order: Order, taken: Sequence[float]) -> Iterable[str]:
    if _was_cancelled(order):
        if taken:
            yield "cancelled_sent"
        return
    may_be_cancelled = any(one.what == "cancel" and not one.status for one in order.changes)
    if not taken and not may_be_cancelled:
        yield "lost"
    if len(taken) > 1:
        yield "doubled"
    earliest_s, _ = _due(order)
    if taken and min(taken) < earliest_s - TOLERANCE_S:
        yield "early"
    if any(
        one.status == CONFLICT and one.answered_s < earliest_s - TRUTH_S for one in order.changes
    ):
        yield "untrue"


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
