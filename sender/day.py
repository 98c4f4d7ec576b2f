"""The day's quota: how fast a lane may go so that it never runs into it. Pure.

SES counts the recipients of the last 24 hours, as a rolling window; what frees is not told, only
what is counted now (SES API v2 reference, "GetAccount"). So a lane spends what is left of its part
evenly over a fixed time: the less is left, the slower it goes, and in the long run it goes
as fast as the window frees. Nothing binds while what is left would last longer than that at the
account's full rate.

Between two readings somebody spends. For bulk mail it is assumed that it is as much as the account
can take at all, whoever it is: so bulk mail can never use what is kept for transactional mail, with
any number of senders. Urgent mail is not held back by what may have happened: SES's own refusal is
harmless, it only pauses the account until a reading shows room.
"""

from typing import NamedTuple

from mailpipe.board import Quota

UNLIMITED = -1


class DaySettings(NamedTuple):
    """`kept_share` of the day is for transactional mail alone; the times are those over which bulk
    and transactional mail spend what is left.
    """

    kept_share: float
    smoothing_s: float
    urgent_smoothing_s: float


def day_rate(quota: Quota, lane: str, now_ms: int, settings: DaySettings) -> float | None:
    """Recipients a second that the day leaves this lane; None: the day does not bind it."""
    if quota.max_24_hour == UNLIMITED:
        return None
    left = float(quota.max_24_hour - quota.sent_24_hours)
    smoothing_s = settings.urgent_smoothing_s
    if lane == "bulk":
        left -= settings.kept_share * quota.max_24_hour
        left -= quota.rate * max(0.0, (now_ms - quota.read_at) / 1000)
        smoothing_s = settings.smoothing_s
    if left >= quota.rate * smoothing_s:
        return None
    return max(0.0, left) / smoothing_s


def has_room(quota: Quota, recipients: int = 1) -> bool:
    """Whether SES would take so many more recipients of the day's, or as many as a day has."""
    left = quota.max_24_hour - quota.sent_24_hours
    return quota.max_24_hour == UNLIMITED or left >= max(1, min(recipients, quota.max_24_hour))
