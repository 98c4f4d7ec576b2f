"""The sweeper's walk through much healthy mail: no shard always last, quick, and bounded."""

import asyncio
from typing import Any, cast

import pytest

from mailpipe import records, resources
from mailpipe.aws.queue import Queue
from mailpipe.aws.table import Page, Tables
from mailpipe.messages import RecordFields, new_email_id
from mailpipe.open_states import Terms
from mailpipe.records import Attributes
from mailpipe.tenants import Retention, Tenants
from sender.sweeping import RUNS_AT_ONCE, Sweeper

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000


class OpenMail:
    """Tables whose index has so much mail for later in each shard, and who has looked where."""

    def __init__(self, in_each: int) -> None:
        self.looked_at = list[str]()
        fields = RecordFields(
            stream="bulk",
            created_at=NOW_MS - HOUR_MS,
            from_="me@example.com",
            to=["ana@example.com"],
            send_at=NOW_MS + HOUR_MS,
        )
        ids = [new_email_id() for _ in range(in_each)]
        self._items = [records.USUAL | records.born(one, "default", fields) for one in ids]

    async def page(
        self, _: str, partition: str, *, after: Attributes | None, limit: int, **__: Any
    ) -> Page:
        self.looked_at.append(partition)
        begin = cast(int, (after or {"at": 0})["at"])
        items = self._items[begin : begin + limit]
        ended = begin + limit >= len(self._items)
        return Page(items, None if ended else {"at": begin + limit})

    async def get_all(self, _: str, keys: list[Attributes]) -> list[Attributes]:
        wanted = {one["emailId"] for one in keys}
        return [item for item in self._items if item["emailId"] in wanted]


def sweeper(mail: OpenMail, *, most: int, first_shard: int = 0) -> Sweeper:
    tables = cast(Tables, mail)
    return Sweeper(
        *(tables, "", cast(Queue, None)),
        retention=Retention(Tenants(tables), usual_days=90),
        terms=Terms(),
        most=most,
        fresh_s=60,
        paused_since_ms=lambda record: None,
        wall_ms=lambda: NOW_MS,
        any_shard=lambda: first_shard,
    )


@pytest.mark.parametrize("first", range(resources.SHARDS))
def test_a_lap_looks_into_every_shard_from_any_on(first: int) -> None:
    mail = OpenMail(in_each=2)
    assert not asyncio.run(sweeper(mail, most=100, first_shard=first).work())
    order = [(first + n) % resources.SHARDS for n in range(resources.SHARDS)]
    assert mail.looked_at == [resources.open_key_of_shard(one) for one in order]


def test_a_lap_goes_on_at_once_so_many_times_in_a_row() -> None:
    mail = OpenMail(in_each=5 * RUNS_AT_ONCE)
    one = sweeper(mail, most=4)  # a lap takes ten rows of runs

    async def rows() -> list[bool]:
        return [await one.work() for _ in range(3 * RUNS_AT_ONCE)]

    assert asyncio.run(rows()) == ([True] * (RUNS_AT_ONCE - 1) + [False]) * 3


def test_what_is_over_waits_until_the_next_time() -> None:
    one = sweeper(OpenMail(in_each=1), most=resources.SHARDS - 1)

    async def runs() -> list[bool]:
        return [await one.work() for _ in range(4)]

    assert asyncio.run(runs()) == [True, False] * 2
