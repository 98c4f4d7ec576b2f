"""A small honest run: the logs and answers of mails of every outcome, as the judge reads them."""

import copy
from datetime import UTC, datetime
from typing import Any

START_S = 1_700_000_000.0
TYPES = {
    "Send": "email.sent",
    "Delivery": "email.delivered",
    "Bounce": "email.bounced",
    "Complaint": "email.complained",
}
ENDPOINTS = {
    "all": [*TYPES.values(), "email.suppressed"],
    "bad": ["email.bounced", "email.complained"],
}
OUTCOMES: dict[str, tuple[list[tuple[str, str | None]], str]] = {
    "sent": ([], "sent"),
    "delivered": ([("Delivery", None)], "delivered"),
    "soft": ([("Bounce", "Transient")], "bounced"),
    "away": ([("Delivery", None), ("Bounce", "Transient")], "delivered"),
    "hard": ([("Bounce", "Permanent")], "bounced"),
    "late": ([("Delivery", None), ("Bounce", "Permanent")], "bounced"),
    "complained": ([("Delivery", None), ("Complaint", None)], "complained"),
}
Run = dict[str, Any]


def iso(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def webhook(endpoint: str, kind: str, *, email_id: str, t: float, number: int = 0) -> Run:
    return {
        "kind": "webhook",
        "t": t,
        "endpoint": endpoint,
        "webhook_id": f"msg_{endpoint}_{kind}_{email_id}_{number}",
        "verified": True,
        "type": kind,
        "emailId": email_id,
        "answered": 204,
    }


def add_webhooks(run: Run, kind: str, *, email_id: str, t: float) -> None:
    run["receiver"] += [
        webhook(name, kind, email_id=email_id, t=t)
        for name, types in ENDPOINTS.items()
        if kind in types
    ]


def add_mail(run: Run, email_id: str, *, outcome: str, t: float) -> None:
    """Acknowledged at t, accepted 10 ms later, an event each second; status +20 ms, webhook +30."""
    events, status = OUTCOMES[outcome]
    about = {"messageId": f"ses-{email_id}", "recipients": [f"{email_id}@example.com"]}
    about["tags"] = {"email_id": email_id, "attempt": "1", "tenant": "x", "stream": "y"}
    door = "sdk" if len(run["acks"]) % 2 else "rest"
    run["acks"].append(
        {"emailId": email_id, "door": door, "recipients": about["recipients"], "t": t}
    )
    attempt = {"kind": "attempt", "code": None, **about}
    run["simulator"] += [
        attempt | {"t": t + 0.005, "verdict": "throttled", "code": "TooManyRequestsException"},
        attempt | {"t": t + 0.01, "verdict": "accepted"},
    ]
    ranks = {"Send": 20, "Delivery": 40, "Complaint": 60, "Transient": 30, "Permanent": 50}
    published, best, decided_s, timeline = [("Send", None), *events], 0, t, []
    for second, (kind, bounce) in enumerate(published, start=1):
        event = {"kind": "event", "t": t + second, "eventType": kind, **about}
        run["simulator"].append(event | ({"bounceType": bounce} if bounce else {}))
        add_webhooks(run, TYPES[kind], email_id=email_id, t=t + second + 0.03)
        timeline.append({"type": kind.lower().replace("send", "sent"), "details": {}})
        if ranks[bounce or kind] > best:
            best, decided_s = ranks[bounce or kind], t + second
    run["statuses"][email_id] = {
        "status": status,
        "lastUpdated": iso(decided_s + 0.02),
        "events": timeline,
    }


def add_suppressed(run: Run, email_id: str, *, recipient: str, t: float) -> None:
    run["acks"].append({"emailId": email_id, "door": "rest", "recipients": [recipient], "t": t})
    run["statuses"][email_id] = {
        "status": "suppressed",
        "lastUpdated": iso(t + 0.1),
        "events": [{"type": "suppressed", "details": {}}],
    }
    add_webhooks(run, "email.suppressed", email_id=email_id, t=t + 0.2)


def honest() -> Run:
    """Two mails of every outcome, and two suppressed because of them."""
    run: Run = {"acks": [], "simulator": [], "receiver": [], "statuses": {}, "endpoints": ENDPOINTS}
    for number in (1, 2):
        for outcome in OUTCOMES:
            add_mail(run, f"{outcome}-{number}", outcome=outcome, t=START_S + number)
    add_suppressed(run, "gone-1", recipient="X <HARD-1@example.com>", t=START_S + 60)
    add_suppressed(run, "gone-2", recipient="complained-2@example.com", t=START_S + 60)
    return run


HONEST = honest()


def ended() -> Run:
    """The honest run without the mails of which nothing more than the sending is known."""

    def of(line: Run) -> str:
        return str(line.get("emailId") or line["tags"]["email_id"])

    logs = {
        source: [line for line in HONEST[source] if not of(line).startswith("sent-")]
        for source in ("acks", "simulator", "receiver")
    }
    statuses = {one: said for one, said in HONEST["statuses"].items() if said["status"] != "sent"}
    return copy.deepcopy({**logs, "statuses": statuses, "endpoints": ENDPOINTS})


def accepted(run: Run, email_id: str) -> int:
    """Where the simulator says that it accepted this mail."""
    return next(
        index
        for index, line in enumerate(run["simulator"])
        if line.get("verdict") == "accepted" and line["tags"]["email_id"] == email_id
    )
