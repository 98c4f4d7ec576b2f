"""How long what has ended is kept: as its tenant wants it."""

import asyncio
from typing import cast

import pytest

from mailpipe.aws.table import Tables
from mailpipe.records import Attributes
from mailpipe.tenants import Retention, Tenant, Tenants, item_of

DAY_S = 86_400


class Stored:
    """Tables that hold these tenants."""

    def __init__(self, *tenants: Tenant) -> None:
        self._items = {one.tenant: item_of(one) for one in tenants}

    async def get(self, _: str, key: Attributes) -> Attributes | None:
        return self._items.get(str(key["id"]))


@pytest.mark.parametrize(
    ("tenant", "days"), [("short", 7), ("usual", 90), ("default", 90), ("gone", 90)]
)
def test_a_tenants_own_days_count_before_the_usual_ones(tenant: str, days: int) -> None:
    stored = Stored(Tenant(tenant="short", retention_days=7), Tenant(tenant="usual"))
    retention = Retention(Tenants(cast(Tables, stored)), usual_days=90)
    assert asyncio.run(retention.expiry(tenant, 5_000)) == 5 + days * DAY_S
