"""The five cases of `make prove-once`: durations, mail, and what is done to SES. Pure.

Durations are in seconds and scaled together; what has a floor does not become shorter than that.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.local.mails import OUTCOMES, mail_to
from infra.local.stack import SERVICES

MIN_VISIBILITY_S = 3.0
"""The smallest that the services take."""
POLL_S = 1.0
"""The long poll of the local cloud's services."""
SPECIALS = 15
"""Every fifteenth mail is special: 200 of 3,000."""
LATEST_S = 60.0
LATE_STEPS = 20
AGAIN = 25
"""Every so many mails go to somebody who has bounced, mostly: they end without SES."""
LARGE = 51
"""Every so many, by either door in turn, have a body that travels by S3."""
LARGE_TEXT = "A long story. " * 5_000


@dataclass(frozen=True)
class Durations:
    """The protocol's, for one case. In `d` events come up to a minute late: the grace is longer."""

    case: str
    scale: float

    @property
    def visibility_s(self) -> float:
        """Of messages in hand."""
        return max(MIN_VISIBILITY_S, 10 * self.scale)

    @property
    def ses_timeout_s(self) -> float:
        """A send that takes longer is in doubt."""
        return max(1.0, 4 * self.scale)

    @property
    def lease_s(self) -> float:
        """How long a claim lives."""
        return self.ses_timeout_s + max(0.5, 4 * self.scale)

    @property
    def grace_s(self) -> float:
        """How long an event may take to prove a send in doubt."""
        return (1.25 * LATEST_S if self.case == "d" else 20) * self.scale

    @property
    def clocks_s(self) -> float:
        """So far clocks are let differ when evidence is weighed; there is one here."""
        return max(0.5, 5 * self.scale)

    @property
    def processors_away_s(self) -> float:
        """In `b`."""
        return LATEST_S * self.scale

    @property
    def catching_up_s(self) -> float:
        """In `b`: so long replicas are killed after the processors have come."""
        return max(1.0, 20 * self.scale)

    @property
    def short_stop_s(self) -> float:
        """In `e`, by a signal: a claim is over when its sender goes on, and still nobody else's."""
        return self.lease_s + max(0.5, 3 * self.scale)

    def long_stop_s(self, load_s: float) -> float:
        """In `e`, at an instant: others have sent the mail when its sender goes on, even when they
        were killed themselves for as long as the load lasts.
        """
        return load_s + self.after_a_kill_s + max(10.0, 10 * self.scale)

    @property
    def after_a_kill_s(self) -> float:
        """When the last mail of a killed sender is proved or sent again: what killed processors had
        in hand has come back, evidence has been given and has been looked for.
        """
        forgotten_s = self._every_s + POLL_S + self.visibility_s + 2 * self.clocks_s
        longest_s = max(forgotten_s, self.lease_s + self.grace_s)
        return longest_s + 2 * self.clocks_s + 3 * self._every_s

    @property
    def _every_s(self) -> float:
        """How often is looked for what is due."""
        return max(0.5, 3 * self.scale)

    def settings(self) -> dict[str, str]:
        """As the services read them."""
        consumers = [f"MAILPIPE_{one.upper()}" for one in SERVICES if one != "ingest"]
        every_s = self._every_s
        return {
            **{f"{one}_VISIBILITY_S": f"{self.visibility_s:g}" for one in consumers},
            "MAILPIPE_SENDER_SES_TIMEOUT_S": f"{self.ses_timeout_s:g}",
            "MAILPIPE_SENDER_LEASE_MARGIN_S": f"{self.lease_s - self.ses_timeout_s:g}",
            "MAILPIPE_SENDER_IN_DOUBT_GRACE_S": f"{self.grace_s:g}",
            "MAILPIPE_SENDER_IN_DOUBT_EVERY_S": f"{every_s:g}",
            "MAILPIPE_PROCESSOR_PUBLISH_EVERY_S": f"{every_s / 2:g}",
            "MAILPIPE_PROCESSOR_CLOCKS_S": f"{self.clocks_s:g}",
            "MAILPIPE_SENDER_DUE_SOON_S": f"{every_s:g}",  # a longer doubt is parked in the table
            "MAILPIPE_SENDER_DUE_EVERY_S": f"{every_s / 2:g}",
            "MAILPIPE_SENDER_SIDE_LEASE_S": f"{max(1.0, 5 * self.scale):g}",
        }


def mails_of(case: str, *, specials: int = SPECIALS) -> Callable[..., list[dict[str, Any]]]:
    """What `loadtest.load.Load` takes: makes the case's mails, numbered from `first`, every so
    many special.
    """

    def made(count: int, seed: int, *, first: int = 0) -> list[dict[str, Any]]:
        choice = random.Random(seed)  # noqa: S311 - a reproducible choice is the point
        outcomes = choice.choices(list(OUTCOMES), list(OUTCOMES.values()), k=count)
        return [
            _special(case, number, number // specials)
            if special(case) and number % specials == 0
            else _mail(number, outcome)
            for number, outcome in enumerate(outcomes, start=first)
        ]

    return made


def log_writes(case: str) -> bool:
    """Whether the judge needs to know who claimed and recorded what. A proxy sees that, which makes
    everything slower: not where any mail sent twice fails.
    """
    return case in ("c", "e")


def special(case: str) -> str | None:
    """A text in the recipients of mails whose events or answers are spoilt."""
    return {"c": "+quiet-", "d": "+cut-"}.get(case)


def faults(case: str, scale: float) -> list[dict[str, Any]]:
    """What is done to SES: `c` withholds all events of some mails for good, and answers for them
    half a second late, so that many are in flight at a kill; `d` cuts the connection after its yes,
    and their events come after 1 to 60 s.
    """
    text = special(case)
    if case == "c":
        return [
            {"kind": "withhold", "match": text},
            {"kind": "stall_after_accept", "match": text, "seconds": 0.5},
        ]
    if case == "d":
        late = [
            {"kind": "delay", "match": f"{text}{step}-", "seconds": _late_s(step) * scale}
            for step in range(LATE_STEPS)
        ]
        return [{"kind": "drop_after_accept", "match": text}, *late]
    return []


def _late_s(step: int) -> float:
    return 1 + step * (LATEST_S - 1) / (LATE_STEPS - 1)


def _special(case: str, number: int, nth: int) -> dict[str, Any]:
    return mail_to(f"success{special(case)}{nth % LATE_STEPS}-{number}", number)


def _mail(number: int, outcome: str) -> dict[str, Any]:
    if number % AGAIN == AGAIN - 1:
        return mail_to(f"bounce+again-{number // (20 * AGAIN)}", number)
    mail = mail_to(f"{outcome}+{number}", number)
    if number % LARGE == 10:
        mail["bodyText"] = LARGE_TEXT
    return mail
