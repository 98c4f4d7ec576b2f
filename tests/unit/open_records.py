"""Records in every state, and any at all."""

from hypothesis import strategies as st
from msgspec.structs import replace

from mailpipe.messages import RecordFields
from mailpipe.open_states import (
    CLAIMED,
    DAY_MS,
    DELAYED,
    ENDING,
    IN_DOUBT,
    PAUSED,
    PENDING,
    SCHEDULED,
    SENT,
)
from mailpipe.records import USUAL, Record, born, read
from mailpipe.resources import open_key
from mailpipe.status import CANCELLED, OURS, TERMINAL_RANKS
from mailpipe.status import DELAYED as SES_DELAYS
from mailpipe.status import SENT as SES_HAS_IT

NOW = 1_800_000_000_000


def record(*, to: int = 1, **changes: object) -> Record:
    """A record that was born a minute ago, changed."""
    fields = RecordFields(
        stream="bulk",
        created_at=NOW - 60_000,
        from_="Shop <b@shop.example>",
        to=[f"a{number}@example.net" for number in range(to)],
    )
    return replace(read(USUAL | born("e-1", "default", fields)), **changes)


SES_STANDINGS = {
    SENT: {"status": "sent", "rank": SES_HAS_IT.rank, "sent_at": NOW - 30_000},
    DELAYED: {"status": "delayed", "rank": SES_DELAYS.rank, "sent_at": NOW - 30_000},
}
EXAMPLES = {
    SCHEDULED: record(status="scheduled", rank=1, send_at=NOW + 1),
    PENDING: record(),
    PAUSED: record(),
    CLAIMED: record(attempt=1, token="t", lease_until=NOW + 1),
    IN_DOUBT: record(attempt=1, token="t", lease_until=NOW),
    SENT: record(**SES_STANDINGS[SENT]),
    DELAYED: record(**SES_STANDINGS[DELAYED]),
    ENDING: record(status="cancelled", rank=CANCELLED.rank),
}


RECORDS = st.builds(
    record,
    to=st.integers(1, 3),
    status=st.sampled_from(
        ["pending", "scheduled", "sent", "delayed", "delivered", *OURS, "bounced", "erased", "?"]
    ),
    rank=st.sampled_from([0, 1, SES_HAS_IT.rank, SES_DELAYS.rank, *TERMINAL_RANKS]),
    attempt=st.integers(0, 3),
    lease_until=st.sampled_from([0, 1, NOW - DAY_MS, NOW - 1, NOW, NOW + 1, NOW + 25_000]),
    created_at=st.integers(NOW - 400 * DAY_MS, NOW + DAY_MS),
    send_at=st.none() | st.integers(NOW - 40 * DAY_MS, NOW + 366 * DAY_MS),
    expires_at=st.none() | st.integers(NOW - 40 * DAY_MS, NOW + 40 * DAY_MS),
    moved_from=st.none() | st.integers(NOW, NOW + 366 * DAY_MS),
    sent_at=st.none() | st.integers(NOW - 40 * DAY_MS, NOW),
    doubts=st.integers(0, 3),
    possible_duplicate=st.booleans(),
    open=st.sampled_from([None, open_key("e-1"), "unknown#2026-11-25#3"]),
)
TIMES = st.integers(NOW - DAY_MS, NOW + 500 * DAY_MS)
