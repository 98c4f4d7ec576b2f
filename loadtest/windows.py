"""Judges the rate of a run from the SES simulator's log alone. Pure.

A window is any stretch of one second, whatever its start. The windows that count are over the
senders' own stamps (monotonic clock of this machine, put in last before the write): what is between
a sender and SES may bunch what was sent evenly. Beside them are the windows over arrivals, and how
long after its stamp an attempt arrived. A stamp later than its arrival is a lie and fails the run.

A simulator that stands still (its own word: `stall` lines) takes at one moment what came meanwhile.
Such a stretch is invalid: attempts that arrived in it count for neither arrivals nor use, throttles
in it, and after it for EXCUSED_FOR times its length (what it bunched is in SES's window for up to a
second), are its own. A run with more than MAX_INVALID of it, or more than a few throttles of its
own, proves nothing. For the worst window over stamps every attempt counts, always.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

SECOND_NS = 1_000_000_000
STALL_MS = 20.0
AFTER_A_KILL_S = 2.0
"""Use is judged without so long after each kill; then it must be back."""
BACK_AT = 0.88
BACK_OVER = 50
"""It is looked at over a second, or over so many slots if they take longer: at 14/s a single slot
more or less would decide."""
MAX_INVALID = 0.05
EXCUSED_FOR = 3
MAX_EXCUSED, MAX_EXCUSED_SHARE = 3, 0.002
"""So many throttles, or so many of all attempts, may be the simulator's own."""

Stretch = tuple[int, int]
"""From, until: monotonic nanoseconds."""


class Attempt(NamedTuple):
    """A call that reached the simulator. `over`: the quota had nothing left for it."""

    stamp_ns: int
    arrived_ns: int
    recipients: int
    over: bool


class Log(NamedTuple):
    """What the simulator says; `faults` are sentences about lines that prove nothing."""

    attempts: list[Attempt]
    stalls: list[Stretch]
    faults: list[str]


class Marks(NamedTuple):
    """What the proof did: when its load began and ended, and when it killed a sender."""

    begun_ns: int
    ended_ns: int
    kills_ns: Sequence[int] = ()


def read(lines: Iterable[Any]) -> Log:
    """Attempts by the order of their stamps, and stalls."""
    log = Log([], [], [])
    for line in lines:
        if not isinstance(line, Mapping):
            log.faults.append("a line that cannot be read")
        elif line.get("kind") == "stall":
            ended_ns, lag_ms = int(line["t_ns"]), float(line["lag_ms"])
            if lag_ms > STALL_MS:
                log.stalls.append((ended_ns - math.ceil(lag_ms * 1e6), ended_ns))
        elif line.get("kind") == "attempt":
            _read_attempt(line, log)
    log.attempts.sort()
    log.stalls.sort()
    return log


def _read_attempt(line: Mapping[str, Any], log: Log) -> None:
    stamp, arrived, verdict = line.get("stampNs"), int(line["t_ns"]), line.get("verdict")
    over = verdict == "throttled" or line.get("over") == "throttled"
    if verdict != "accepted" and not over:
        log.faults.append(f"an attempt was {verdict}: {line.get('code')}")
    elif not isinstance(stamp, int):
        log.faults.append("an attempt without a stamp")
    elif stamp > arrived:
        log.faults.append(f"a stamp is {(stamp - arrived) / 1e6:.3f} ms later than its arrival")
    else:
        log.attempts.append(Attempt(stamp, arrived, len(line["recipients"]), over))


def worst_window(moments: Sequence[tuple[int, int]], length_ns: int = SECOND_NS) -> int:
    """The most recipients in any window; `moments` are (ns, recipients) in order of time. Two that
    are exactly the length apart share no window, as in SES's own count.
    """
    worst = inside = first = 0
    for at_ns, recipients in moments:
        inside += recipients
        while moments[first][0] <= at_ns - length_ns:
            inside -= moments[first][1]
            first += 1
        worst = max(worst, inside)
    return worst


def judge(log: Log, marks: Marks, *, quota: float) -> dict[str, Any]:
    """The figures of a run."""
    stalls = list(_within(log.stalls, marks.begun_ns, marks.ended_ns))
    valid = [one for one in log.attempts if not _is_in(stalls, one.arrived_ns)]
    stamps = [(one.stamp_ns, one.recipients) for one in log.attempts]
    arrivals = sorted((one.arrived_ns, one.recipients) for one in valid)
    delays_ms = sorted((one.arrived_ns - one.stamp_ns) / 1e6 for one in valid)
    over = [one for one in log.attempts if one.over]
    excused = [one for one in over if _follows(stalls, one.arrived_ns)]
    recovered = list(_recovered_s(stamps, marks, quota=quota))
    slowest_s = max(recovered, default=math.inf)
    return {
        "quota": quota,
        "worst_window": worst_window(stamps),
        "utilisation": round(utilisation(stamps, stalls, marks, quota=quota), 4),
        "throttles": len(over) - len(excused),
        "throttles_excused": len(excused),
        "kills": len(marks.kills_ns),
        "kills_judged": len(recovered),
        "recovered_after_s": None if math.isinf(slowest_s) else slowest_s,
        "invalid_share": round(_length(stalls) / (marks.ended_ns - marks.begun_ns), 4),
        "worst_arrival_window": worst_window(arrivals),
        "p99_arrival_minus_stamp_ms": _percentile(delays_ms, 0.99),
        "attempts": len(log.attempts),
        "faults": log.faults[:10],
    }


