"""What a deployment may show of itself to who explains why a mail waits."""

from typing import Any

from mailpipe.board import Pause, Quota, Reading
from mailpipe.explain import World, explain
from mailpipe.presence import Presence
from mailpipe.records import Record
from tests.unit.open_records import NOW

QUOTA = Quota(
    max_send_rate_milli=14_000,
    max_24_hour=50_000,
    sent_24_hours=49_812,
    sending_enabled=True,
    enforcement="HEALTHY",
    senders=1,
    read_at=NOW,
)
QUIET = Reading(QUOTA, {}, {}, [])


def sender(binds: str = "nothing", lane: str = "bulk") -> Presence:
    return Presence(seen_at=NOW, until=NOW + 30_000, binds={lane: binds})


def pause(scope: str, reason: str, **changes: Any) -> Reading:
    one = Pause(scope=scope, reason=reason, since=NOW - 600_000, probe_at=NOW + 20_000, **changes)
    return QUIET._replace(pauses={scope: one})


def sentence(one: Record, world: World) -> str:
    return explain(one, world, NOW).sentence


def busy(binds: str, depth: int = 12_001, board: Reading = QUIET) -> World:
    return World(board, [sender(binds)], {"transactional": 0, "bulk": depth})
