"""The newest mails of a tenant: keys from the indexes, then the records behind them."""

import asyncio
from dataclasses import dataclass

from mailpipe import records, resources
from mailpipe.aws.table import Tables
from mailpipe.records import DAY_S, Attributes, Record
from mailpipe.timing import iso

DAY_MS = DAY_S * 1000
MOST_DAYS = 100
"""So far back a list by day looks: each day is eight partitions to read."""
PAGE = 100


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which mails: of one tenant, newest first, at most `limit`."""

    tenant: str
    recipient: str | None = None
    status: str | None = None
    since_ms: int = 0
    limit: int = 50


async def newest(tables: Tables, asked: Asked, *, now_ms: int) -> list[Record]:
    """Raises CallFailed."""
    found = list[Record]()
    for index, partitions in _places(asked, now_ms):
        room = asked.limit - len(found)
        listed = await asyncio.gather(
            *(_of(tables, asked, index, one, room=room) for one in partitions)
        )
        together = sorted((one for some in listed for one in some), key=_created, reverse=True)
        found += together[:room]
        if len(found) == asked.limit:
            break
    return found


def _places(asked: Asked, now_ms: int) -> list[tuple[str, list[str]]]:
    """Index and partitions to look at together, the newest first."""
    if asked.recipient is not None:
        return [("byRecipient", [records.recipient_key(asked.tenant, asked.recipient)])]
    first_ms = max(asked.since_ms, now_ms - MOST_DAYS * DAY_MS)
    days = [iso(at_ms)[:10] for at_ms in range(now_ms + DAY_MS, first_ms - DAY_MS, -DAY_MS)]
    return [
        (
            "byDay",
            [
                resources.day_key_of_shard(asked.tenant, day, shard)
                for shard in range(resources.SHARDS)
            ],
        )
        for day in days
    ]


async def _of(
    tables: Tables, asked: Asked, index: str, partition: str, *, room: int
) -> list[Record]:
    """The newest of one partition that are asked for."""
    found, after = list[Record](), None
    while len(found) < room:
        page = await tables.page(
            resources.EMAIL_TRACKING,
            partition,
            index=index,
            newest_first=True,
            after=after,
            limit=PAGE,
        )
        # Further recipients have items of their own, which only lead to the mail.
        ids = dict.fromkeys(records.email_id_of(str(item["emailId"])) for item in page.items)
        keys: list[Attributes] = [{"emailId": one} for one in ids]
        items = await tables.get_all(resources.EMAIL_TRACKING, keys)
        known = [records.read(item) for item in items]
        found += sorted(filter(lambda one: _fits(asked, one), known), key=_created, reverse=True)
        after = page.last
        if after is None or (known and min(map(_created, known)) < asked.since_ms):
            break
    return found[:room]


def _fits(asked: Asked, record: Record) -> bool:
    return (
        record.tenant == asked.tenant
        and record.created_at >= asked.since_ms
        and asked.status in (None, record.status)
    )


def _created(record: Record) -> int:
    return record.created_at
