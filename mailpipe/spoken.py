"""Times, durations and scopes as a sentence for people has them. Pure."""

from mailpipe.board import kind_of
from mailpipe.timing import iso

_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999
"""Years 1 and 9999: producers stamp their mail themselves, and a deadline may be later still."""


def time_of(at_ms: int) -> str:
    """RFC 3339 of any time, as far as it can be written."""
    return iso(min(max(at_ms, _FIRST_MS), _LAST_MS))


def moment(at_ms: int, now_ms: int) -> str:
    """`10:02:11 UTC` of today, of other days with the date."""
    day, _, time = time_of(at_ms).partition("T")
    shown = f"{time[:8]} UTC"
    return shown if day == time_of(now_ms)[:10] else f"{day} {shown}"


def about(seconds: float) -> str:
    """`about 14 min`."""
    for unit, size_s, below_s in (("s", 1, 90), ("min", 60, 5400), ("h", 3600, 172_800)):
        if seconds < below_s:
            return f"about {max(1, round(seconds / size_s))} {unit}"
    return f"about {round(seconds / 86_400):,} days"


def mails(count: int) -> str:
    """`about 12,000 mails`; queues tell no exact numbers."""
    if count == 1:
        return "one mail"
    return f"about {count:,} mails"


def scope_named(scope: str) -> str:
    """Which mail a scope is."""
    name = scope.partition("#")[2]
    match kind_of(scope):
        case "set":
            return f"mail of the configuration set {name}"
        case "identity":
            return f"mail of the identity {name}"
        case "domain":
            return f"mail from {name}"
        case "tenant":
            return f"mail of the stream {name.rpartition('#')[2]}"
    return "all mail of the account"


def quoted(text: object, most: int = 200) -> str:
    """Words of others, cut, in quotes; nothing of nothing."""
    said = " ".join(str(text or "").split())
    return f' ("{said[:most]}")' if said else ""
