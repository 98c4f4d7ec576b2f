"""What becomes of an accepted message: its events and their delays. Pure.

By the recipient's local part, as SES's mailbox simulator does, labels (`bounce+x@`) included (SES
Developer Guide, "Using the mailbox simulator"). Any other address is delivered.
"""

from random import Random
from typing import Any, NamedTuple

from infra.local.ses.sending import SIMULATOR_DOMAIN

_BOUNCES = {
    "bounce": ("Permanent", "General", "5.1.1", "smtp; 550 5.1.1 user unknown"),
    "suppressionlist": (
        *("Permanent", "Suppressed", "5.1.1"),
        "Amazon SES has suppressed sending to this address because it has a recent history of "
        "bouncing as an invalid address.",
    ),
    "ooto": ("Transient", "General", "4.0.0", "smtp; out of the office"),
}


class Due(NamedTuple):
    """An event `after_s` seconds from acceptance, about these recipients."""

    after_s: float
    event_type: str
    recipients: list[str]
    facts: dict[str, Any]


def plan(recipients: list[str], choice: Random, scale: float) -> list[Due]:
    """The events of one message. Delays are multiplied by `scale`."""

    def delay(low_ms: int, high_ms: int) -> float:
        return choice.uniform(low_ms, high_ms) / 1000 * scale

    due = [Due(delay(5, 20), "Send", recipients, {})]
    bounced = dict[str, list[str]]()
    for recipient in recipients:
        kind = _kind(recipient)
        if kind in ("bounce", "suppressionlist"):
            # Several bounces of one request come as one event.
            bounced.setdefault(kind, []).append(recipient)
            continue
        delivered = delay(50, 150)
        due.append(Due(delivered, "Delivery", [recipient], {}))
        if kind == "complaint":
            facts = {"complaintFeedbackType": "abuse"}
            due.append(Due(delivered + delay(100, 200), "Complaint", [recipient], facts))
        elif kind == "ooto":
            after = delivered + delay(100, 200)
            due.append(Due(after, "Bounce", [recipient], _bounce_facts(kind)))
    for kind, some in bounced.items():
        due.append(Due(delay(50, 150), "Bounce", some, _bounce_facts(kind)))
    return due


def _kind(recipient: str) -> str:
    local, _, domain = recipient.lower().rpartition("@")
    return local.partition("+")[0] if domain == SIMULATOR_DOMAIN else ""


def _bounce_facts(kind: str) -> dict[str, Any]:
    names = ("bounceType", "bounceSubType", "status", "diagnosticCode")
    return dict(zip(names, _BOUNCES[kind], strict=True))
