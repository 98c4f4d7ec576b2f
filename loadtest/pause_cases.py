"""The cases of `make prove-pause`: what stops mail, for how long. Pure."""

from typing import NamedTuple

DAY_S = 86_400.0
USUAL_EXPIRY_DAYS = 3
"""After it could go, where a mail says nothing else."""
BULK_SHARE = 0.9
"""Of a day's quota; the rest is kept for transactional mail."""
PLANTS = ("no-renewal", "not-parked", "pauses-counted", "short-bodies")
"""Bugs that the proof has to find."""


class Case(NamedTuple):
    """`mails` come evenly over `over_s` seconds; they say that they expire after `expires_after_s`,
    or nothing. For `stops_s` from the first hour on the account is paused (`account`: GetAccount
    says so) or there is no configuration set (`set`: SES's answers say so). `rate` recipients a
    second and `daily` (None: no limit) are SES's. `per_day_s` is how long a day of the queues'
    retention and of renewal lasts; everything looks `seldom` times as seldom as it could. The
    oldest mail has to wait for `longest_days`. `plant` is a bug.
    """

    name: str
    mails: int
    over_s: float = 3600.0
    stops: str = ""
    stops_s: float = 0.0
    rate: float = 10.0
    daily: int | None = None
    expires_after_s: float | None = None
    per_day_s: float = DAY_S
    seldom: float = 1.0
    until_s: float = 9 * DAY_S
    bulk_only: bool = False
    senders: int = 1
    may_expire: bool = False
    longest_days: float = 5.5
    plant: str = ""

    @property
    def may_expire_most(self) -> int:
        """What the day's quota, all of it spent, leaves for the usual expiry."""
        sent = USUAL_EXPIRY_DAYS * BULK_SHARE * (self.daily or 0)
        return max(0, self.mails - round(sent)) if self.may_expire else 0

    @property
    def may_expire_least(self) -> int:
        """In so many days no more than so many days' quotas can be sent, and the one before."""
        most = (USUAL_EXPIRY_DAYS + 1) * (self.daily or 0)
        return max(1, self.mails - most) if self.may_expire else 0


def cases(*, small: bool, plant: str) -> list[Case]:
    """What is simulated; in the small form fewer mails and looks, and hours for days where the
    queue alone keeps mail.
    """
    paused_s = 6 * DAY_S
    if small:
        hour = DAY_S / 24
        found = [
            Case("account paused", 60, over_s=2 * DAY_S, stops="account", stops_s=paused_s),
            Case(
                *("slow lane", 160),
                over_s=60,
                rate=0.0075,
                per_day_s=hour,
                until_s=9 * hour,
                longest_days=5.5 / 24,
            ),
        ]
        return [one._replace(seldom=180.0 if one.stops else 1.0, plant=plant) for one in found]
    found = [
        Case("account paused", 3000, over_s=paused_s, stops="account", stops_s=paused_s, senders=2),
        Case("set missing", 1000, over_s=paused_s, stops="set", stops_s=paused_s, senders=2),
        Case(
            *("small day, six days of mail", 1200),
            rate=1.0,
            daily=200,
            expires_after_s=20 * DAY_S,
            until_s=10 * DAY_S,
            bulk_only=True,
        ),
        Case(
            *("small day, usual expiry", 1200),
            rate=1.0,
            daily=200,
            bulk_only=True,
            may_expire=True,
        ),
    ]
    return [one._replace(plant=plant) for one in found]
