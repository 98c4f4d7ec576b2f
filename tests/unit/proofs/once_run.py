"""An honest run of each case of `prove-once`, and what the judge says of it."""

from collections.abc import Callable
from typing import Any

from honest_run import START_S, Run, accepted, ended

from loadtest.once import row, short
from loadtest.once_done import Done, Kill, Stop

Change = Callable[[Run], object]

KILLS = [
    Kill(START_S + 0.6, "sender-1", "sender.claimed"),
    Kill(START_S + 1.2, "processor-1", "processor.raised"),
    Kill(START_S + 2.5, "sender-2", "anywhere"),
]
STOPS = [
    Stop(START_S + 0.1, START_S + 8.1, "sender-3", "failpoint"),
    Stop(START_S + 0.2, START_S + 1.9, "sender-2", "signal"),
]
TAKEN_OVER = "hard-1"
QUIET = "delivered-"


def done(case: str, **more: Any) -> Done:
    facts: dict[str, Any] = {"kills": KILLS, "mails": 14, "rate": 4.0}
    if case in ("c", "d"):
        facts |= {"special": QUIET, "specials": 2}
    if case == "c":
        facts |= {"kills": in_flight()}
    if case == "b":
        facts |= {"processors_from": START_S + 2.0, "catching_up_s": 1.2}
    if case == "e":
        facts |= {"stops": STOPS, "lease_s": 1.5, "grace_s": 1.0}
    return Done(
        **{"case": case, "load_from": START_S, "load_until": START_S + 3.0, **facts, **more}
    )


def write(email_id: str, replica: str, t: float, **fields: Any) -> Run:
    """As the proxy in front of the stores logs what was applied."""
    about = {"kind": "write", "code": None, "table": "mailpipe-EmailTracking", "caller": replica}
    return {**about, "t": t, "set": fields, "where": {"emailId": email_id}}


def claim(email_id: str, replica: str, t: float, attempt: int = 1) -> Run:
    return write(email_id, replica, t, attempt=attempt, leaseUntil=5)


def sent(run: Run, email_id: str) -> Run:
    """SES's yes to this mail."""
    return run["simulator"][accepted(run, email_id)]


def of(line: Run) -> str:
    return str(line.get("emailId") or line["tags"]["email_id"])


def run_of(case: str) -> Run:
    """An honest run in which the case happened."""
    run = ended()
    run["stores"] = list[Run]()
    for line in run["simulator"]:
        line["caller"] = "sender-1"
    if case == "e":
        run["stores"].append(claim(TAKEN_OVER, "sender-3", START_S + 0.05))
        sent(run, TAKEN_OVER)["tags"]["attempt"] = "2"
    if case == "c":
        for name in (f"{QUIET}1", f"{QUIET}2"):
            silence(run, name)
    if case == "d":
        cut = {"kind": "fault", "id": "drop_after_accept-1", "messageId": "x", "t": START_S}
        run["simulator"] += [cut, cut]
    return run


def silence(run: Run, email_id: str) -> None:
    """No event of this mail ever came: the API knows it from SES's answer."""
    run["simulator"] = [
        one for one in run["simulator"] if one["kind"] != "event" or of(one) != email_id
    ]
    run["receiver"] = [one for one in run["receiver"] if of(one) != email_id]
    status = run["statuses"][email_id]
    run["statuses"][email_id] = status | {
        "status": "sent",
        "events": [],
        "messageId": f"ses-{email_id}",
    }


def faults(case: str, change: Change = lambda _: None, **more: Any) -> list[str]:
    run, what, left = run_of(case), done(case, **more), {"webhooks": 0}
    change(run)
    return short(judged(what, run, left), what)


def judged(what: Done, run: Run, left: dict[str, int]) -> Run:
    stores = run.pop("stores")
    return row(what, run, cut=0, left=left, stores=stores)


def again(run: Run, email_id: str, **more: Any) -> None:
    """SES accepted it once more."""
    line = run["simulator"][accepted(run, email_id)]
    run["simulator"].append(line | {"t": line["t"] + 9, "messageId": "ses-again"} | more)


def flag(run: Run, email_id: str) -> None:
    run["statuses"][email_id]["possibleDuplicate"] = True


def in_flight(email_id: str = f"{QUIET}1") -> list[Kill]:
    """The sender of this mail died while SES answered."""
    line = sent(ended(), email_id)
    return [*KILLS[1:], Kill(line["t"] + 0.4, "sender-1", "sender.accepted")]
