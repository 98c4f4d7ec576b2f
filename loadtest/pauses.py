"""Judges days of virtual time in which mail had to wait. Pure.

A mail is `lost` when SES did not take it and no event says how else it has ended, `doubled` when
SES took it more than once, `failed` when it was told to have ended although SES took it, or in any
other way than as expired.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from loadtest.pause_cases import Case

DAY_S = 86_400
FAIL = ("lost", "doubled", "failed")
MOST_MOVES = 40
"""Of one mail, on average: parked, and sent to a queue. What waits must not go round and round."""


def row(
    name: str,
    accepted: Mapping[str, float],
    sent: Sequence[tuple[float, str]],
    ended: Mapping[str, set[str]],
    *,
    moves: Mapping[str, int],
) -> dict[str, Any]:
    """The numbers of a case: `accepted` mails and when (seconds), what SES took and when, the
    statuses that events told of.
    """
    times = Counter(email_id for _, email_id in sent)
    statuses = {one: ended.get(one, set()) for one in accepted}
    unsent = {one: statuses[one] for one in accepted if one not in times}
    return {
        "case": name,
        "mails": len(accepted),
        "lost": sum(not told for told in unsent.values()),
        "sent": sum(one in times for one in accepted),
        "doubled": sum(count > 1 for count in times.values()),
        "expired": sum(told == {"expired"} for told in unsent.values()),
        "failed": sum(
            bool(told - {"expired"} or one in times) for one, told in statuses.items() if told
        ),
        "oldest_days": round(max((at - accepted[one] for at, one in sent), default=0) / DAY_S, 2),
        "moves": sum(moves.values()),
    }


def short(case: Case, found: Mapping[str, Any]) -> list[str]:
    """What of a case is not as it must be, in sentences. Only where it may expire may mail end so,
    and there as much as the quota leaves; elsewhere the oldest has waited long, or nothing was
    proved.
    """
    faults = [f"{found[kind]} {kind}" for kind in FAIL if found[kind]]
    if not case.may_expire_least <= found["expired"] <= case.may_expire_most:
        faults.append(f"{found['expired']} expired")
    if found["mails"] < case.mails:
        faults.append(f"only {found['mails']} mails; {case.mails} are needed")
    if found["oldest_days"] < case.longest_days and not case.may_expire:
        faults.append(f"no mail waited longer than {found['oldest_days']} days")
    if found["moves"] > MOST_MOVES * case.mails:
        faults.append(f"{found['moves']} moves of {case.mails} mails")
    return [f"{case.name}: {fault}" for fault in faults]