def utilisation(
    stamps: Sequence[tuple[int, int]], stalls: Sequence[Stretch], marks: Marks, *, quota: float
) -> float:
    """Recipients sent in the stretches that count, as a share of what the quota allows in them."""
    after_ns = round(AFTER_A_KILL_S * SECOND_NS)
    kills = [(kill, kill + after_ns) for kill in marks.kills_ns]
    left_out = list(_merged([*_within(kills, marks.begun_ns, marks.ended_ns), *stalls]))
    counted_ns = marks.ended_ns - marks.begun_ns - _length(left_out)
    sent = sum(
        recipients
        for at_ns, recipients in stamps
        if marks.begun_ns <= at_ns < marks.ended_ns and not _is_in(left_out, at_ns)
    )
    return sent / (quota * counted_ns / SECOND_NS) if counted_ns > 0 else 0.0


def short(row: Mapping[str, Any], *, at_least: float, back: bool = True) -> list[str]:
    """What of a run is not as it must be, in sentences; `back`: the return after a kill too."""
    faults = list(row["faults"])
    if row["worst_window"] > row["quota"]:
        faults.append(f"{row['worst_window']} recipients in a second; {row['quota']:g} are allowed")
    if row["utilisation"] < at_least:
        faults.append(f"use {row['utilisation']:.1%}; {at_least:.0%} is needed")
    if row["throttles"]:
        faults.append(f"{row['throttles']} throttles")
    if row["throttles_excused"] > max(MAX_EXCUSED, MAX_EXCUSED_SHARE * row["attempts"]):
        faults.append(f"{row['throttles_excused']} throttles after standstills: proves nothing")
    if not row["kills_judged"]:
        faults.append(f"of {row['kills']} kills none could be judged")
    elif back and row["recovered_after_s"] is None:
        faults.append(f"not back to {BACK_AT:.0%} within {AFTER_A_KILL_S:g} s of a kill")
    if row["invalid_share"] > MAX_INVALID:
        faults.append(f"the simulator stood still for {row['invalid_share']:.1%}: proves nothing")
    return faults


def _recovered_s(
    stamps: Sequence[tuple[int, int]], marks: Marks, *, quota: float
) -> Iterator[float]:
    """Of each kill the seconds to the beginning of the first stretch with BACK_AT of the quota;
    infinite if none began in time. Where the run ended too soon after a kill nothing is said.
    """
    length_ns = round(max(1.0, BACK_OVER / quota) * SECOND_NS)
    enough = BACK_AT * quota * length_ns / SECOND_NS
    times = [at_ns for at_ns, _ in stamps]
    for kill_ns in marks.kills_ns:
        last_ns = kill_ns + round(AFTER_A_KILL_S * SECOND_NS)
        if last_ns + length_ns > marks.ended_ns:
            continue
        first = bisect_left(times, kill_ns)
        starts = [kill_ns, *times[first : bisect_left(times, last_ns + 1)], last_ns]
        yield next(
            (
                round((begun_ns - kill_ns) / SECOND_NS, 3)
                for begun_ns in starts
                if _sent(stamps, times, begun_ns, begun_ns + length_ns) >= enough
            ),
            math.inf,
        )


def _sent(
    stamps: Sequence[tuple[int, int]], times: Sequence[int], begun_ns: int, ended_ns: int
) -> int:
    some = stamps[bisect_left(times, begun_ns) : bisect_left(times, ended_ns)]
    return sum(recipients for _, recipients in some)


def _merged(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    begun: int | None = None
    until = 0
    for first, last in sorted(stretches):
        if begun is None or first > until:
            if begun is not None:
                yield begun, until
            begun, until = first, last
        until = max(until, last)
    if begun is not None:
        yield begun, until


def _within(stretches: Iterable[Stretch], begun_ns: int, ended_ns: int) -> Iterator[Stretch]:
    for first, last in _merged(stretches):
        if first < ended_ns and last > begun_ns:
            yield max(first, begun_ns), min(last, ended_ns)


def _length(stretches: Iterable[Stretch]) -> int:
    return sum(last - first for first, last in stretches)


def _is_in(stretches: Sequence[Stretch], at_ns: int) -> bool:
    index = bisect_left(stretches, (at_ns + 1,))
    return index > 0 and stretches[index - 1][1] >= at_ns


def _follows(stretches: Sequence[Stretch], at_ns: int) -> bool:
    """Whether a stretch has not ended, or so lately that it may be the reason."""
    index = bisect_left(stretches, (at_ns + 1,))
    if index == 0:
        return False
    begun_ns, ended_ns = stretches[index - 1]
    return at_ns <= ended_ns + min(SECOND_NS, EXCUSED_FOR * (ended_ns - begun_ns))


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    return round(ordered[math.ceil(share * len(ordered)) - 1], 2) if ordered else None
